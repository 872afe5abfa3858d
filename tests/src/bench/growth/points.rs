//! From boots to a point a size. The unit is the boot: each gives a value, and the size has their median.
//!
//! Boots during which others used the host are left out wherever there are others of the kind, as beside Linux
//! (`linux::figures`); where there are none, they stand and are said to be busy.

use reveille_smp::table::median;

use super::{fit::Point, plan::Kind};
use crate::bench::{
    results::{Results, Run},
    stats::median::{Interval, Median, lower_middle},
};

/// The name under which a run has what APs take of the guest's memory.
pub const MEMORY: &str = "memory";

/// What a number of CPUs costs. `None` is what no boot told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// CPUs, the boot processor among them.
    pub cpus: u32,
    /// Boots of the kind that has the fewest.
    pub boots: u32,
    /// Those, of all kinds, during which others used the host.
    pub busy: u32,
    /// So many of the busy ones are in no figure, as there are others.
    pub left_out: u32,
    /// The boot's own bring-up, which is cold.
    pub cold_ns: Option<u64>,
    /// Rounds behind it, which are warm: the median of boots, each of which is the median of its rounds.
    pub warm_ns: Option<u64>,
    /// Guest memory that is in use for APs.
    pub guest_bytes: Option<u64>,
    /// The most that QEMU had resident.
    pub rss_bytes: Option<u64>,
    /// CPU time of QEMU, a boot.
    pub cpu_ns: Option<u64>,
    /// What of that is beyond a boot of the same machine that wakes nobody.
    pub ap_cpu_ns: Option<i64>,
    /// By how much that differs from boot to boot: half of the spread of the middle half.
    pub cpu_noise_ns: Option<u64>,
}

/// A quantity that may grow with the APs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// [`Size::warm_ns`].
    Warm,
    /// [`Size::cold_ns`].
    Cold,
    /// [`Size::guest_bytes`].
    Guest,
    /// [`Size::rss_bytes`].
    Host,
    /// [`Size::ap_cpu_ns`].
    Cpu,
}

impl Quantity {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Warm, Self::Cold, Self::Guest, Self::Host, Self::Cpu];

    /// Its value for a size, if it is one.
    ///
    /// CPU time that does not stand out of the noise of what it is a difference of is none.
    fn of(self, size: &Size) -> Option<f64> {
        let value = match self {
            Self::Warm => size.warm_ns? as f64,
            Self::Cold => size.cold_ns? as f64,
            Self::Guest => size.guest_bytes? as f64,
            Self::Host => size.rss_bytes? as f64,
            Self::Cpu => {
                const STANDS_OUT: i64 = 4;
                let (value, noise) = (size.ap_cpu_ns?, size.cpu_noise_ns?);
                let noise = i64::try_from(noise).unwrap_or(i64::MAX);
                (value > noise.saturating_mul(STANDS_OUT)).then_some(value as f64)?
            }
        };
        (value > 0.0).then_some(value)
    }

    /// The points of these sizes.
    pub fn points(self, sizes: &[Size]) -> Vec<Point> {
        let with_aps = sizes.iter().filter(|size| size.cpus > 1);
        let point = |size: &Size| {
            Some(Point {
                aps: f64::from(size.cpus - 1),
                value: self.of(size)?,
            })
        };
        with_aps.filter_map(point).collect()
    }
}

/// The sizes of these results, smallest first.
pub fn sizes(results: &Results) -> Vec<Size> {
    let mut all: Vec<u32> = results.header.plan.iter().map(|it| it.smp.cpus()).collect();
    all.sort_unstable();
    all.dedup();
    let of_size = |&cpus: &u32| size(cpus, results);
    all.iter().map(of_size).collect()
}

/// What is behind the median of a quantity for a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behind {
    /// So many boots tell of it and stand. They are fewer than [`Size::boots`] where the host was busy in some.
    pub boots: usize,
    /// Where the median lies; `None` where fewer than two boots tell.
    pub interval: Option<Interval>,
}

