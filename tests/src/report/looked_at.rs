//! The boots to look at, and the calls between their CPUs.

use std::borrow::Cow;

use super::{
    charts::{Charts, Kept},
    data::{Boot, Heat},
    source::{Benchmark, Source},
};
use crate::{bench::cell::Machine, bootchart::gap::Gap};

/// The CPUs of the largest machine whose pairs are measured: their number grows by the square.
pub const MOST_IN_PAIRS: u32 = 64;

pub(super) fn boot(kept: &Kept) -> Boot {
    Boot {
        machine: kept.machine.to_string(),
        cpus: kept.machine.smp.cpus(),
        chart: kept.chart.clone(),
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

/// What of the file of boots beside a file of results cannot be read.
pub(super) fn problem(charts: &Charts) -> Option<String> {
    let problem = charts.problem.as_ref()?;
    Some(format!("Timeline: {} {problem}.", name(charts)))
}

fn name(charts: &Charts) -> Cow<'_, str> {
    let name = charts.path().file_name().unwrap_or_default();
    name.to_string_lossy()
}

/// What the boots that are shown do not tell.
pub(super) fn gaps(boots: &[Boot]) -> Vec<String> {
    let gaps = boots.iter().flat_map(|boot| {
        let gaps = boot.chart.gaps.iter();
        gaps.map(|gap| format!("Timeline: {}: {}.", boot.machine, told(gap)))
    });
    gaps.collect()
}

/// What a benchmark should have kept to look at, and neither its `charts` nor those of other files have, of whose
/// boots and calls are shown.
pub(super) fn missing(
    source: &Source,
    charts: &Charts,
    boots: &[Boot],
    heat: &[Heat],
) -> Vec<String> {
    let mut missing = Vec::new();
    if source.benchmark() != Benchmark::Strategies {
        return missing;
    }
    let again = match charts.is_foreign {
        // Where that is, a benchmark does not begin.
        true => format!("once {} is moved away, {}", name(charts), source.goes_on()),
        false => source.goes_on(),
    };
    // Who was not booted at all is told of already, and may be in another part.
    let runs = &source.results.runs;
    let is_booted = |machine: &&Machine| runs.iter().any(|run| run.machine == **machine);
    let plan = source.results.header.plan.iter().filter(is_booted);
    let plan: Vec<String> = plan.map(ToString::to_string).collect();
    let mut lacks = |what: &str, machines: Vec<&str>, why: &str| {
        if !machines.is_empty() {
            missing.push(format!("{what} {}{why}", machines.join(", ")));
        }
    };
    let find = |machine: &str| boots.iter().find(|boot| boot.machine == machine);
    let without = plan.iter().filter(|machine| find(machine).is_none());
    lacks(
        "Timeline: no boot to look at was kept of",
        without.map(String::as_str).collect(),
        &format!("; {again} makes it."),
    );
    let has_calls = |machine: &str| heat.iter().any(|heat| heat.machine == machine);
    let silent = || {
        let kept = charts.kept.iter();
        let kept = kept.filter_map(|kept| find(&kept.machine.to_string()));
        kept.filter(|boot| !has_calls(&boot.machine))
    };
    let none = silent().filter(|boot| (2..=MOST_IN_PAIRS).contains(&boot.cpus));
    lacks(
        "Calls: none were measured on",
        none.map(|boot| boot.machine.as_str()).collect(),
        &format!("; {again} does that."),
    );
    let large = silent().filter(|boot| boot.cpus > MOST_IN_PAIRS);
    lacks(
        "Calls: the pairs of CPUs are too many to be measured on",
        large.map(|boot| boot.machine.as_str()).collect(),
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
