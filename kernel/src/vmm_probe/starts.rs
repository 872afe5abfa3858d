//! What INIT and SIPI cost the BSP, as the bring-up sends them: to an AP that is down, one right behind the
//! other where the processor takes them so.
//!
//! The AP counts in real mode and halts there, as for the floor of the benchmark: so it can be started again and
//! again. Whether it has counted is looked for with pauses, as a CPU in real mode has no way to wake anybody. One
//! that comes later does no harm: it counts, or finds its slot closed and parks.

use core::time::Duration;

use reveille_executor::Clock;
use reveille_smp::record::vmm_probe::{Cost, Deed};

use super::{costs::Samples, run::Unprobed};
use crate::{apic::Ipi, bench::Bench, cpus::counting::Counting, percpu::PerCpu};

/// Samples of each.
const STARTS: u32 = 100;

/// Until when an AP must have counted. A host that is crowded takes tens of milliseconds, and seldom a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// From one look to the next: first so long, then twice that and so on, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// After so many SIPIs that started nobody there are no more.
const MOST_LOST: u32 = 4;

/// An AP that is started often.
pub(super) struct Starts<'a> {
    bench: &'a Bench<'a>,
    ap: &'static PerCpu,
    init: Samples,
    sipi: Samples,
    lost: u32,
}

impl<'a> Starts<'a> {
    pub(super) fn with_room(bench: &'a Bench<'a>, ap: &'static PerCpu) -> Result<Self, Unprobed> {
        let room = |what| Samples::with_room(what, Some(ap.index()), STARTS);
        Ok(Self {
            bench,
            ap,
            init: room(Deed::Init)?,
            sipi: room(Deed::Sipi)?,
            lost: 0,
        })
    }

    /// Starts the AP, which is down, again and again. Behind that it is down.
    pub(super) async fn run(&mut self) -> Result<(), Unprobed> {
        let machine = self.bench.cpus.machine;
        let (apic, to) = (machine.apic, self.ap.apic_id());
        let counting = Counting::begin(machine);
        for _ in 0..STARTS {
            let before = counting.count();
            let init = apic.time_send(to, Ipi::Init);
            self.init.sent(init.map_err(Unprobed::NotSent)?);
            if !self.bench.timing.init_delay.is_zero() {
                self.bench.timer.sleep(self.bench.timing.init_delay).await;
            }
            let sipi = apic.time_send(to, Ipi::Sipi(machine.start_page()));
            self.sipi.sent(sipi.map_err(Unprobed::NotSent)?);
            if !self.has_counted(&counting, before).await {
                self.lost += 1;
                if self.lost == MOST_LOST {
                    return Err(Unprobed::NoStart(self.ap.index()));
                }
            }
        }
        Ok(())
    }

    async fn has_counted(&self, counting: &Counting, before: u32) -> bool {
        let machine = self.bench.cpus.machine;
        let deadline = machine.now().saturating_add(PATIENCE);
        let mut pause = FIRST_PAUSE;
        loop {
            if counting.count() != before {
                return true;
            }
            if machine.now() >= deadline {
                return false;
            }
            self.bench.timer.sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// SIPIs that started nobody.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    pub(super) fn told(self) -> impl Iterator<Item = Cost> {
        let clock = self.bench.cpus.machine.clock;
        let all = [self.init, self.sipi].into_iter();
        all.filter_map(move |samples| samples.told(clock))
    }
}
