//! Before memory is compared, the CPUs that are online must have done what they were sent, and
//! freed it: a task has answered before its own memory is free.
//!
//! A CPU that closes its inbox ends all tasks and drops them. So the CPUs go down as far as to below
//! that step, and come back. The BSP, which stays, does all that there is to do before it sleeps, unless the
//! host holds it up until its time to sleep is over; so its executor goes round behind that.

use alloc::vec::Vec;
use core::time::Duration;

use reveille_smp::{cpu::CpuIndex, ladder::Rung, round::next_round};

use super::{perform::Operations, rules::INBOX};

/// Any will do.
const A_MOMENT: Duration = Duration::from_millis(1);

/// From the end of a task to the memory of all that waited for it: the task, who serves the inbox, and one to
/// spare.
const ROUNDS: u32 = 3;

impl Operations<'_> {
    /// Lets these CPUs, which are online, end the tasks that they were sent, and the BSP its own. One that does not is
    /// left for the next operation to find.
    ///
    /// # Cancellation
    ///
    /// The CPUs stay where they are.
    pub(crate) async fn settle(&self, cpus: &[CpuIndex]) {
        self.settle_bsp().await;
        let ladder = self.ladder();
        let Some(Rung(behind)) = ladder.find(INBOX) else {
            return;
        };
        for rung in [Rung(behind - 1), ladder.top()] {
            let targets: Vec<_> = cpus.iter().map(|&cpu| (cpu, rung)).collect();
            self.move_all(&targets).await;
        }
        self.settle_bsp().await;
    }

    /// Lets the BSP free what tasks of its own have left that have ended.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost.
    pub(crate) async fn settle_bsp(&self) {
        self.bench.timer.sleep(A_MOMENT).await;
        for _ in 0..ROUNDS {
            next_round().await;
        }
    }
}
