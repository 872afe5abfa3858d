//! What one set of results says: each machine, and on it each contender, with medians over boots.

use super::{
    matched::{contenders, machines},
    median::Median,
    ratio,
};
use crate::bench::{
    cell::Machine,
    results::{Outcome, Results, Run},
};

/// A set of results, machine by machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// In the order in which they were measured.
    pub groups: Vec<Group>,
}

/// The boots of one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Whom they measured.
    pub system: String,
    /// The machine.
    pub machine: Machine,
    /// Boots that did all that was asked for.
    pub boots: usize,
    /// Of those, on a host that was busy otherwise.
    pub busy: usize,
    /// Rounds of each of those boots, if it is the same number in all.
    pub rounds: Option<usize>,
    /// The boots that failed, by their number, and why.
    pub failed: Vec<(u32, String)>,
    /// Who was measured.
    pub rows: Vec<Row>,
}

/// One who was measured. Each value is a boot's median, or the quotient of two of one boot.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub contender: String,
    /// Until the last CPU was online, in nanoseconds; of the floor until all had counted.
    pub online_ns: Median,
    /// Until the last CPU was alive, in nanoseconds.
    pub alive_ns: Option<Median>,
    /// How many times longer than `bare`.
    pub of_bare: Option<Median>,
    /// How many times longer than `parallel`.
    pub of_parallel: Option<Median>,
}

impl Summary {
    /// Of all that was measured. Who has no boot that is ok has no row.
    pub fn of(results: &Results) -> Self {
        let machines = machines(results).into_iter();
        let groups = machines.map(|it| Group::of(it.system, it.machine, &it.runs));
        Self {
            groups: groups.collect(),
        }
    }
}

impl Group {
    fn of(system: &str, machine: &Machine, runs: &[&Run]) -> Self {
        let ok: Vec<&Run> = runs.iter().copied().filter(|run| run.is_ok()).collect();
        let failed = runs.iter().filter_map(|run| match &run.outcome {
            Outcome::Failed(reason) => Some((run.run, reason.clone())),
            Outcome::Ok => None,
        });
        let samples = ok.iter().flat_map(|run| run.samples.values());
        let mut rounds: Vec<_> = samples.map(|it| it.headline_ns().len()).collect();
        rounds.sort_unstable();
        rounds.dedup();
        Self {
            system: system.to_owned(),
            machine: machine.clone(),
            boots: ok.len(),
            busy: ok.iter().filter(|run| run.load.busy).count(),
            rounds: <[usize; 1]>::try_from(rounds).ok().map(|[rounds]| rounds),
            failed: failed.collect(),
            rows: contenders(&ok)
                .into_iter()
                .filter_map(|name| Row::of(name, &ok))
                .collect(),
        }
    }
}

impl Row {
    fn of(contender: &str, runs: &[&Run]) -> Option<Self> {
        let median = |value: &dyn Fn(&Run) -> Option<f64>| {
            Median::of(&runs.iter().filter_map(|run| value(run)).collect::<Vec<_>>())
        };
        let online =
            |run: &Run, name: &str| run.samples.get(name).map(|it| it.headline_ns().to_vec());
        let of = |other: &'static str| {
            let quotient =
                |run: &Run| ratio::of_medians(&online(run, contender)?, &online(run, other)?);
            median(&quotient).filter(|_| contender != other)
        };
        let middle =
            |times: &[u64]| reveille_smp::table::median(&mut times.to_vec()).map(|it| it as f64);
        Some(Self {
            contender: contender.to_owned(),
            online_ns: median(&|run| middle(&online(run, contender)?))?,
            alive_ns: median(&|run| middle(&run.samples.get(contender)?.alive_ns)),
            of_bare: of("bare"),
            of_parallel: of("parallel"),
        })
    }
}
