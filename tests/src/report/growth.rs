//! What more CPUs cost: the points that `bench growth` shows.

use super::{
    data::{self, GrowthPoint},
    source::{Benchmark, Source},
};
use crate::bench::{
    cell::Machine,
    growth::{
        points::{Quantity, Size, behind, sizes},
        words::about_busy,
    },
};

/// The points of a file; none where it is of another kind.
pub(super) fn growth(source: &Source) -> Vec<GrowthPoint> {
    if source.benchmark() != Benchmark::Growth {
        return Vec::new();
    }
    let sizes = sizes(&source.results);
    let points = sizes.iter().flat_map(|size| points(size, source));
    points.collect()
}

/// What a file lacks and none of the others has, of whose points are `shown`.
pub(super) fn missing(source: &Source, shown: &[GrowthPoint]) -> Vec<String> {
    if source.benchmark() != Benchmark::Growth {
        return Vec::new();
    }
    let sizes = sizes(&source.results);
    let is_of = |size: &Size, point: &&GrowthPoint| {
        point.cpus == size.cpus && point.machine == machine(size, source)
    };
    let points = sizes.iter().flat_map(|size| {
        let points = shown.iter().filter(move |point| is_of(size, point));
        points.cloned()
    });
    let points: Vec<GrowthPoint> = points.collect();
    let lacks_some = |size: &&Size| {
        let mut points = points.iter().filter(|point| is_of(size, point));
        size.boots == 0 && points.any(|point| point.median.is_none())
    };
    let lacking = sizes.iter().filter(lacks_some);
    let lacking = lacking.map(|size| {
        format!(
            "Growth: with {} CPUs not all kinds of boots are there; {} makes them.",
            size.cpus,
            source.goes_on()
        )
    });
    let missing = lacking
        .chain(not_told(&sizes, &points))
        .chain(busy(&sizes, source));
    missing.collect()
}

/// Quantities that no boot tells of, where all kinds of boots are there.
fn not_told(sizes: &[Size], points: &[GrowthPoint]) -> Vec<String> {
    let named = [
        (data::Quantity::Online, "when all are online, warm"),
        (data::Quantity::Cold, "when all are online, cold"),
        (data::Quantity::GuestMemory, "what APs take of the memory"),
        (data::Quantity::HostCpu, "the host's time for APs"),
        (data::Quantity::QemuMemory, "the memory of QEMU"),
    ];
    let is_whole = |cpus: u32| {
        let size = sizes.iter().find(|size| size.cpus == cpus);
        size.is_some_and(|size| size.boots > 0)
    };
    let sentence = |(what, name): (data::Quantity, &str)| {
        let of_it = points.iter().filter(|it| it.what == what);
        let silent = of_it.filter(|it| it.median.is_none() && is_whole(it.cpus));
        let cpus: Vec<_> = silent.map(|it| it.cpus.to_string()).collect();
        (!cpus.is_empty()).then(|| {
            let cpus = cpus.join(", ");
            format!("Growth: no boot with {cpus} CPUs tells {name}.")
        })
    };
    named.into_iter().filter_map(sentence).collect()
}

/// Boots on a busy host, as the terminal tells of them.
fn busy(sizes: &[Size], source: &Source) -> Option<String> {
    let told = about_busy(sizes);
    (!told.is_empty()).then(|| format!("Growth: in {} {}.", source.name, told.join("; ")))
}

/// The machine that a size was measured on, as results call it where it boots all of its CPUs.
fn machine(size: &Size, source: &Source) -> String {
    let header = &source.results.header;
    let of_size = header.plan.iter().filter(|it| it.smp.cpus() == size.cpus);
    let mut names = of_size.map(|it| Machine {
        words: String::new(),
        ..it.clone()
    });
    names.next().map(|it| it.to_string()).unwrap_or_default()
}

