//! The local APIC's timer, as an alarm for one instant.
//!
//! Where the CPU offers it, the alarm is set as a value of the TSC ("TSC-deadline mode"), which
//! needs no rate of its own. Else the timer counts down at a rate that is found out once, on the
//! BSP, and taken to be the same for all CPUs.
//!
//! It may ring early: when the instant is further away than the count-down reaches, or by as much
//! as the rate is off. `alarm.rs` keeps account of that. It never rings late because of how it was
//! set.

use core::{arch::asm, time::Duration};

use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_executor::{Clock, Instant};
use reveille_smp::step::{Run, Section, Site, Step, StepError};
use x86_64::registers::model_specific::Msr;

use super::{
    ApicError, LocalApic,
    register::{LVT_MASKED, Register},
};
use crate::{
    alarm::Timer,
    cpuid::{Cpuid, Features, ThisCpu},
    interrupts::vectors::Vector,
    ladder::STEPS,
    percpu::PerCpu,
    time::{Counter, TscClock, measure_tsc, read_tsc},
};

#[distributed_slice(STEPS)]
static TIMER: &dyn Step = &PrepareTimer;

/// The AP's timer is ready to be set.
struct PrepareTimer;

impl PrepareTimer {
    fn prepare() -> Result<(), StepError> {
        let timer = ApicTimer::get().ok_or(StepError::Unsupported)?;
        PerCpu::current().alarm().prepare(&timer);
        match timer.is_prepared() {
            true => Ok(()),
            false => Err(StepError::Unsupported),
        }
    }
}

impl Step for PrepareTimer {
    fn name(&self) -> &'static str {
        "timer"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        30
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Self::prepare().into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        if let Some(timer) = ApicTimer::get() {
            PerCpu::current().alarm().stop(&timer);
        }
        Run::Now(Ok(()))
    }
}

/// An alarm clock; the same value serves the timers of all CPUs.
#[derive(Clone, Copy, Debug)]
pub struct ApicTimer {
    apic: LocalApic,
    clock: TscClock,
    mode: Mode,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    TscDeadline,
    CountDown { ticks_per_second: u64 },
}

/// IA32_TSC_DEADLINE: the TSC value to ring at; 0 for none.
const TSC_DEADLINE: Msr = Msr::new(0x6e0);

/// Local vector table, bits 17 and 18: the timer's mode. One-shot is 0.
const LVT_TSC_DEADLINE: u32 = 0b10 << 17;

/// Local vector table, bit 12: an interrupt has been raised and not been accepted yet.
const LVT_DELIVERY_PENDING: u32 = 1 << 12;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Divide configuration: the timer runs at the bus's full rate.
const DIVIDE_BY_1: u32 = 0b1011;

/// Set by the BSP before it starts an AP.
static APIC_TIMER: OnceCell<ApicTimer> = OnceCell::uninit();

impl ApicTimer {
    /// The timer, once the BSP has set it up.
    pub fn get() -> Option<Self> {
        APIC_TIMER.try_get().ok().copied()
    }

    /// Chooses the mode, and finds out the timer's rate if it is needed. To be called on the BSP.
    ///
    /// # Errors
    ///
    /// [`ApicError::TimerStopped`] if the timer has no mode but the count-down and does not count.
    pub fn set_up(apic: LocalApic, clock: TscClock) -> Result<Self, ApicError> {
        let mode = if Features::of(&ThisCpu).has_tsc_deadline() {
            Mode::TscDeadline
        } else {
            Mode::CountDown {
                ticks_per_second: rate(apic, clock)?,
            }
        };
        let timer = Self { apic, clock, mode };
        APIC_TIMER.init_once(|| timer);
        Ok(timer)
    }

    /// The same timer, set by another clock of its CPU.
    pub fn by(self, clock: TscClock) -> Self {
        Self { clock, ..self }
    }

    /// Whether it takes values of the TSC, which every CPU then must.
    pub fn uses_tsc_deadline(&self) -> bool {
        matches!(self.mode, Mode::TscDeadline)
    }

    /// What the timer's entry of the local vector table is while it can ring.
    fn entry(&self) -> u32 {
        let vector = Vector::TIMER.as_u32();
        match self.mode {
            Mode::TscDeadline => vector | LVT_TSC_DEADLINE,
            Mode::CountDown { .. } => vector,
        }
    }

    /// Whether the timer of this CPU has taken what [`prepare`](Timer::prepare) wrote.
    fn is_prepared(&self) -> bool {
        self.apic.read(Register::LvtTimer) & !LVT_DELIVERY_PENDING == self.entry()
    }
}

/// Each call acts on the timer of the CPU that makes it, whose APIC must be enabled.
impl Timer for ApicTimer {
    /// Makes the timer raise [`Vector::TIMER`].
    fn prepare(&self) {
        match self.mode {
            Mode::TscDeadline => {
                self.apic.write(Register::LvtTimer, self.entry());
                // In xAPIC mode that was a write to memory, and WRMSR does not wait for it: the
                // deadline might come before the mode in which it counts (SDM volume 3,
                // "TSC-Deadline Mode").
                // SAFETY: a fence.
                unsafe { asm!("mfence", options(nostack, preserves_flags)) };
            }
            Mode::CountDown { .. } => {
                self.apic.write(Register::TimerDivide, DIVIDE_BY_1);
                self.apic.write(Register::LvtTimer, self.entry());
            }
        }
    }

