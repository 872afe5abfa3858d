//! Before memory is compared, the CPUs that are online must have done what they were sent, and
//! freed it: a task has answered before its own memory is free.
//!
//! A CPU that closes its inbox ends all tasks and drops them. So the CPUs go down as far as to below
//! that step, and come back.

use alloc::vec::Vec;

use reveille_smp::{cpu::CpuIndex, ladder::Rung};

use super::{perform::Operations, rules::INBOX};

impl Operations<'_> {
    /// Lets these CPUs, which are online, end the tasks that they were sent. One that does not is
    /// left for the next operation to find.
    ///
    /// # Cancellation
    ///
    /// The CPUs stay where they are.
    pub(super) async fn settle(&self, cpus: &[CpuIndex]) {
        let ladder = self.ladder();
        let Some(Rung(behind)) = ladder.find(INBOX) else {
            return;
        };
        for rung in [Rung(behind - 1), ladder.top()] {
            let targets: Vec<_> = cpus.iter().map(|&cpu| (cpu, rung)).collect();
            self.move_all(&targets).await;
        }
    }
}