/// The points of a size. With a single CPU there are no APs, and nothing of theirs to tell.
fn points(size: &Size, source: &Source) -> Vec<GrowthPoint> {
    let whole = |value: Option<u64>| value.map(|it| it as f64);
    let of_aps = [
        (data::Quantity::Online, Quantity::Warm, whole(size.warm_ns)),
        (data::Quantity::Cold, Quantity::Cold, whole(size.cold_ns)),
        (
            data::Quantity::GuestMemory,
            Quantity::Guest,
            whole(size.guest_bytes),
        ),
        (
            data::Quantity::HostCpu,
            Quantity::Cpu,
            size.ap_cpu_ns.map(|it| it as f64),
        ),
    ];
    let of_all = [(
        data::Quantity::QemuMemory,
        Quantity::Host,
        whole(size.rss_bytes),
    )];
    let has_aps = size.cpus > 1;
    let machine = machine(size, source);
    let all = of_aps.into_iter().filter(|_| has_aps).chain(of_all);
    let point = |(what, quantity, median)| {
        let behind = behind(quantity, size.cpus, &source.results);
        GrowthPoint {
            machine: machine.clone(),
            cpus: size.cpus,
            what,
            median,
            low: behind.interval.map(|it| it.low),
            high: behind.interval.map(|it| it.high),
            level: behind.interval.map(|it| it.level),
            boots: behind.boots as u32,
        }
    };
    all.map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::{host::Load, results::Run},
        kernel::workspace,
    };

    #[test]
    fn each_size_of_the_committed_results_has_its_figures_and_where_they_lie() {
        let path = workspace().join("docs/results/growth.jsonl");
        let source = Source::read(&path).expect("it is committed");
        let points = growth(&source);
        let missing = missing(&source, &points);
        let sizes = sizes(&source.results);
        let left_out: u32 = sizes.iter().map(|size| size.left_out).sum();
        let [told] = &missing[..] else {
            panic!("one sentence tells of the host: {missing:?}");
        };
        assert!(
            left_out > 0 && told.contains(&left_out.to_string()),
            "{told}"
        );
        // The committed ones had others beside all that were busy; one that has none is told with its size.
        let mut busy = source;
        let is_of_eight = |run: &&mut Run| run.machine.smp.cpus() == 8;
        for run in busy.results.runs.iter_mut().filter(is_of_eight) {
            run.load.busy = true;
        }
        let told = super::missing(&busy, &growth(&busy)).remove(0);
        assert!(told.starts_with("Growth: in growth.jsonl "), "{told}");
        assert!(told.contains("trust no time of 8 CPUs"), "{told}");
        let source = Source::read(&path).expect("it is committed");
        assert_eq!(points.len(), 1 + 5 * (sizes.len() - 1));
        // Where the host was busy in all boots but one, nobody knows where the median lies.
        let ends = |it: &GrowthPoint| Some((it.low?, it.median?, it.high?));
        let known: Vec<_> = points.iter().filter_map(ends).collect();
        assert!(2 * known.len() > points.len(), "{points:?}");
        assert!(
            known
                .iter()
                .all(|(low, median, high)| low <= median && median <= high)
        );
        let largest = sizes.last().expect("there are some");
        let is_it =
            |it: &&GrowthPoint| it.cpus == largest.cpus && it.what == data::Quantity::Online;
        let online = points.iter().find(is_it).expect("it was measured");
        assert_eq!(online.median, largest.warm_ns.map(|it| it as f64));
        // Who is left out is in no number either.
        for point in &points {
            let size = sizes.iter().find(|size| size.cpus == point.cpus);
            assert!(point.boots <= size.expect("it has a size").boots);
            assert_eq!(point.median.is_some(), point.boots > 0, "{point:?}");
        }
        let fewer = points
            .iter()
            .filter(|it| it.boots < source.results.header.runs);
        assert!(fewer.count() > 0, "no boot was left out");
    }
    #[test]
    fn what_boots_do_not_tell_of_the_host_is_no_figure_and_is_said() {
        let path = workspace().join("docs/results/growth.jsonl");
        let mut source = Source::read(&path).expect("it is committed");
        for run in &mut source.results.runs {
            run.load = Load::default();
        }
        let points = growth(&source);
        let missing = missing(&source, &points);
        let of_host = [data::Quantity::HostCpu, data::Quantity::QemuMemory];
        for point in &points {
            let is_told = !of_host.contains(&point.what);
            assert_eq!(point.median.is_some(), is_told, "{point:?}");
        }
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(
            missing[0].contains("the host's time for APs"),
            "{missing:?}"
        );
        assert!(missing[1].contains("with 1, 2, 4"), "{missing:?}");
    }
}
