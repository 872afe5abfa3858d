//! What more CPUs cost: the points that `bench growth` shows.

use super::{
    data::{self, GrowthPoint},
    source::{Benchmark, Source},
};
use crate::bench::growth::points::{Quantity, Size, interval, sizes};

/// The points of a file, and what it lacks; none where it is of another kind.
pub(super) fn growth(source: &Source) -> (Vec<GrowthPoint>, Vec<String>) {
    if source.benchmark() != Benchmark::Growth {
        return (Vec::new(), Vec::new());
    }
    let sizes = sizes(&source.results);
    let points = sizes.iter().flat_map(|size| points(size, source));
    let lacking = sizes.iter().filter(|size| size.boots == 0);
    let missing = lacking.map(|size| {
        format!(
            "Growth: with {} CPUs not all kinds of boots are there; {} makes them.",
            size.cpus,
            source.goes_on()
        )
    });
    (points.collect(), missing.collect())
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
    let all = of_aps.into_iter().filter(|_| has_aps).chain(of_all);
    let point = |(what, quantity, median)| {
        let ends = interval(quantity, size.cpus, &source.results);
        GrowthPoint {
            cpus: size.cpus,
            what,
            median,
            low: ends.map(|it| it.low),
            high: ends.map(|it| it.high),
            boots: size.boots,
        }
    };
    all.map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::workspace;

    #[test]
    fn each_size_of_the_committed_results_has_its_figures_and_where_they_lie() {
        let path = workspace().join("docs/results/growth.jsonl");
        let source = Source::read(&path).expect("it is committed");
        let (points, missing) = growth(&source);
        assert_eq!(missing, [""; 0]);
        let sizes = sizes(&source.results);
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
    }
}
