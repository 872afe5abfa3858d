//! What a person sees of a bring-up: one line a CPU, one line for the whole, and the comparison of
//! the strategies. Made from the records, so that whoever has records can print it.

use core::fmt;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    explain::Explanations,
    lines::Parts,
    record::{Bringup, Cpu},
    trust::Trust,
};

/// A time for people: milliseconds with three significant digits, and never more than two
/// decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millis {
    /// The time in nanoseconds.
    pub nanos: u64,
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOS: u64 = 1_000_000;
        // Rounded to hundredths first, so that the choice of decimals sees what will be shown.
        let hundredths = self.nanos.saturating_add(NANOS / 200) / (NANOS / 100);
        let text = match hundredths {
            0..1_000 => alloc::format!("{}.{:02}", hundredths / 100, hundredths % 100),
            1_000..10_000 => {
                let tenths = self.nanos.saturating_add(NANOS / 20) / (NANOS / 10);
                alloc::format!("{}.{}", tenths / 10, tenths % 10)
            }
            _ => alloc::format!("{}", self.nanos.saturating_add(NANOS / 2) / NANOS),
        };
        f.pad(&text)
    }
}

/// A time for people: microseconds with as many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros {
    /// The time in nanoseconds.
    pub nanos: u64,
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As many nanoseconds as a microsecond has picoseconds.
        let nanos = self.nanos.saturating_mul(1_000);
        Millis { nanos }.fmt(f)
    }
}

/// `part / whole`, with as many digits as a time.
pub(crate) struct Ratio {
    pub(crate) part: u64,
    pub(crate) whole: u64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u128 = 1_000_000;
        let ratio = u128::from(self.part) * ONE / u128::from(self.whole.max(1));
        // A millisecond has as many nanoseconds as one has millionths.
        let nanos = u64::try_from(ratio).unwrap_or(u64::MAX);
        Millis { nanos }.fmt(f)
    }
}

/// The table of a round: one line a CPU, then a line for those that failed or were left out. Of
/// many neighbours that left no trace, only the first and the last have a line.
pub struct Table<'a>(pub &'a [Cpu]);

/// The longest run of neighbours without a trace that is shown line by line.
const LONGEST_SHOWN: usize = 8;

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = Widths::of(self.0);
        let Widths { apic, place } = widths;
        let is_by_mailbox = |cpu: &Cpu| cpu.sipi_ns.is_some() && cpu.init_ns.is_none();
        let first = match self.0.iter().any(is_by_mailbox) {
            true => "request",
            false => "INIT",
        };
        writeln!(
            f,
            "{:>1$}ms from the first {first} to",
            "",
            apic + place + 7
        )?;
        writeln!(
            f,
            " cpu {:>apic$} {:<place$}   sipi  real  long alive online sipis polls outcome",
            "apic", "place",
        )?;
        for alike in self.0.chunk_by(are_alike) {
            match alike {
                [first, hidden @ .., last] if alike.len() > LONGEST_SHOWN => {
                    row(f, first, widths)?;
                    let count = alloc::format!("({} more like these)", hidden.len());
                    writeln!(
                        f,
                        " ... {:>apic$} {count:<1$} {2}",
                        "...",
                        place + TIMES_WIDTH,
                        first.outcome
                    )?;
                    row(f, last, widths)?;
                }
                _ => alike.iter().try_for_each(|cpu| row(f, cpu, widths))?,
            }
        }
        Explanations(self.0).fmt(f)?;
        Trust(self.0).fmt(f)
    }
}

/// Whether two CPUs left no trace and ended the same way, so that one line says as much as two.
fn are_alike(a: &Cpu, b: &Cpu) -> bool {
    let left_no_trace = |cpu: &Cpu| {
        let times = [cpu.real_ns, cpu.long_ns, cpu.alive_ns, cpu.online_ns];
        times.iter().all(Option::is_none)
    };
    a.outcome == b.outcome && left_no_trace(a) && left_no_trace(b)
}

/// What lies between the place and the outcome.
const TIMES_WIDTH: usize = 44;

/// The widths of the columns that a strange id would break.
#[derive(Clone, Copy)]
struct Widths {
    apic: usize,
    place: usize,
}

impl Widths {
    fn of(cpus: &[Cpu]) -> Self {
        let apic = cpus.iter().map(|cpu| cpu.apic_id.to_string().len());
        let place = cpus.iter().filter_map(place).map(|place| place.len());
        Self {
            apic: apic.max().unwrap_or_default().max(6),
            place: place.max().unwrap_or_default().max(8),
        }
    }
}

