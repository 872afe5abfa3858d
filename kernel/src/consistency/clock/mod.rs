//! The clock of every AP against the BSP's: what each CPU keeps for that, and what is told of it.
//!
//! The BSP asks all APs at once for readings of their clocks ([`session`]), behind a bring-up and so on
//! nobody's way; each answers in an interrupt handler, wherever it rests. INIT does not touch a TSC, so
//! what was found holds across down and up, and each CPU is compared once. One that is taken out of the machine
//! is forgotten: what comes in its place comes from RESET. What firmware has done to a
//! TSC is undone before that, on the AP itself ([`adjust`]).

pub mod adjust;
pub mod session;

use alloc::{string::ToString, vec::Vec};

use reveille_smp::{
    bringup::{Ap, ClockSkew},
    clock_line::ClockLine,
    clock_offset::{Incomparable, Offset},
    cpu::CpuIndex,
    record,
    state::Stage,
};
use spin::Mutex;

use self::adjust::Adjustment;
use super::Consistency;
#[cfg(target_os = "none")]
use crate::report;
use crate::{
    apic::LocalApic,
    cpuid::ThisCpu,
    faults::FaultKind,
    interrupts::vectors::Vector,
    percpu::{self, PerCpu},
    time::{TscClock, read_tsc},
};

/// What a CPU has for the comparison of its clock with the BSP's.
#[derive(Debug)]
pub struct CpuClock {
    /// What it shares with the BSP while they compare.
    line: ClockLine,
    /// By how many counts `fault=CPU:tsc=` puts its clock ahead, where that cannot be done to the TSC.
    skew: i64,
    adjustment: Adjustment,
    /// What the BSP found; only tasks of the BSP use it.
    found: Mutex<Found>,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug)]
struct Found {
    offset: Option<Result<Offset, Incomparable>>,
    exchanges: u32,
}

impl Found {
    const NOTHING: Self = Self {
        offset: None,
        exchanges: 0,
    };
}

impl CpuClock {
    /// The clock of a CPU that is to differ from the BSP in these ways, and was not compared yet.
    pub fn new(flaws: &[FaultKind]) -> Self {
        let skew = match ticks_asked_for(flaws) {
            Some(ticks) if !adjust::is_there(&ThisCpu) => ticks,
            _ => 0,
        };
        Self {
            line: ClockLine::new(),
            skew,
            adjustment: Adjustment::new(),
            found: Mutex::new(Found::NOTHING),
        }
    }

    /// What the machine's clock is on this CPU.
    pub fn on_this_cpu(&self, clock: TscClock) -> TscClock {
        clock.ahead_by(self.skew)
    }

    /// What the clock of this CPU is on the BSP, as far as the two were compared.
    pub fn on_the_bsp(&self, clock: TscClock) -> TscClock {
        match self.found.lock().offset {
            Some(Ok(offset)) => clock.ahead_by(offset.counts),
            _ => clock,
        }
    }

    /// The count that the CPU's clock shows now, on the CPU itself.
    fn count(&self) -> u64 {
        read_tsc().wrapping_add_signed(self.skew)
    }

    /// How the clock stands to the BSP's, for the times that the CPU noted on its last way up; `None`
    /// where that is not known.
    pub fn skew_to_bsp(&self, clock: TscClock) -> Option<ClockSkew> {
        let offset = self.found.lock().offset?.ok()?;
        Some(ClockSkew {
            ahead_ns: clock.signed_nanos_of(offset.counts),
            put_forward_ns: clock.signed_nanos_of(self.adjustment.put_forward()),
            uncertainty_ns: uncertainty_ns(clock, offset),
        })
    }

    /// The CPU was taken out of the machine: of one that comes in its place nothing is known.
    pub(crate) fn forget(&self) {
        *self.found.lock() = Found::NOTHING;
        self.adjustment.forget();
    }

    fn record(&self, clock: TscClock) -> record::Clock {
        let Found { offset, exchanges } = *self.found.lock();
        let comparable = offset.and_then(Result::ok);
        record::Clock {
            offset_ns: comparable.map(|offset| clock.signed_nanos_of(offset.counts)),
            uncertainty_ns: comparable.map(|offset| uncertainty_ns(clock, offset)),
            exchanges,
            tsc_adjust: self.adjustment.difference(),
            reason: match offset {
                Some(Ok(_)) => None,
                Some(Err(error)) => Some(error.to_string()),
                None => Some("it was not there to be asked".to_string()),
            },
        }
    }
}

/// What `fault=CPU:tsc=` asks for.
fn ticks_asked_for(flaws: &[FaultKind]) -> Option<i64> {
    flaws.iter().find_map(|flaw| match flaw {
        FaultKind::Tsc(ticks) => Some(*ticks),
        _ => None,
    })
}

/// Rounded up, with what the offset loses by its own rounding.
fn uncertainty_ns(clock: TscClock, offset: Offset) -> u64 {
    let rounding = u64::from(offset.counts != 0);
    clock
        .nanos_of(offset.uncertainty)
        .saturating_add(1 + rounding)
}

/// What was found of a CPU's clock. The BSP's is the measure.
pub fn record_of(area: &PerCpu, clock: TscClock) -> record::Clock {
    if area.index() == CpuIndex::BSP {
        return record::Clock {
            offset_ns: Some(0),
            uncertainty_ns: Some(0),
            ..record::Clock::default()
        };
    }
    area.clock().record(clock)
}

