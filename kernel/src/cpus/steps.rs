//! What each AP does on its own CPU between ALIVE and ONLINE.

use alloc::{boxed::Box, vec::Vec};

use reveille_smp::{
    bringup::Ap,
    cpu::CpuIndex,
    step::{Mode, Step, StepError, Steps},
};

use super::{inbox::Inbox, online::OnlineList};
use crate::{apic::LocalApic, percpu::PerCpu};

/// The kernel's steps in their order, for these APs, lowest number first, and their inboxes in the
/// same order.
pub(super) fn all(
    apic: LocalApic,
    online: &'static OnlineList,
    aps: &'static [Ap],
    inboxes: &'static [Inbox],
) -> Steps {
    let join: &'static dyn Step = Box::leak(Box::new(Join { apic, online }));
    let open: &'static dyn Step = Box::leak(Box::new(OpenInbox { aps, inboxes }));
    Box::leak(Box::new([join, open]))
}

/// The CPU checks that it is the one it is taken for, and joins the list of those online.
struct Join {
    apic: LocalApic,
    online: &'static OnlineList,
}

impl Step for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn mode(&self) -> Mode {
        // The list is to have the order of the bring-up.
        Mode::Serialised
    }

    fn up(&self, cpu: CpuIndex) -> Result<(), StepError> {
        let area = PerCpu::current();
        if (area.index(), area.apic_id()) != (cpu, self.apic.id()) {
            return Err(StepError::WrongCpu);
        }
        if self.online.join(cpu) {
            Ok(())
        } else {
            Err(StepError::Exhausted)
        }
    }
}

/// The CPU takes work from others.
struct OpenInbox {
    aps: &'static [Ap],
    inboxes: &'static [Inbox],
}

impl Step for OpenInbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn mode(&self) -> Mode {
        Mode::Concurrent
    }

    fn up(&self, cpu: CpuIndex) -> Result<(), StepError> {
        let ap = self.aps.binary_search_by_key(&cpu, |ap| ap.cpu);
        let inbox = ap.ok().and_then(|ap| self.inboxes.get(ap));
        inbox.ok_or(StepError::WrongCpu)?.open();
        Ok(())
    }
}

/// The steps of an AP of which one is to fail.
pub(super) fn with_failing(steps: Steps, name: &str) -> Steps {
    let failing = steps.iter().map(|&step| -> &'static dyn Step {
        if step.name() == name {
            Box::leak(Box::new(Failing(step)))
        } else {
            step
        }
    });
    failing.collect::<Vec<_>>().leak()
}

/// A step that fails in the place of another.
struct Failing(&'static dyn Step);

impl Step for Failing {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn mode(&self) -> Mode {
        self.0.mode()
    }

    fn up(&self, _: CpuIndex) -> Result<(), StepError> {
        Err(StepError::Injected)
    }
}
