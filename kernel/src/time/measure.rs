//! Measures the TSC against a counter whose rate is known.
//!
//! Under a hypervisor, the CPU may be taken away between any two instructions, for milliseconds.
//! Two things keep the figure right all the same. A sample reads the TSC before and after the
//! counter, several times, and keeps the tightest pair; and the result is the median of several
//! windows, so that one spoiled window, such as one in which a short counter went round unseen,
//! has no vote.

/// A counter that counts up at a known rate and wraps.
pub(crate) trait Counter {
    /// Ticks a second.
    fn hz(&self) -> u64;

    /// All ones in the bits that the counter has.
    fn mask(&self) -> u64;

    /// The ticks so far, modulo the mask.
    fn read(&mut self) -> u64;
}

/// How often the TSC is measured; odd, for a median.
const WINDOWS: usize = 3;

/// A window lasts at least 1 ms, of which the ±0.2 µs of a sample at each end are 0.04 %,
const MOST_WINDOWS_PER_SECOND: u64 = 1_000;

/// and at least so many ticks that one tick more or less is 0.03 %: 3 ms of the PIT.
const LEAST_WINDOW_TICKS: u64 = 3_600;

/// Tries for one sample.
const TRIES: u32 = 5;

/// Reads of one window. 3 ms are some 10,000 reads of a device at 0.3 µs, and about 150,000 under
/// QEMU's `-icount shift=0`, where an instruction is 1 ns and a device answers at once.
const MOST_READS: u32 = 1_000_000;

/// Reads in a row that may give the same ticks before the counter counts as stopped; the slowest
/// counter, the PIT at 838 ns a tick, gives up to 100 under `-icount shift=0`.
const MOST_EQUAL_READS: u32 = 2_000;

/// The frequency of `read_tsc`'s counter; `None` if the reference does not count, as an absent one.
pub(crate) fn measure_tsc(
    counter: &mut impl Counter,
    mut read_tsc: impl FnMut() -> u64,
) -> Option<u64> {
    let mut figures = [0; WINDOWS];
    for figure in &mut figures {
        *figure = measure_window(counter, &mut read_tsc)?;
    }
    figures.sort_unstable();
    Some(figures[WINDOWS / 2])
}

fn measure_window(counter: &mut impl Counter, read_tsc: &mut impl FnMut() -> u64) -> Option<u64> {
    let window_ticks = (counter.hz() / MOST_WINDOWS_PER_SECOND).max(LEAST_WINDOW_TICKS);
    let start = Sample::take(counter, read_tsc);
    wait(counter, start.ticks, window_ticks)?;
    let end = Sample::take(counter, read_tsc);
    let ticks = end.ticks.wrapping_sub(start.ticks) & counter.mask();
    let counts = end.tsc.checked_sub(start.tsc)?;
    let tsc_hz = (u128::from(counts) * u128::from(counter.hz())).checked_div(u128::from(ticks))?;
    u64::try_from(tsc_hz).ok()
}

/// Waits until the counter is `ticks` ahead of `start`; `None` if it does not get there.
fn wait(counter: &mut impl Counter, start: u64, ticks: u64) -> Option<()> {
    let mut last = start;
    let mut equal_reads = 0;
    for _ in 0..MOST_READS {
        let now = counter.read();
        if now.wrapping_sub(start) & counter.mask() >= ticks {
            return Some(());
        }
        equal_reads = if now == last { equal_reads + 1 } else { 0 };
        if equal_reads == MOST_EQUAL_READS {
            return None;
        }
        last = now;
    }
    None
}

/// Both counters at one moment.
struct Sample {
    ticks: u64,
    tsc: u64,
}