/// In the handler of an AP: it is asked what its clock shows. Neither locks nor allocates.
pub(crate) fn give(apic: LocalApic) {
    let clock = PerCpu::current().clock();
    if clock.line.give(|| clock.count())
        && let Some(bsp) = percpu::all().first()
    {
        // An answer of which the BSP does not hear is taken late.
        let _ = apic.send_fixed(bsp.apic_id(), Vector::CLOCK_GIVEN);
    }
}

/// The comparisons of a run.
pub struct Clocks {
    consistency: Consistency,
    clock: TscClock,
    apic: LocalApic,
    /// Those that were not written yet.
    checks: Mutex<Vec<record::ClockCheck>>,
}

impl Clocks {
    /// None yet.
    pub fn new(consistency: Consistency, clock: TscClock, apic: LocalApic) -> Self {
        Self {
            consistency,
            clock,
            apic,
            checks: Mutex::new(Vec::new()),
        }
    }

    /// Compares the clocks of those APs that are up and were not compared before, all at once. Takes
    /// no longer than [`session::DEADLINE`].
    pub async fn compare_new(&self, aps: &[Ap], timer: &reveille_executor::Timer) {
        if self.consistency == Consistency::Off {
            return;
        }
        // Whoever is alive takes interrupts, on whatever rung it rests.
        let is_up =
            |ap: &&Ap| matches!(ap.slot.state().load().stage(), Stage::Online | Stage::Alive);
        let is_new = |area: &&PerCpu| {
            let found = area.clock().found.lock();
            matches!(found.offset, None | Some(Err(Incomparable::NoAnswer)))
        };
        let areas = aps.iter().filter(is_up).filter_map(|ap| PerCpu::of(ap.cpu));
        let areas: Vec<_> = areas.filter(is_new).collect();
        if areas.is_empty() {
            return;
        }
        let session = session::compare(&areas, self.apic, timer).await;
        let tolerance = self.clock.tsc_hz() / TOLERANCES_A_SECOND;
        let mut check = record::ClockCheck {
            aps: areas.len() as u32,
            compared: 0,
            exchanges: 0,
            uncertainty_ns: None,
            duration_ns: session.duration.as_nanos() as u64,
        };
        for (area, estimate) in areas.iter().zip(session.estimates) {
            let offset = estimate.offset(tolerance);
            let exchanges = estimate.exchanges();
            check.exchanges += exchanges;
            if let Ok(offset) = offset {
                check.compared += 1;
                let uncertainty = uncertainty_ns(self.clock, offset);
                check.uncertainty_ns = check.uncertainty_ns.max(Some(uncertainty));
            }
            *area.clock().found.lock() = Found {
                offset: Some(offset),
                exchanges,
            };
        }
        self.checks.lock().push(check);
    }

    /// How the clock of an AP stands to the BSP's; see [`CpuClock::skew_to_bsp`].
    pub fn skew(&self, cpu: CpuIndex) -> Option<ClockSkew> {
        PerCpu::of(cpu)?.clock().skew_to_bsp(self.clock)
    }

    /// Writes the comparisons that were not written before, in their order.
    #[cfg(target_os = "none")]
    pub fn write(&self) {
        for check in core::mem::take(&mut *self.checks.lock()) {
            report::write(&record::Record::Clock(check));
        }
    }
}

/// Two clocks may miss each other by 0.1 µs before they are said not to run as one: readings of one
/// counter on two CPUs jitter by tens of nanoseconds where hypervisors scale it, and a clock of its own
/// is off by more within a session, or by 50 ppm of some milliseconds, which does not show.
const TOLERANCES_A_SECOND: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_keeps_its_sign_as_nanoseconds_and_is_as_certain_as_rounding_lets_it() {
        let clock = TscClock::new(3_000_000_000, 0);
        assert_eq!(
            [clock.signed_nanos_of(3_001), clock.signed_nanos_of(-3_001)],
            [1_000, -1_000]
        );
        let certain_to = |counts, uncertainty| {
            uncertainty_ns(
                clock,
                Offset {
                    counts,
                    uncertainty,
                },
            )
        };
        assert_eq!(
            [certain_to(0, 2_999), certain_to(-5, 2_999)],
            [1_000, 1_001]
        );
    }

    #[test]
    fn a_clock_without_a_flaw_shows_what_the_machine_shows() {
        let clock = TscClock::new(1_000_000_000, 5_000);
        let own = CpuClock::new(&[FaultKind::Pat]);
        assert_eq!(
            own.on_this_cpu(clock).instant_of(6_000),
            clock.instant_of(6_000)
        );
        assert!(own.skew_to_bsp(clock).is_none());
        assert!(own.record(clock).reason.is_some());
    }

    #[test]
    fn of_a_cpu_that_was_taken_out_nothing_is_known_any_more() {
        let clock = TscClock::new(1_000_000_000, 0);
        let own = CpuClock::new(&[]);
        let before = own.record(clock);
        *own.found.lock() = Found {
            offset: Some(Ok(Offset {
                counts: 7,
                uncertainty: 1,
            })),
            exchanges: 8,
        };
        assert_ne!(own.record(clock), before);
        own.forget();
        assert_eq!(own.record(clock), before);
        assert!(own.skew_to_bsp(clock).is_none());
    }
}