    fn stop(&self) {
        match self.mode {
            Mode::TscDeadline => {
                let mut register = TSC_DEADLINE;
                // SAFETY: CPUID says that the MSR is there; 0 disarms the timer.
                unsafe { register.write(0) };
            }
            Mode::CountDown { .. } => self.apic.write(Register::TimerInitialCount, 0),
        }
        self.apic.write(Register::LvtTimer, LVT_MASKED);
    }

    fn arm(&self, at: Instant) -> Instant {
        match self.mode {
            Mode::TscDeadline => {
                // 0 would mean none.
                let count = self.clock.count_at(at).max(1);
                let mut register = TSC_DEADLINE;
                // SAFETY: CPUID says that the MSR is there; it raises an interrupt for which the
                // IDT has a handler.
                unsafe { register.write(count) };
                at
            }
            Mode::CountDown { ticks_per_second } => {
                let now = self.clock.now();
                let ticks = ticks_in(at - now, ticks_per_second);
                self.apic.write(Register::TimerInitialCount, ticks);
                at.min(now + time_of(ticks, ticks_per_second))
            }
        }
    }
}

/// The count-down for a span: rounded up, so that it does not ring early by a fraction; at least 1,
/// since 0 means no alarm; at most what the register holds.
fn ticks_in(span: Duration, ticks_per_second: u64) -> u32 {
    /// The longest count-down lasts less than this at any rate above 1 MHz.
    const LONGEST: Duration = Duration::from_secs(4295);
    let nanos = span.min(LONGEST).as_nanos() as u64;
    // 4,295 s at 4 GHz, in whole seconds and the rest: no product exceeds 64 bits.
    let (seconds, rest) = (nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    let ticks = seconds * ticks_per_second + (rest * ticks_per_second).div_ceil(NANOS_PER_SECOND);
    u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
}

/// How long a count-down lasts, rounded up.
fn time_of(ticks: u32, ticks_per_second: u64) -> Duration {
    // 2^32 ticks times 10^9 stay below 2^62.
    Duration::from_nanos((u64::from(ticks) * NANOS_PER_SECOND).div_ceil(ticks_per_second))
}

/// Ticks a second of the count-down.
fn rate(apic: LocalApic, clock: TscClock) -> Result<u64, ApicError> {
    // QEMU's own APIC ticks once a nanosecond (`APIC_BUS_CYCLE_NS`). It must not be measured: in
    // x2APIC mode, reading the count ends QEMU with "Bad icount read" when it runs under -icount.
    if ThisCpu.is_translated() {
        return Ok(1_000_000_000);
    }
    apic.write(Register::LvtTimer, LVT_MASKED);
    apic.write(Register::TimerDivide, DIVIDE_BY_1);
    apic.write(Register::TimerInitialCount, u32::MAX);
    // What the TSC's frequency would be, did the timer run at the rate that `CountDown` states.
    let apparent_tsc_hz = measure_tsc(&mut CountDown(apic), read_tsc);
    apic.write(Register::TimerInitialCount, 0);
    let apparent_tsc_hz = apparent_tsc_hz.ok_or(ApicError::TimerStopped)?;
    Ok(
        (u128::from(CountDown::STATED_HZ) * u128::from(clock.tsc_hz())
            / u128::from(apparent_tsc_hz)) as u64,
    )
}

/// The timer's count as a counter whose true rate is to be found out.
struct CountDown(LocalApic);

impl CountDown {
    /// Real ones run at 10 MHz to 1 GHz: so a window of the measurement is long enough for the
    /// fastest, and not too long for the slowest.
    const STATED_HZ: u64 = 100_000_000;
}

impl Counter for CountDown {
    fn hz(&self) -> u64 {
        Self::STATED_HZ
    }

    fn mask(&self) -> u64 {
        u32::MAX.into()
    }

    fn read(&mut self) -> u64 {
        u64::from(!self.0.read(Register::TimerCurrentCount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU_HZ: u64 = 1_000_000_000;

    #[test]
    fn an_alarm_in_the_past_rings_at_once_instead_of_never() {
        assert_eq!(ticks_in(Duration::ZERO, QEMU_HZ), 1);
    }

    #[test]
    fn a_fraction_of_a_tick_counts_as_a_whole_one() {
        assert_eq!(ticks_in(Duration::from_nanos(1001), 1_000_000), 2);
        assert_eq!(ticks_in(Duration::from_micros(7), QEMU_HZ), 7000);
    }

    #[test]
    fn a_count_down_lasts_as_long_as_it_was_set_for_up_to_a_tick() {
        assert_eq!(time_of(7000, QEMU_HZ), Duration::from_micros(7));
        assert_eq!(time_of(2, 1_000_000), Duration::from_micros(2));
        assert_eq!(
            time_of(u32::MAX, QEMU_HZ),
            Duration::from_nanos(4_294_967_295)
        );
        assert_eq!(time_of(1, 3), Duration::from_nanos(333_333_334));
    }

    #[test]
    fn a_far_alarm_is_cut_to_what_the_register_holds() {
        assert_eq!(ticks_in(Duration::from_secs(5), QEMU_HZ), u32::MAX);
        assert_eq!(ticks_in(Duration::MAX, 4_000_000_000), u32::MAX);
        assert_eq!(ticks_in(Duration::from_secs(4), QEMU_HZ), 4_000_000_000);
    }
}