/// Package, core and thread.
fn place(cpu: &Cpu) -> Option<String> {
    let (package, core, thread) = (cpu.package?, cpu.core?, cpu.thread?);
    Some(alloc::format!("{package}/{core}/{thread}"))
}

fn row(f: &mut fmt::Formatter<'_>, cpu: &Cpu, widths: Widths) -> fmt::Result {
    let Widths {
        apic: apic_width,
        place: place_width,
    } = widths;
    let time = |nanos: Option<u64>| Optional(nanos.map(|nanos| Millis { nanos }));
    let is_ap = cpu.sipis > 0;
    writeln!(
        f,
        "{:>4} {:>apic_width$} {:<place_width$} {:>6}{:>6}{:>6}{:>6}{:>7} {:>5} {:>5} {}",
        Optional(cpu.cpu),
        cpu.apic_id,
        Optional(place(cpu)),
        time(cpu.sipi_ns),
        time(cpu.real_ns),
        time(cpu.long_ns),
        time(cpu.alive_ns),
        time(cpu.online_ns),
        Optional(is_ap.then_some(cpu.sipis)),
        Optional(is_ap.then_some(cpu.polls)),
        cpu.outcome,
    )
}

/// A value or a dash, padded as the value would be.
struct Optional<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Optional<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
        }
    }
}

/// The line for the whole round, without an end of line. A question mark stands behind a time that is
/// taken from clocks which could not be compared.
pub struct Headline<'a>(pub &'a Bringup);

impl fmt::Display for Headline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bringup {
            strategy,
            aps,
            online,
            total_ns,
            online_ns,
            uncertainty_ns,
            ..
        } = self.0;
        if *aps == 0 {
            return write!(f, "bring-up: no APs to wake ({strategy})");
        }
        // Where no AP came online there is no headline figure; then the whole attempt's time stands.
        let (word, nanos) = match *online_ns {
            Some(nanos) => ("in", nanos),
            None => ("after", *total_ns),
        };
        let doubt = match online_ns.is_some() && uncertainty_ns.is_none() {
            true => "?",
            false => "",
        };
        write!(
            f,
            "bring-up: {online} of {aps} APs online {word} {} ms{doubt} ({strategy})",
            Millis { nanos }
        )
    }
}

/// Medians of several rounds side by side, without an end of line. Shown are the strategies' own
/// times, how many times slower than the first each other strategy is, and how many times slower
/// the first is than each yardstick.
pub struct Comparison {
    rounds: u32,
    strategies: Vec<(String, u64)>,
    yardsticks: Vec<(String, u64)>,
}

impl Comparison {
    /// A comparison over so many rounds.
    pub fn new(rounds: u32) -> Self {
        Self {
            rounds,
            strategies: Vec::new(),
            yardsticks: Vec::new(),
        }
    }

    /// Adds a strategy; the first one added is what the others are compared with.
    pub fn strategy(&mut self, name: &str, online_ns: &mut [u64]) {
        if let Some(median) = median(online_ns) {
            self.strategies.push((String::from(name), median));
        }
    }