impl Sample {
    fn take(counter: &mut impl Counter, read_tsc: &mut impl FnMut() -> u64) -> Self {
        let mut tightest = u64::MAX;
        let mut sample = Self { ticks: 0, tsc: 0 };
        for _ in 0..TRIES {
            let before = read_tsc();
            let ticks = counter.read();
            let width = read_tsc().wrapping_sub(before);
            if width < tightest {
                tightest = width;
                sample = Self {
                    ticks,
                    tsc: before + width / 2,
                };
            }
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// A machine whose time passes with each look at a clock, and jumps when it is preempted.
    struct Machine {
        nanos: Cell<u64>,
        reads: Cell<u64>,
        /// Nanoseconds that one read takes.
        read_nanos: u64,
        /// After this many reads, the CPU is gone for so many nanoseconds.
        preempted: Option<(u64, u64)>,
    }

    impl Machine {
        const TSC_HZ: u64 = 2_596_122_000;

        fn new(read_nanos: u64, preempted: Option<(u64, u64)>) -> Self {
            Self {
                nanos: Cell::new(1 << 40),
                reads: Cell::new(0),
                read_nanos,
                preempted,
            }
        }

        fn look(&self, hz: u64) -> u64 {
            self.reads.set(self.reads.get() + 1);
            let away = self
                .preempted
                .filter(|at| at.0 == self.reads.get())
                .map_or(0, |at| at.1);
            self.nanos.set(self.nanos.get() + self.read_nanos + away);
            (u128::from(self.nanos.get()) * u128::from(hz) / 1_000_000_000) as u64
        }
    }

    struct Reference<'a> {
        machine: &'a Machine,
        hz: u64,
        mask: u64,
    }

    impl Counter for Reference<'_> {
        fn hz(&self) -> u64 {
            self.hz
        }

        fn mask(&self) -> u64 {
            self.mask
        }

        fn read(&mut self) -> u64 {
            self.machine.look(self.hz) & self.mask
        }
    }

    fn measure(machine: &Machine, hz: u64, mask: u64) -> Option<u64> {
        let mut reference = Reference { machine, hz, mask };
        measure_tsc(&mut reference, || machine.look(Machine::TSC_HZ))
    }

    #[track_caller]
    fn assert_right(measured: Option<u64>) {
        let measured = measured.expect("the counter counts");
        let error = measured.abs_diff(Machine::TSC_HZ);
        assert!(
            error < Machine::TSC_HZ / 1000,
            "{measured} Hz is off by more than 0.1 %"
        );
    }

    const PIT: (u64, u64) = (1_193_182, 0xffff);

    #[test]
    fn fast_and_slow_counters_give_the_same_figure() {
        for (hz, mask) in [PIT, (3_579_545, 0xff_ffff), (100_000_000, u64::MAX)] {
            for read_nanos in [20, 300, 9_000] {
                assert_right(measure(&Machine::new(read_nanos, None), hz, mask));
            }
        }
    }

    #[test]
    fn losing_the_cpu_within_a_sample_does_no_harm() {
        // The second look of the first sample's first try: between TSC and counter.
        assert_right(measure(
            &Machine::new(300, Some((2, 20_000_000))),
            PIT.0,
            PIT.1,
        ));
    }

    #[test]
    fn one_window_in_which_the_counter_went_round_unseen_has_no_vote() {
        // 54.9 ms of absence are one whole round of the PIT: the ticks look as if they were 0.
        for when in [20, 4_000, 12_000] {
            assert_right(measure(
                &Machine::new(300, Some((when, 54_900_000))),
                PIT.0,
                PIT.1,
            ));
        }
    }

    #[test]
    fn a_counter_that_stands_still_is_given_up() {
        let machine = Machine::new(300, None);
        assert_eq!(
            measure(&machine, 3_579_545, 0),
            None,
            "an absent device reads all ones"
        );
        assert!(machine.reads.get() < 10_000);
    }

    #[test]
    fn a_counter_that_creeps_is_given_up() {
        // It ticks, but so slowly that a window of its own ticks would take minutes.
        let machine = Machine::new(1, None);
        struct Creeping<'a>(Reference<'a>);
        impl Counter for Creeping<'_> {
            fn hz(&self) -> u64 {
                1_000_000_000_000
            }
            fn mask(&self) -> u64 {
                u64::MAX
            }
            fn read(&mut self) -> u64 {
                self.0.read()
            }
        }
        let reference = Reference {
            machine: &machine,
            hz: 100_000_000,
            mask: u64::MAX,
        };
        let measured = measure_tsc(&mut Creeping(reference), || machine.look(Machine::TSC_HZ));
        assert_eq!(measured, None);
    }
}
