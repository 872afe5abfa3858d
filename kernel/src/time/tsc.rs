//! The clock: counts of the TSC as instants.

use core::{arch::asm, ops::RangeInclusive};

use conquer_once::spin::OnceCell;
use reveille_executor::{Clock, Instant};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// From 100 MHz to 100 GHz: no CPU with long mode counts slower, and none faster.
pub(super) const PLAUSIBLE_HZ: RangeInclusive<u64> = 100_000_000..=100_000_000_000;

/// Reads this CPU's time stamp counter, after all that comes before in the program.
pub fn read_tsc() -> u64 {
    let (high, low): (u32, u32);
    // SAFETY: both instructions are in every CPU with long mode, and touch no memory. Without the
    // fence the count may be taken before an earlier load is done (SDM volume 2, RDTSC).
    unsafe {
        asm!("lfence", "rdtsc", out("edx") high, out("eax") low, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Turns counts into nanoseconds and back by a multiplication and a shift each.
///
/// The epoch is a count that the owner chooses. Counts of other CPUs are converted alike: the TSCs
/// of a machine run as one on all hypervisors and on CPUs with an invariant TSC, and INIT does not
/// touch them. By how much they differ all the same is measured (`consistency/clock/`), and what is
/// told of times is corrected by that.
#[derive(Clone, Copy, Debug)]
pub struct TscClock {
    epoch: u64,
    /// How many counts more than its TSC shows this clock takes it to show.
    ahead: i64,
    tsc_hz: u64,
    /// Nanoseconds a count, times 2^`NANOS_SHIFT`.
    nanos_per_count: u64,
    /// Counts a nanosecond by the *rounded* factor above, times 2^`count_shift`, rounded up: so
    /// the count of an instant, turned back, is never before that instant.
    counts_per_nano: u64,
    count_shift: u32,
}

/// Set by the BSP before it starts an AP.
static CLOCK: OnceCell<TscClock> = OnceCell::uninit();

impl TscClock {
    /// Makes this the clock of the machine, unless there is one.
    pub fn publish(self) {
        CLOCK.init_once(|| self);
    }

    /// The clock of the machine, once it is known.
    pub fn get() -> Option<Self> {
        CLOCK.try_get().ok().copied()
    }

    /// Keeps the factor's rounding error below 2^-33 for all plausible frequencies: 1 s in 270
    /// years.
    const NANOS_SHIFT: u32 = 40;

    /// A clock over a TSC of a frequency, whose epoch is at a count.
    ///
    /// # Panics
    ///
    /// If the frequency is not plausible; [`calibrate`](super::calibrate) gives none such.
    pub fn new(tsc_hz: u64, epoch: u64) -> Self {
        assert!(
            PLAUSIBLE_HZ.contains(&tsc_hz),
            "a TSC of {tsc_hz} Hz is impossible"
        );
        let nanos_per_count =
            ((u128::from(NANOS_PER_SECOND) << Self::NANOS_SHIFT) / u128::from(tsc_hz)) as u64;
        // The most bits that the inverse, 2^(NANOS_SHIFT + shift) / factor, can have in 64.
        let count_shift = 62 + nanos_per_count.ilog2() - Self::NANOS_SHIFT;
        let counts_per_nano = (1_u128 << (Self::NANOS_SHIFT + count_shift))
            .div_ceil(u128::from(nanos_per_count)) as u64;
        Self {
            epoch,
            ahead: 0,
            tsc_hz,
            nanos_per_count,
            counts_per_nano,
            count_shift,
        }
    }

    /// The same clock on a CPU whose TSC is to be so many counts ahead, or behind. Its alarms ring as
    /// this clock says.
    pub fn ahead_by(self, counts: i64) -> Self {
        Self {
            ahead: counts,
            ..self
        }
    }

    /// Counts a second.
    pub fn tsc_hz(&self) -> u64 {
        self.tsc_hz
    }

    /// The nanoseconds of a span of counts.
    pub fn nanos_of(&self, counts: u64) -> u64 {
        let nanos = (u128::from(counts) * u128::from(self.nanos_per_count)) >> Self::NANOS_SHIFT;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// The nanoseconds of a difference of counts.
    pub fn signed_nanos_of(&self, counts: i64) -> i64 {
        let span = self.nanos_of(counts.unsigned_abs());
        let span = i64::try_from(span).unwrap_or(i64::MAX);
        if counts < 0 { -span } else { span }
    }

    /// The instant of a count of any CPU's TSC; the epoch if the count is before it.
    pub fn instant_of(&self, tsc: u64) -> Instant {
        let tsc = tsc.saturating_add_signed(self.ahead);
        Instant::from_nanos(self.nanos_of(tsc.saturating_sub(self.epoch)))
    }

    /// The first count at which [`instant_of`](Self::instant_of) has reached an instant;
    /// `u64::MAX` if that is beyond all counts.
    pub fn count_at(&self, instant: Instant) -> u64 {
        let scaled = u128::from(instant.as_nanos()) * u128::from(self.counts_per_nano);
        let counts = scaled.div_ceil(1 << self.count_shift);
        let count = u64::try_from(counts).map(|counts| counts.saturating_add(self.epoch));
        match count {
            Ok(count) if count < u64::MAX => {
                count.saturating_add_signed(0_i64.saturating_sub(self.ahead))
            }
            _ => u64::MAX,
        }
    }
}

impl Clock for TscClock {
    fn now(&self) -> Instant {
        self.instant_of(read_tsc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREQUENCIES: [u64; 5] = [
        100_000_000,
        1_000_000_000,
        2_596_122_000,
        3_999_999_937,
        100_000_000_000,
    ];

    #[test]
    fn a_second_of_counts_is_a_second() {
        for tsc_hz in FREQUENCIES {
            let clock = TscClock::new(tsc_hz, 12_345);
            let nanos = clock.instant_of(12_345 + tsc_hz).as_nanos();
            assert!(
                (999_999_999..=NANOS_PER_SECOND).contains(&nanos),
                "{tsc_hz} Hz: {nanos}"
            );
        }
    }

    #[test]
    fn a_hundred_days_are_exact_to_a_millisecond() {
        let seconds = 100 * 24 * 3600;
        let clock = TscClock::new(2_596_122_000, 0);
        let nanos = clock.instant_of(2_596_122_000 * seconds).as_nanos();
        assert!(
            nanos.abs_diff(seconds * NANOS_PER_SECOND) < 1_000_000,
            "{nanos}"
        );
    }

    #[test]
    fn the_count_of_an_instant_is_the_first_that_has_reached_it() {
        for tsc_hz in FREQUENCIES {
            let clock = TscClock::new(tsc_hz, 777);
            for nanos in [0, 1, 2, 999, 1_000_003, 59_999_999_999, 123_456_789_012_345] {
                let instant = Instant::from_nanos(nanos);
                let count = clock.count_at(instant);
                assert!(
                    clock.instant_of(count) >= instant,
                    "{tsc_hz} Hz, {nanos} ns: too early"
                );
                // One count of slack for the rounding of the two factors.
                let before = clock.instant_of(count.saturating_sub(2));
                assert!(
                    before < instant || nanos == 0,
                    "{tsc_hz} Hz, {nanos} ns: too late"
                );
            }
        }
    }

    #[test]
    fn counts_before_the_epoch_are_the_epoch() {
        // Another CPU's TSC may lag a little.
        let clock = TscClock::new(1_000_000_000, 5_000);
        assert_eq!(clock.instant_of(4_999), Instant::ZERO);
    }

    #[test]
    fn the_far_ends_saturate() {
        for tsc_hz in FREQUENCIES {
            let clock = TscClock::new(tsc_hz, 9);
            assert!(clock.instant_of(u64::MAX) > Instant::from_nanos(1));
            assert!(clock.count_at(Instant::MAX) > 9);
        }
        assert_eq!(
            TscClock::new(100_000_000, 0).instant_of(u64::MAX),
            Instant::MAX
        );
        assert_eq!(
            TscClock::new(2_000_000_000, 0).count_at(Instant::MAX),
            u64::MAX
        );
    }

    #[test]
    fn a_clock_that_is_ahead_shows_more_and_is_waited_for_less() {
        for ahead in [10_000_i64, -10_000] {
            let clock = TscClock::new(1_000_000_000, 50_000);
            let skewed = clock.ahead_by(ahead);
            let nanos = skewed.instant_of(100_000).as_nanos();
            assert_eq!(nanos, 50_000_u64.saturating_add_signed(ahead));
            let count = skewed.count_at(Instant::from_nanos(nanos));
            assert!(skewed.instant_of(count) >= Instant::from_nanos(nanos));
            assert!(count.abs_diff(100_000) < 2, "{count}");
            assert_eq!(skewed.count_at(Instant::MAX), u64::MAX);
        }
    }

    #[test]
    fn this_machine_counts_forwards() {
        let first = read_tsc();
        assert!(read_tsc() >= first);
    }
}
