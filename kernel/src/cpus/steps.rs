//! What is done for each AP on its way up, and undone on its way down.

use alloc::{boxed::Box, vec::Vec};

use reveille_smp::{
    bringup::Ap,
    cpu::CpuIndex,
    step::{Mode, Run, Step, StepError},
};

use super::{inbox::Inbox, online::OnlineList};
use crate::{apic::LocalApic, percpu::PerCpu};

/// The kernel's steps, for these APs, lowest number first, and their inboxes in the same order.
pub(super) fn all(
    apic: LocalApic,
    online: &'static OnlineList,
    aps: &'static [Ap],
    inboxes: &'static [Inbox],
) -> Vec<&'static dyn Step> {
    let join: &'static dyn Step = Box::leak(Box::new(Join { apic, online }));
    let open: &'static dyn Step = Box::leak(Box::new(OpenInbox { aps, inboxes }));
    Vec::from([join, open])
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

    fn rank(&self) -> u16 {
        10
    }

    fn mode(&self) -> Mode {
        // The list is to have the order of the bring-up.
        Mode::Serialised
    }

    fn up(&self, cpu: CpuIndex) -> Run<'_> {
        let area = PerCpu::current();
        Run::Now(if (area.index(), area.apic_id()) != (cpu, self.apic.id()) {
            Err(StepError::WrongCpu)
        } else if self.online.join(cpu) {
            Ok(())
        } else {
            Err(StepError::Exhausted)
        })
    }

    fn down(&self, cpu: CpuIndex) -> Run<'_> {
        self.online.leave(cpu);
        Run::Now(Ok(()))
    }
}

/// The CPU takes work from others.
struct OpenInbox {
    aps: &'static [Ap],
    inboxes: &'static [Inbox],
}

impl OpenInbox {
    fn of(&self, cpu: CpuIndex) -> Result<&'static Inbox, StepError> {
        let ap = self.aps.binary_search_by_key(&cpu, |ap| ap.cpu);
        let inbox = ap.ok().and_then(|ap| self.inboxes.get(ap));
        inbox.ok_or(StepError::WrongCpu)
    }
}

impl Step for OpenInbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn rank(&self) -> u16 {
        20
    }

    fn up(&self, cpu: CpuIndex) -> Run<'_> {
        self.of(cpu).map(Inbox::open).into()
    }

    fn down(&self, cpu: CpuIndex) -> Run<'_> {
        self.of(cpu).map(Inbox::close).into()
    }
}
