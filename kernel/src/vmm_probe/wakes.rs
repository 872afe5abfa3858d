//! What it takes to wake an AP that halts: what the BSP pays for the interrupt, when the AP's handler runs, and
//! when its answer has woken the BSP, which halts meanwhile too.
//!
//! One IPI goes to an AP that has just fallen asleep, the next to one that has slept for a while: a host that
//! lets a processor wait for its guest before it gives it away wakes the first quicker (KVM's `halt_poll_ns`
//! is 200 µs at the most as a rule). An NMI follows, which hypervisors that deliver IPIs without an exit have to
//! see to all the same.

use alloc::vec::Vec;
use core::time::Duration;

use reveille_executor::Clock;
use reveille_smp::{
    bringup::ClockSkew,
    record::vmm_probe::{Cost, Deed, Wake},
    spread::Spread,
};

use super::{
    costs::Samples,
    run::{Unprobed, samples},
};
use crate::{
    apic::{Ipi, LocalApic},
    bench::Bench,
    calling::{halted::Rests, ping},
    interrupts::vectors::Vector,
    percpu::PerCpu,
    platform::CpuPlatform,
    probe,
    time::{TscClock, read_tsc},
};

/// Samples of each.
pub(super) const WAKES: u32 = 200;

/// How long an AP sleeps that is to have slept for a while.
const WHILE: Duration = Duration::from_millis(1);

/// Until when an AP must have answered. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is measured with one AP.
pub(super) struct Wakes<'a> {
    bench: &'a Bench<'a>,
    ap: &'static PerCpu,
    rests: Rests,
    ipi: Samples,
    nmi: Samples,
    asleep: [Asleep; 2],
}

/// The samples of APs that had slept for so long, in nanoseconds.
struct Asleep {
    rested: Duration,
    to_entry: Vec<u64>,
    round_trip: Vec<u64>,
}

impl<'a> Wakes<'a> {
    pub(super) fn with_room(bench: &'a Bench<'a>, ap: &'static PerCpu) -> Result<Self, Unprobed> {
        let asleep = |rested| {
            Ok(Asleep {
                rested,
                to_entry: samples(WAKES)?,
                round_trip: samples(WAKES)?,
            })
        };
        let to = Some(ap.index());
        Ok(Self {
            bench,
            ap,
            rests: Rests::of(ap),
            ipi: Samples::with_room(Deed::Ipi, to, 2 * WAKES)?,
            nmi: Samples::with_room(Deed::Nmi, to, WAKES)?,
            asleep: [asleep(Duration::ZERO)?, asleep(WHILE)?],
        })
    }

    /// So many samples of each.
    pub(super) async fn turn(&mut self, turn: u32) -> Result<(), Unprobed> {
        let (clock, skew) = (self.clock(), self.skew());
        let (apic, platform) = (self.bench.cpus.machine.apic, self.bench.platform);
        for _ in 0..turn {
            for asleep in &mut self.asleep {
                if !self.rests.wait(&self.bench.timer).await {
                    return Err(Unprobed::Restless(self.ap.index()));
                }
                if !asleep.rested.is_zero() {
                    self.bench.timer.sleep(asleep.rested).await;
                }
                asleep.wake(self.ap, apic, platform, &mut self.ipi, (clock, skew))?;
            }
            // It goes on sleeping behind it.
            let cpu = self.ap.index();
            let sent = probe::time_nmi(cpu).map_err(|why| Unprobed::NoNmi(cpu, why))?;
            self.nmi.sent(sent);
        }
        Ok(())
    }

    pub(super) fn tell(self, costs: &mut Vec<Cost>, wakes: &mut Vec<Wake>) {
        let (clock, skew) = (self.clock(), self.skew());
        costs.extend(
            [self.ipi, self.nmi]
                .into_iter()
                .filter_map(|it| it.told(clock)),
        );
        let to = self.ap.index();
        let told = |mut it: Asleep| {
            let entries = it.to_entry.len() as u32;
            let to_entry_ns = Spread::of(&mut it.to_entry);
            Some(Wake {
                to,
                rested_ns: it.rested.as_nanos() as u64,
                samples: it.round_trip.len() as u32,
                entries,
                uncertainty_ns: to_entry_ns.and(skew.map(|skew| skew.uncertainty_ns)),
                to_entry_ns,
                round_trip_ns: Spread::of(&mut it.round_trip)?,
            })
        };
        wakes.extend(self.asleep.into_iter().filter_map(told));
    }

    fn clock(&self) -> TscClock {
        self.bench.cpus.machine.clock
    }

    fn skew(&self) -> Option<ClockSkew> {
        self.bench.clocks.skew(self.ap.index())
    }
}

impl Asleep {
    /// One IPI to the AP, and its answer.
    fn wake(
        &mut self,
        ap: &PerCpu,
        apic: LocalApic,
        platform: &CpuPlatform,
        ipi: &mut Samples,
        (clock, skew): (TscClock, Option<ClockSkew>),
    ) -> Result<(), Unprobed> {
        let answers = ping::answers();
        let deadline = platform.now().saturating_add(PATIENCE);
        let began = clock.instant_of(read_tsc());
        let sent = apic.time_send(ap.apic_id(), Ipi::Fixed(Vector::TIMED_PING));
        let sent = sent.map_err(Unprobed::NotSent)?;
        if !platform.halt_until(deadline, || ping::answers() != answers) {
            return Err(Unprobed::NoAnswer(ap.index()));
        }
        let ended = clock.instant_of(read_tsc());
        ipi.sent(sent);
        self.round_trip
            .push(ended.saturating_duration_since(began).as_nanos() as u64);
        if let Some(skew) = skew {
            let entered = ap.clock().on_this_cpu(clock).instant_of(ping::entered());
            let ahead = skew.ahead_ns.saturating_neg();
            let entered = entered.as_nanos().checked_add_signed(ahead);
            // Two clocks are compared to within an uncertainty: an entry that seems to lie before the send was
            // not measured, and is none of 0 ns.
            let took = entered.and_then(|entered| entered.checked_sub(began.as_nanos()));
            self.to_entry.extend(took);
        }
        Ok(())
    }
}
