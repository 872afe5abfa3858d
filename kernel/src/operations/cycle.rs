//! All APs down and up again, many times: whatever a way down and up leaves behind adds up.

use alloc::{boxed::Box, vec::Vec};

use reveille_smp::{cpu::CpuIndex, ladder::Rung, record::Cycle};

use super::{in_use::InUse, perform::Operations};
use crate::interruption::Interruption;

impl Operations<'_> {
    /// Takes all APs that are online down and brings them up again, so many times, in one turn. It ends
    /// with the first cycle in which not all of them do, and between two of them when an interruption is asked
    /// for; `None` if that is before its turn has come. With `leaks` each loses memory, as a test asks for.
    ///
    /// # Cancellation
    ///
    /// CPUs that were sent somewhere go there all the same, while the turn is free for others: so it is to
    /// be dropped only where nobody operates behind it.
    pub(super) async fn cycle(
        &self,
        asked: u32,
        leaks: bool,
        interruption: &Interruption,
    ) -> Option<Cycle> {
        let _turn = interruption.unless(self.turn()).await?;
        let aps: Vec<CpuIndex> = self.online().map(|member| member.cpu).collect();
        let to = |rung| -> Vec<(CpuIndex, Rung)> { aps.iter().map(|&cpu| (cpu, rung)).collect() };
        let (down, up) = (to(Rung::OFFLINE), to(self.ladder().top()));
        let (mut done, mut failed) = (0, 0);
        self.settle(&aps).await;
        let in_use = InUse::now();
        let start = self.now();
        while done < asked && failed == 0 && !interruption.is_asked() {
            for targets in [&down, &up] {
                failed += self.failures(targets).await;
            }
            done += u32::from(failed == 0);
            if leaks {
                Box::leak(Box::new(0_u64));
            }
        }
        let duration_ns = self.since(start).as_nanos() as u64;
        let balance = in_use.balance();
        // Once for all cycles, behind what is measured: between them every AP goes down again.
        self.bench.set_registers_right();
        Some(Cycle {
            asked,
            done,
            aps: aps.len() as u32,
            lost: (aps.len() - self.online().filter(|it| aps.contains(&it.cpu)).count()) as u32,
            failed,
            interrupted: done < asked && interruption.is_asked(),
            duration_ns,
            balance,
        })
    }

    /// How many of these CPUs do not come to where they are sent.
    async fn failures(&self, targets: &[(CpuIndex, Rung)]) -> u32 {
        let moved = self.bench.drive(targets).await;
        moved.iter().filter(|moved| moved.rung != moved.to).count() as u32
    }
}