    /// Adds something that the first strategy is measured against.
    pub fn yardstick(&mut self, name: &str, nanos: &mut [u64]) {
        if let Some(median) = median(nanos) {
            self.yardsticks.push((String::from(name), median));
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.rounds == 1 { "round" } else { "rounds" };
        let head = alloc::format!("{:10}{} {word}: ", "", self.rounds);
        let Some(((name, ours), others)) = self.strategies.split_first() else {
            if self.yardsticks.is_empty() {
                return write!(f, "{head}nothing came online");
            }
            let yardsticks = self.yardsticks.iter();
            let parts = yardsticks
                .map(|(name, nanos)| alloc::format!("{name} {} ms", Millis { nanos: *nanos }));
            return Parts::with_bars(&head, parts).fmt(f);
        };
        let strategies = others.iter().map(|(name, nanos)| {
            let (part, whole) = (*nanos, *ours);
            let ratio = Ratio { part, whole };
            alloc::format!("{name} {} ms, {ratio}x", Millis { nanos: *nanos })
        });
        let yardsticks = self.yardsticks.iter().map(|(name, nanos)| {
            let (part, whole) = (*ours, *nanos);
            let ratio = Ratio { part, whole };
            alloc::format!("{name} {} ms, x{ratio}", Millis { nanos: *nanos })
        });
        let own = alloc::format!("{name} {} ms", Millis { nanos: *ours });
        let parts = core::iter::once(own).chain(strategies).chain(yardsticks);
        Parts::with_bars(&head, parts).fmt(f)
    }
}

/// The middle value; of an even number the lower of the two in the middle, so that it is one that
/// was measured.
pub fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        outcome::Outcome,
    };

    fn millis(nanos: u64) -> String {
        Millis { nanos }.to_string()
    }

    #[test]
    fn milliseconds_keep_three_digits_and_at_most_two_decimals() {
        assert_eq!(millis(0), "0.00");
        assert_eq!(millis(4_999), "0.00");
        assert_eq!(millis(5_000), "0.01");
        assert_eq!(millis(1_424_000), "1.42");
        assert_eq!(millis(9_994_999), "9.99");
        assert_eq!(millis(9_995_000), "10.0");
        assert_eq!(millis(99_949_999), "99.9");
        assert_eq!(millis(99_996_000), "100");
        assert_eq!(millis(1_234_567_890), "1235");
    }

    fn cpu(number: Option<u32>, outcome: Outcome) -> Cpu {
        Cpu {
            cpu: number.map(CpuIndex),
            apic_id: ApicId(7),
            package: Some(0),
            core: Some(3),
            thread: Some(1),
            outcome,
            step: None,
            reason: None,
            sipis: 2,
            init_ns: Some(0),
            sipi_ns: Some(10_000),
            real_ns: Some(1_500_000),
            long_ns: None,
            alive_ns: None,
            online_ns: None,
            polls: 3,
            uncertainty_ns: Some(0),
            attempt: 0,
        }
    }

    #[test]
    fn the_table_says_what_its_times_are_counted_from() {
        let mut woken = cpu(Some(1), Outcome::Online);
        let counted = |cpu: &Cpu| {
            let table = Table(core::slice::from_ref(cpu)).to_string();
            String::from(table.lines().next().unwrap_or_default().trim())
        };
        assert_eq!(counted(&woken), "ms from the first INIT to");
        woken.init_ns = None;
        assert_eq!(counted(&woken), "ms from the first request to");
    }

    #[test]
    fn every_line_of_the_table_fits_80_columns_and_its_columns_stand_below_their_heads() {
        let mut wide = cpu(Some(4095), Outcome::Online);
        wide.apic_id = ApicId(131_071);
        wide.package = Some(15);
        wide.core = Some(127);
        wide.online_ns = Some(2_345_678_900);
        let table = Table(&[cpu(Some(1), Outcome::StuckLongMode), wide]).to_string();
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[..4].iter().all(|line| line.len() <= 80), "{table}");
        let end = |line: &str, word: &str| line.find(word).unwrap() + word.len();
        assert_eq!(end(lines[1], "real"), end(lines[2], "1.50"));
        assert_eq!(end(lines[1], "online"), end(lines[3], "2346"));
        assert_eq!(
            end(lines[1], "polls"),
            end(lines[2], "    3 stuck") - " stuck".len()
        );
    }

    #[test]
    fn strange_ids_widen_their_columns_and_nothing_leaves_its_own() {
        let mut strange = cpu(Some(4), Outcome::NeverStarted);
        strange.apic_id = ApicId(u32::MAX - 1);
        strange.package = Some(1_073_741_823);
        let table = Table(&[cpu(Some(1), Outcome::Online), strange]).to_string();
        let lines: Vec<_> = table.lines().collect();
        let end = |line: &str, word: &str| line.find(word).unwrap() + word.len();
        for (head, first, second) in [("apic", "     7", "4294967294"), ("real", "1.50", "1.50")] {
            assert_eq!(end(lines[1], head), end(lines[2], first), "{table}");
            assert_eq!(end(lines[1], head), end(lines[3], second), "{table}");
        }
    }

    #[test]
    fn the_explanations_follow_the_table() {
        let mut stuck = cpu(Some(2), Outcome::Failed);
        stuck.reason = Some("it did not finish the step in time".into());
        let table = Table(&[cpu(Some(1), Outcome::Online), stuck]).to_string();
        let sentences: Vec<_> = table.lines().skip(4).collect();
        assert_eq!(sentences.len(), 1);
        assert!(
            sentences[0].starts_with("CPU 2 (APIC 7): failed; it did not finish the step in time"),
            "{table}"
        );
    }

    #[test]
    fn many_neighbours_without_a_trace_are_folded_and_whoever_left_one_is_shown() {
        let silent = |number| {
            let mut silent = cpu(Some(number), Outcome::NeverStarted);
            silent.real_ns = None;
            silent
        };
        let rows = |cpus: &[Cpu]| {
            let table = Table(cpus).to_string();
            let rows = table.lines().skip(2);
            let rows = rows.take_while(|line| !line.starts_with("CPU"));
            rows.map(String::from).collect::<Vec<_>>()
        };
        let shown = u32::try_from(LONGEST_SHOWN).unwrap();
        let few: Vec<_> = (1..=shown).map(silent).collect();
        assert_eq!(rows(&few).len(), LONGEST_SHOWN);
        let many: Vec<_> = (1..=9_000).map(silent).collect();
        let folded = rows(&many);
        assert_eq!(folded.len(), 3, "{folded:?}");
        assert!(folded[1].contains("(8998 more like these)"), "{folded:?}");
        assert_eq!(
            folded[1].find("never-started"),
            folded[0].find("never-started"),
            "{folded:?}"
        );
        let mut parted = many;
        parted[4_000].real_ns = Some(1);
        assert_eq!(rows(&parted).len(), 7);
        parted[4_000] = silent(4_001);
        parted[4_000].outcome = Outcome::Late;
        assert_eq!(rows(&parted).len(), 7);
    }

    #[test]
    fn the_headline_has_the_last_online_time_or_how_long_it_was_tried_or_nobody_to_wake() {
        let told = |aps, online, online_ns, uncertainty_ns| {
            let bringup = Bringup {
                strategy: "parallel".into(),
                round: 0,
                aps,
                online,
                failed: aps - online,
                kick_ns: None,
                alive_ns: None,
                online_ns,
                total_ns: 2_015_000_000,
                polls: 0,
                spurious_polls: 0,
                doorbells: 0,
                uncertainty_ns,
                attempt: 0,
            };
            Headline(&bringup).to_string()
        };
        let headline = |aps, online, online_ns| told(aps, online, online_ns, Some(0));
        assert_eq!(
            headline(7, 6, Some(1_240_000)),
            "bring-up: 6 of 7 APs online in 1.24 ms (parallel)"
        );
        assert_eq!(
            headline(7, 0, None),
            "bring-up: 0 of 7 APs online after 2015 ms (parallel)"
        );
        assert_eq!(headline(0, 0, None), "bring-up: no APs to wake (parallel)");
        assert_eq!(
            told(7, 7, Some(1_240_000), None),
            "bring-up: 7 of 7 APs online in 1.24 ms? (parallel)"
        );
    }

    #[test]
    fn one_round_is_in_the_singular() {
        let mut comparison = Comparison::new(1);
        comparison.strategy("parallel", &mut [1_310_000]);
        assert_eq!(
            comparison.to_string(),
            "          1 round: parallel 1.31 ms"
        );
    }

    #[test]
    fn yardsticks_without_a_strategy_stand_by_themselves() {
        let mut comparison = Comparison::new(2);
        assert!(
            comparison
                .to_string()
                .ends_with("2 rounds: nothing came online")
        );
        comparison.yardstick("bare", &mut [1_150_000]);
        comparison.yardstick("floor", &mut [840_000, 850_000]);
        let text = comparison.to_string();
        assert!(
            text.ends_with("2 rounds: bare 1.15 ms | floor 0.84 ms"),
            "{text}"
        );
    }

    #[test]
    fn the_comparison_reads_like_the_readme_says() {
        let mut comparison = Comparison::new(9);
        comparison.strategy("parallel", &mut [1_310_000, 1_300_000, 9_000_000]);
        comparison.strategy("serial", &mut [9_800_000]);
        comparison.yardstick("bare", &mut [1_150_000]);
        comparison.yardstick("floor", &mut [840_000]);
        assert_eq!(
            comparison.to_string(),
            "          9 rounds: parallel 1.31 ms | serial 9.80 ms, 7.48x\n\
             \x20                   bare 1.15 ms, x1.14 | floor 0.84 ms, x1.56"
        );
        comparison.strategy("legacy", &mut [724_000_000]);
        assert_eq!(
            comparison.to_string(),
            "          9 rounds: parallel 1.31 ms | serial 9.80 ms, 7.48x\n\
             \x20                   legacy 724 ms, 553x | bare 1.15 ms, x1.14\n\
             \x20                   floor 0.84 ms, x1.56"
        );
    }

    #[test]
    fn a_median_is_a_value_that_was_measured() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3]), Some(3));
        assert_eq!(median(&mut [4, 1, 3, 2]), Some(2));
        assert_eq!(median(&mut [9, 1, 5]), Some(5));
    }
}
