//! What a person sees of the calls between all pairs of CPUs: of a few CPUs the round trips of each
//! pair, of many the pairs that are farthest apart; below that, how pairs compare that sit alike. It
//! fits 80 columns. Made from the records, so that whoever has records can print it.

use core::fmt;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    cpu::{CpuIndex, Place},
    record::{Ipi, Times},
    table::{Micros, median},
};

/// The table, with the end of the last line left out. `places` are those of the CPUs that were called,
/// where they are known.
pub struct IpiTable<'a> {
    /// The pairs.
    pub ipis: &'a [Ipi],
    /// Where CPUs sit.
    pub places: &'a BTreeMap<CpuIndex, Place>,
}

/// As many columns fit.
const MOST_COLUMNS: usize = 10;

/// So many of the pairs that are farthest apart are named.
const WORST: usize = 5;

/// Where the two CPUs of a pair sit to each other, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Apart {
    SameCore,
    SamePackage,
    OtherPackage,
    /// Nobody says where one of them sits.
    Unknown,
}

impl Apart {
    fn words(self) -> &'static str {
        match self {
            Self::SameCore => "same core",
            Self::SamePackage => "same package",
            Self::OtherPackage => "other package",
            Self::Unknown => "somewhere",
        }
    }
}

impl fmt::Display for IpiTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus: BTreeSet<CpuIndex> = self.ipis.iter().flat_map(|it| [it.from, it.to]).collect();
        let samples = self.ipis.iter().map(|it| it.samples).max();
        let (pairs, samples) = (self.ipis.len(), samples.unwrap_or_default());
        if pairs == 0 {
            return f.write_str("ipi: there is no pair of CPUs to measure");
        }
        let noun = if samples == 1 { "call" } else { "calls" };
        if let [one] = self.ipis {
            let Ipi { from, to, .. } = one;
            write!(f, "ipi: CPU {from} calls CPU {to}, {samples} {noun}, in us")?;
            return self.groups(f);
        }
        write!(f, "ipi: {pairs} pairs, {samples} {noun} each, in us")?;
        if cpus.len() <= MOST_COLUMNS {
            self.matrix(f, &cpus)?;
        } else {
            self.worst(f)?;
        }
        self.groups(f)
    }
}

impl IpiTable<'_> {
    /// A row for each caller, a column for each CPU that is called.
    fn matrix(&self, f: &mut fmt::Formatter<'_>, cpus: &BTreeSet<CpuIndex>) -> fmt::Result {
        let medians: BTreeMap<(CpuIndex, CpuIndex), String> = self
            .ipis
            .iter()
            .map(|it| ((it.from, it.to), p50(it.round_trip_ns.as_ref())))
            .collect();
        write!(f, "; medians of round trips:\nfrom\\to")?;
        cpus.iter().try_for_each(|to| write!(f, " {to:>6}"))?;
        for &from in cpus {
            write!(f, "\n{from:>7}")?;
            for &to in cpus {
                let median = medians.get(&(from, to)).map_or("-", |median| median);
                write!(f, " {median:>6}")?;
            }
        }
        Ok(())
    }

    /// The pairs with the longest medians.
    fn worst(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |it: &Ipi| it.round_trip_ns.as_ref().map(|times| times.spread.p50);
        let mut pairs: Vec<_> = self.ipis.iter().map(|it| (median(it), it)).collect();
        pairs.sort_by_key(|(median, _)| core::cmp::Reverse(*median));
        write!(f, "; the longest medians of round trips:")?;
        for (_, it) in pairs.iter().take(WORST) {
            let pair = format!("CPU {} to {}", it.from, it.to);
            write!(f, "\n  {pair:<18}{:>8}", p50(it.round_trip_ns.as_ref()))?;
        }
        Ok(())
    }

    /// How pairs compare that sit alike: the medians of their medians, and the longest of all.
    fn groups(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<Apart, Vec<&Ipi>> = BTreeMap::new();
        for ipi in self.ipis {
            groups.entry(self.apart(ipi)).or_default().push(ipi);
        }
        write!(
            f,
            "\n{:<14}{:>6}  queue to entry  send to entry  round trip    p99    max",
            "CPUs in", "pairs"
        )?;
        for (apart, pairs) in groups {
            let of = |times: fn(&Ipi) -> Option<&Times>| {
                let medians = pairs.iter().filter_map(|it| Some(times(it)?.spread.p50));
                micros(median(&mut medians.collect::<Vec<_>>()))
            };
            let trips = || pairs.iter().filter_map(|it| it.round_trip_ns.as_ref());
            let mut p99: Vec<_> = trips().map(|it| it.spread.p99).collect();
            write!(
                f,
                "\n{:<14}{:>6}{:>16}{:>15}{:>12}{:>7}{:>7}",
                apart.words(),
                pairs.len(),
                of(|it| it.queue_to_entry_ns.as_ref()),
                of(|it| it.send_to_entry_ns.as_ref()),
                of(|it| it.round_trip_ns.as_ref()),
                micros(median(&mut p99)),
                micros(trips().map(|it| it.spread.max).max()),
            )?;
        }
        Ok(())
    }

    fn apart(&self, ipi: &Ipi) -> Apart {
        let place = |cpu| self.places.get(&cpu);
        match (place(ipi.from), place(ipi.to)) {
            (Some(a), Some(b)) if a.package != b.package => Apart::OtherPackage,
            (Some(a), Some(b)) if a.core != b.core => Apart::SamePackage,
            (Some(_), Some(_)) => Apart::SameCore,
            _ => Apart::Unknown,
        }
    }
}

