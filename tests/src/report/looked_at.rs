//! The boots to look at, and the calls between their CPUs.

use super::{
    charts::{Charts, Kept},
    data::{Boot, Heat},
    source::{Benchmark, Source},
};
use crate::{bench::cell::Machine, bootchart::gap::Gap};

/// The CPUs of the largest machine whose pairs are measured: their number grows by the square.
pub const MOST_IN_PAIRS: u32 = 64;

pub(super) fn boot(kept: Kept) -> Boot {
    Boot {
        machine: kept.machine.to_string(),
        cpus: kept.machine.smp.cpus(),
        chart: kept.chart,
    }
}

pub(super) fn heat(kept: &Kept) -> Option<Heat> {
    let calls = kept.ipi.as_ref()?;
    let mut cpus: Vec<u32> = calls.pairs.iter().flat_map(|it| [it.from, it.to]).collect();
    cpus.sort_unstable();
    cpus.dedup();
    Some(Heat {
        machine: kept.machine.to_string(),
        cpus,
        samples: calls.samples,
        pairs: calls.pairs.clone(),
    })
}

/// What the file of boots beside a file of results lacks.
pub(super) fn missing(source: &Source, charts: &Charts) -> Vec<String> {
    let file = charts
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let problem = charts.problem.iter();
    let mut missing: Vec<_> = problem
        .map(|it| format!("Timeline: {file} {it}."))
        .collect();
    for kept in &charts.kept {
        let gaps = kept.chart.gaps.iter();
        missing.extend(gaps.map(|gap| format!("Timeline: {}: {}.", kept.machine, told(gap))));
    }
    if source.benchmark() != Benchmark::Strategies {
        return missing;
    }
    let again = source.goes_on();
    // Who was not booted at all is told of already, and may be in another part.
    let runs = &source.results.runs;
    let is_booted = |machine: &&Machine| runs.iter().any(|run| run.machine == **machine);
    let plan = source.results.header.plan.iter().filter(is_booted);
    let mut lacks = |what: &str, machines: Vec<String>, why: &str| {
        if !machines.is_empty() {
            missing.push(format!("{what} {}{why}", machines.join(", ")));
        }
    };
    let without = plan.filter(|machine| charts.find(machine).is_none());
    lacks(
        "Timeline: no boot to look at was kept of",
        without.map(ToString::to_string).collect(),
        &format!("; {again} makes it."),
    );
    let kept = || charts.kept.iter().filter(|kept| kept.ipi.is_none());
    let cpus = |kept: &&Kept| kept.machine.smp.cpus();
    let silent = kept().filter(|kept| (2..=MOST_IN_PAIRS).contains(&cpus(kept)));
    lacks(
        "Calls: none were measured on",
        silent.map(|kept| kept.machine.to_string()).collect(),
        &format!("; {again} does that."),
    );
    let large = kept().filter(|kept| cpus(kept) > MOST_IN_PAIRS);
    lacks(
        "Calls: the pairs of CPUs are too many to be measured on",
        large.map(|kept| kept.machine.to_string()).collect(),
        &format!("; up to {MOST_IN_PAIRS} CPUs they are."),
    );
    missing
}

/// A gap, and where it can be helped, by what.
fn told(gap: &Gap) -> String {
    match gap {
        Gap::BspOverwritten | Gap::ApOverwritten(_) => {
            format!("{gap}, with `cargo xtask timeline --append trace=N`")
        }
        Gap::Broken | Gap::ModesUntold | Gap::ClocksApart(_) => gap.to_string(),
    }
}
