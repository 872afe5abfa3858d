//! What is done for each AP on its way up, and undone on its way down.

use alloc::{boxed::Box, vec::Vec};

use reveille_smp::{
    cpu::CpuIndex,
    step::{Mode, Run, Step, StepError},
};

use super::online::OnlineList;
use crate::{apic::LocalApic, percpu::PerCpu};

/// The kernel's steps.
pub(super) fn all(apic: LocalApic, online: &'static OnlineList) -> Vec<&'static dyn Step> {
    let join: &'static dyn Step = Box::leak(Box::new(Join { apic, online }));
    Vec::from([join, &TakeTasks])
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

/// The CPU takes tasks from others; on its way down it ends those that it has.
struct TakeTasks;

impl Step for TakeTasks {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn rank(&self) -> u16 {
        20
    }

    fn up(&self, _: CpuIndex) -> Run<'_> {
        PerCpu::current().inbox().open();
        Run::Now(Ok(()))
    }

    fn down(&self, _: CpuIndex) -> Run<'_> {
        Run::later(async {
            PerCpu::current().inbox().close().await;
            Ok(())
        })
    }
}