fn p50(times: Option<&Times>) -> String {
    micros(times.map(|times| times.spread.p50))
}

fn micros(nanos: Option<u64>) -> String {
    nanos.map_or_else(|| "-".into(), |nanos| Micros { nanos }.to_string())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn times(nanos: u64) -> Option<Times> {
        Times::of(&mut [nanos, nanos, 2 * nanos])
    }

    fn ipi(from: u32, to: u32) -> Ipi {
        let nanos = 40_000 + u64::from(1_000 * from + 100 * to);
        Ipi {
            from: CpuIndex(from),
            to: CpuIndex(to),
            samples: 3,
            queue_to_entry_ns: times(nanos / 2),
            send_to_entry_ns: times(nanos / 3),
            round_trip_ns: times(nanos),
            uncertainty_ns: Some(500),
        }
    }

    fn all_pairs(cpus: u32) -> Vec<Ipi> {
        let pairs = (0..cpus).flat_map(|from| (0..cpus).map(move |to| (from, to)));
        let pairs = pairs.filter(|(from, to)| from != to);
        pairs.map(|(from, to)| ipi(from, to)).collect()
    }

    /// Two threads a core, and so many cores a package.
    fn places(cpus: u32, cores: u32) -> BTreeMap<CpuIndex, Place> {
        let place = |cpu| Place {
            package: cpu / (2 * cores),
            core: cpu / 2 % cores,
            thread: cpu % 2,
        };
        (0..cpus).map(|cpu| (CpuIndex(cpu), place(cpu))).collect()
    }

    fn table(ipis: &[Ipi], places: &BTreeMap<CpuIndex, Place>) -> String {
        let table = IpiTable { ipis, places }.to_string();
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        table
    }

    #[test]
    fn of_a_few_cpus_every_pair_is_shown() {
        let mut ipis = all_pairs(3);
        ipis[5].queue_to_entry_ns = None;
        ipis[5].round_trip_ns = None;
        let table = table(&ipis, &places(3, 4));
        let expected = [
            "ipi: 6 pairs, 3 calls each, in us; medians of round trips:",
            "from\\to      0      1      2",
            "      0      -   40.1   40.2",
            "      1   41.0      -   41.2",
            "      2   42.0      -      -",
            "CPUs in        pairs  queue to entry  send to entry  round trip    p99    max",
            "same core          2            20.1           13.4        40.1   80.2   82.0",
            "same package       4            20.6           13.7        41.2   82.4   84.0",
        ];
        assert!(table.lines().eq(expected), "{table}");
    }

    #[test]
    fn eight_cpus_fit_and_of_many_only_the_worst_pairs_are_named() {
        let eight = table(&all_pairs(8), &places(8, 2));
        assert_eq!(eight.lines().count(), 1 + 9 + 1 + 3, "{eight}");
        let many = table(&all_pairs(64), &places(64, 8));
        let lines: Vec<_> = many.lines().collect();
        assert_eq!(lines.len(), 1 + WORST + 1 + 3, "{many}");
        assert_eq!(lines[1], "  CPU 63 to 62           109");
        assert!(many.contains("\nother package   3072 "), "{many}");
    }

    #[test]
    fn one_cpu_has_no_pairs_and_one_call_is_not_several() {
        let none = table(&[], &BTreeMap::new());
        assert_eq!(none, "ipi: there is no pair of CPUs to measure");
        let mut once = all_pairs(2);
        once.iter_mut().for_each(|it| it.samples = 1);
        assert!(table(&once, &BTreeMap::new()).starts_with("ipi: 2 pairs, 1 call each, in us"));
        let alone = table(&all_pairs(2)[..1], &BTreeMap::new());
        let (first, rest) = alone.split_once('\n').unwrap();
        assert!(first.starts_with("ipi: CPU 0 calls CPU 1, "), "{alone}");
        assert!(
            rest.starts_with("CPUs in"),
            "no matrix of one pair: {alone}"
        );
    }

    #[test]
    fn where_nobody_says_where_cpus_sit_they_are_one_group() {
        let table = table(&all_pairs(2), &BTreeMap::new());
        assert!(table.contains("\nsomewhere          2 "), "{table}");
    }
}
