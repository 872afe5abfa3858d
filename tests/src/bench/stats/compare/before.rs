//! Before anything is measured: how many boots must there be until something can be called slower?
//!
//! **The cells are those of the comparison that follows**, as they are made from results that have each machine
//! and each contender of the plan.

use super::{Matching, planned};
use crate::bench::{
    cell::REVEILLE,
    host::Load,
    results::{Header, Outcome, Results, Run, Samples},
    stats::{
        judge,
        matched::matched,
        measure::{By, Measure},
    },
};

/// Boots of each machine that it takes until any cell can have a verdict, if the machines of a plan with these
/// numbers are measured and compared with `old`. `None` where one is enough, as where time counts instructions.
pub fn boots_needed(old: &Results, new: &Header, chosen: &[usize], by: By) -> Option<usize> {
    let new = expected(new, chosen);
    let Matching { pairs, .. } = matched(old, &new);
    let tested = pairs.iter().map(|pair| {
        let planned = planned(pair, by).into_iter();
        planned
            .filter(|(_, measure)| *measure != Measure::VirtualTime)
            .count()
    });
    let tested: Vec<_> = tested.collect();
    let cells = tested.iter().sum();
    let needed = pairs.iter().zip(&tested).filter(|(_, tested)| **tested > 0);
    needed
        .filter_map(|(pair, _)| {
            let old = pair.old.runs.iter().filter(|run| run.is_ok()).count();
            judge::fewest_boots_beside(old, cells)
        })
        .max()
}

/// A boot of each machine that has all that it can have, but for values.
fn expected(header: &Header, chosen: &[usize]) -> Results {
    let mut results = Results::new(header.clone());
    for machine in chosen.iter().map(|&number| &header.plan[number]) {
        // One CPU has nobody to wake.
        let names = header.strategies.iter().filter(|_| machine.smp.cpus() > 1);
        results.add(Run {
            system: REVEILLE.to_owned(),
            machine: machine.clone(),
            run: 1,
            outcome: Outcome::Ok,
            elapsed_ns: 0,
            boot_online_ns: None,
            load: Load::default(),
            host: None,
            samples: names
                .map(|name| (name.clone(), Samples::default()))
                .collect(),
        });
    }
    results
}