/// The boots behind the median of a quantity for a size.
pub fn behind(quantity: Quantity, cpus: u32, results: &Results) -> Behind {
    let values = Boots::of(cpus, results).values();
    let time = |values: Vec<u64>| values.into_iter().map(|it| it as f64).collect();
    let values: Vec<f64> = match quantity {
        Quantity::Warm => time(values.warm_ns),
        Quantity::Cold => time(values.cold_ns),
        Quantity::Guest => time(values.guest_bytes),
        Quantity::Host => time(values.rss_bytes),
        Quantity::Cpu => values.ap_cpu_ns.into_iter().map(|it| it as f64).collect(),
    };
    Behind {
        boots: values.len(),
        interval: Median::of(&values).and_then(|it| it.interval),
    }
}

fn size(cpus: u32, results: &Results) -> Size {
    let boots = Boots::of(cpus, results);
    let kinds: Vec<&[&Run]> = match cpus {
        1 => vec![&boots.boot],
        _ => vec![&boots.boot, &boots.alone, &boots.with_rounds],
    };
    let fewest = kinds.iter().map(|runs| runs.len() as u32).min();
    let all = || kinds.iter().flat_map(|runs| runs.iter());
    let busy = all().filter(|run| run.load.busy).count() as u32;
    let stand: usize = kinds.iter().map(|runs| quiet(runs).len()).sum();
    let left_out = all().count() - stand;
    let values = boots.values();
    Size {
        cpus,
        boots: fewest.unwrap_or_default(),
        busy,
        left_out: left_out as u32,
        cold_ns: of_all(values.cold_ns),
        warm_ns: of_all(values.warm_ns),
        guest_bytes: of_all(values.guest_bytes),
        rss_bytes: of_all(values.rss_bytes),
        cpu_ns: of_all(values.cpu_ns),
        ap_cpu_ns: lower_middle(&values.ap_cpu_ns),
        cpu_noise_ns: half_of_the_middle(&values.ap_cpu_ns),
    }
}

/// The boots of a size that are ok, by their kinds.
struct Boots<'a> {
    boot: Vec<&'a Run>,
    alone: Vec<&'a Run>,
    with_rounds: Vec<&'a Run>,
}

/// What they tell, a value a boot.
struct Values {
    cold_ns: Vec<u64>,
    warm_ns: Vec<u64>,
    guest_bytes: Vec<u64>,
    rss_bytes: Vec<u64>,
    cpu_ns: Vec<u64>,
    /// In their order.
    ap_cpu_ns: Vec<i64>,
}

impl<'a> Boots<'a> {
    fn of(cpus: u32, results: &'a Results) -> Self {
        let rounds = results.header.rounds;
        let of = |kind: Kind| -> Vec<&Run> {
            let is_it = |run: &&Run| {
                run.machine.smp.cpus() == cpus
                    && Kind::of_machine(&run.machine, rounds) == Some(kind)
            };
            results.ok_runs().filter(is_it).collect()
        };
        Self {
            boot: of(Kind::Boot),
            alone: of(Kind::Alone),
            with_rounds: of(Kind::Rounds(rounds)),
        }
    }

    fn values(&self) -> Values {
        let mut beyond = beyond(&self.boot, &self.alone);
        beyond.sort_unstable();
        let boot = quiet(&self.boot);
        let warm = quiet(&self.with_rounds).into_iter().filter_map(|run| {
            let mut samples = run.samples.values().flat_map(|it| it.online_ns.clone());
            median(&mut samples.by_ref().collect::<Vec<_>>())
        });
        let guest = boot.iter().filter_map(|run| {
            let memory = run.samples.get(MEMORY)?;
            memory.bytes.first().copied()
        });
        Values {
            cold_ns: boot.iter().filter_map(|run| run.boot_online_ns).collect(),
            warm_ns: warm.collect(),
            guest_bytes: guest.collect(),
            rss_bytes: boot
                .iter()
                .filter_map(|run| told(run.load.peak_rss_bytes))
                .collect(),
            cpu_ns: boot
                .iter()
                .filter_map(|run| told(run.load.own_cpu_ns))
                .collect(),
            ap_cpu_ns: beyond,
        }
    }
}

/// What a boot took of the host. Nothing stands for what nobody knows: no QEMU runs without time and memory.
fn told(value: u64) -> Option<u64> {
    (value > 0).then_some(value)
}

/// Those during which nobody else used the host, or all where there are none.
fn quiet<'a>(runs: &[&'a Run]) -> Vec<&'a Run> {
    let all_are_busy = runs.iter().all(|run| run.load.busy);
    let stands = |run: &&Run| all_are_busy || !run.load.busy;
    runs.iter().copied().filter(stands).collect()
}

/// What boots cost beyond those of the same number that wake nobody, which ran one behind the other. A pair is
/// busy if either was.
fn beyond(boot: &[&Run], alone: &[&Run]) -> Vec<i64> {
    let cpu = |run: &Run| Some(i64::try_from(told(run.load.own_cpu_ns)?).unwrap_or(i64::MAX));
    let pairs = boot.iter().filter_map(|run| {
        let other = alone.iter().find(|other| other.run == run.run)?;
        Some((run.load.busy || other.load.busy, cpu(run)? - cpu(other)?))
    });
    let (busy, quiet): (Vec<_>, Vec<_>) = pairs.partition(|(is_busy, _)| *is_busy);
    let stand = if quiet.is_empty() { busy } else { quiet };
    stand.into_iter().map(|(_, beyond)| beyond).collect()
}

fn of_all(mut values: Vec<u64>) -> Option<u64> {
    median(&mut values)
}

/// Half of what lies between the quarters of these, which are sorted. Of one alone nothing is known.
fn half_of_the_middle(sorted: &[i64]) -> Option<u64> {
    let last = sorted.len().checked_sub(1).filter(|&last| last > 0)?;
    Some(sorted[last - last / 4].abs_diff(sorted[last / 4]) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::{
            growth::plan::plan,
            host::Load,
            results::{Outcome, Samples, tests::header},
        },
        qemu::{machine::Accel, smp::Smp},
    };

    /// What boots of these sizes would give, by a law of each kind.
    fn results(sizes: &[u32]) -> Results {
        let sizes: Vec<_> = sizes.iter().map(|&cpus| Smp::from(cpus)).collect();
        let plan = plan(&sizes, Accel::Tcg, 3, 2);
        let mut header = header();
        header.plan.clone_from(&plan.machines);
        (header.runs, header.rounds) = (plan.runs, plan.rounds);
        let mut results = Results::new(header);
        for (number, machine) in
            (1..=3).flat_map(|run| plan.machines.iter().map(move |it| (run, it)))
        {
            let kind = Kind::of_machine(machine, 2).expect("it is of the plan");
            let aps = u64::from(machine.smp.cpus() - 1);
            let mut run = crate::bench::results::tests::run(1, number);
            run.machine = machine.clone();
            run.outcome = Outcome::Ok;
            run.boot_online_ns = (aps > 0).then_some(1_000 + 90 * aps);
            run.load.own_cpu_ns = 400_000
                + match kind {
                    Kind::Alone => 0,
                    _ => 700 * aps + 20 * u64::from(number),
                };
            run.load.peak_rss_bytes = 100 + 5 * aps;
            run.load.busy = number == 3;
            run.samples.clear();
            if let Kind::Rounds(_) = kind {
                let online_ns = vec![50 * aps, 60 * aps + u64::from(number)];
                let samples = Samples {
                    online_ns,
                    ..Samples::default()
                };
                run.samples.insert("parallel".to_owned(), samples);
            } else {
                let bytes = vec![120 * aps];
                let samples = Samples {
                    bytes,
                    ..Samples::default()
                };
                run.samples.insert(MEMORY.to_owned(), samples);
            }
            results.add(run);
        }
        results
    }

    #[test]
    fn each_size_has_the_medians_of_its_boots() {
        let sizes = sizes(&results(&[8, 1]));
        assert_eq!(sizes.len(), 2);
        let [alone, eight] = [&sizes[0], &sizes[1]];
        assert_eq!((alone.cpus, alone.boots, alone.busy), (1, 3, 1));
        assert_eq!((alone.left_out, eight.left_out), (1, 3));
        assert_eq!(
            (alone.cold_ns, alone.warm_ns, alone.ap_cpu_ns),
            (None, None, None)
        );
        assert_eq!((eight.cpus, eight.boots, eight.busy), (8, 3, 3));
        assert_eq!(eight.cold_ns, Some(1_630));
        // Of two rounds the lower one.
        assert_eq!(eight.warm_ns, Some(350));
        assert_eq!(eight.guest_bytes, Some(840));
        assert_eq!(eight.rss_bytes, Some(135));
        assert_eq!(
            (eight.ap_cpu_ns, eight.cpu_noise_ns),
            (Some(4_920), Some(10))
        );
    }

    #[test]
    fn the_interval_of_a_figure_is_that_of_the_boots_behind_it_and_their_number_is_theirs() {
        let results = results(&[8]);
        let size = sizes(&results).swap_remove(0);
        let of = |quantity| {
            let behind = behind(quantity, 8, &results);
            assert_eq!((behind.boots, size.boots), (2, 3));
            behind.interval.map(|it| (it.low, it.high))
        };
        // Two of three boots stand: the third is busy.
        assert_eq!(of(Quantity::Cpu), Some((4_920.0, 4_940.0)));
        assert_eq!(of(Quantity::Warm), Some((350.0, 350.0)));
        assert_eq!(size.warm_ns, Some(350));
        let none = behind(Quantity::Cold, 9, &results);
        assert_eq!((none.boots, none.interval), (0, None));
    }

    #[test]
    fn boots_whose_load_nobody_knows_tell_nothing_of_the_host() {
        let mut results = results(&[8]);
        let of = |results: &Results| {
            let size = sizes(results).swap_remove(0);
            (size.rss_bytes, size.cpu_ns.is_some(), size.ap_cpu_ns)
        };
        for run in results.runs.iter_mut().filter(|run| run.run == 1) {
            run.load = Load::default();
        }
        assert_eq!(of(&results), (Some(135), true, Some(4_940)));
        for run in &mut results.runs {
            run.load = Load::default();
        }
        assert_eq!(of(&results), (None, false, None));
        assert!(sizes(&results)[0].cold_ns.is_some());
    }

    #[test]
    fn busy_boots_are_in_no_figure_where_there_are_others() {
        let mut results = results(&[8]);
        let of = |results: &Results| sizes(results).swap_remove(0);
        let quiet = of(&results);
        for run in results.runs.iter_mut().filter(|run| run.load.busy) {
            run.boot_online_ns = Some(900_000);
            run.load.own_cpu_ns *= 10;
            run.load.peak_rss_bytes *= 10;
            run.samples.clear();
        }
        assert_eq!(of(&results), quiet);
        // Where all are, they stand.
        for run in &mut results.runs {
            run.load.busy = true;
        }
        let busy = of(&results);
        assert_eq!((busy.boots, busy.busy, busy.left_out), (3, 9, 0));
        assert_eq!(busy.cold_ns, Some(1_630));
        // One quiet boot of a kind is the figure of its kind.
        let first = |run: &&mut crate::bench::results::Run| run.run == 3;
        results
            .runs
            .iter_mut()
            .filter(first)
            .for_each(|run| run.load.busy = false);
        let of_one = of(&results);
        assert_eq!((of_one.cold_ns, of_one.left_out), (Some(900_000), 6));
    }

    #[test]
    fn a_size_of_which_boots_failed_has_those_that_did_not() {
        let mut results = results(&[4]);
        for run in results.runs.iter_mut().filter(|run| run.run > 1) {
            run.outcome = Outcome::Failed("gone".to_owned());
        }
        let sizes = sizes(&results);
        assert_eq!(sizes[0].boots, 1);
        assert!(sizes[0].warm_ns.is_some());
    }

    #[test]
    fn what_is_fitted_are_the_sizes_with_aps_and_what_stands_out_of_the_noise() {
        let sizes = sizes(&results(&[1, 2, 4, 8]));
        let points = Quantity::Guest.points(&sizes);
        let expected = [1.0, 3.0, 7.0].map(|aps| Point {
            aps,
            value: 120.0 * aps,
        });
        assert_eq!(points, expected);
        assert_eq!(Quantity::Cpu.points(&sizes).len(), 3);
        let mut noisy = sizes.clone();
        noisy[1].cpu_noise_ns = Some(1_000);
        noisy[2].ap_cpu_ns = Some(-5);
        assert_eq!(Quantity::Cpu.points(&noisy).len(), 1);
    }
}
