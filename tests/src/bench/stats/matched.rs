//! What belongs together in two sets of results: machines, and boots that had it alike.

use reveille_smp::contender::Contender;

use crate::bench::{
    cell::{Machine, REVEILLE},
    results::{Results, Run},
};

/// The boots of one machine in either set.
pub(super) struct Matched<'a> {
    pub(super) system: &'a str,
    pub(super) old: (&'a Machine, Vec<&'a Run>),
    pub(super) new: (&'a Machine, Vec<&'a Run>),
}

/// The machines of a set with their boots, in the order in which they come first.
pub(super) fn machines(results: &Results) -> Vec<(&str, &Machine, Vec<&Run>)> {
    let mut machines: Vec<(&str, &Machine, Vec<&Run>)> = Vec::new();
    for run in &results.runs {
        let same =
            |it: &&mut (&str, &Machine, _)| (it.0, it.1) == (run.system.as_str(), &run.machine);
        match machines.iter_mut().find(same) {
            Some((_, _, runs)) => runs.push(run),
            None => machines.push((&run.system, &run.machine, vec![run])),
        }
    }
    machines
}

/// Pairs off the machines of two sets: the same ones first, then those that differ in words alone.
pub(super) fn matched<'a>(
    old: &'a Results,
    new: &'a Results,
    notes: &mut Vec<String>,
) -> Vec<Matched<'a>> {
    let mut olds = machines(old);
    let mut news: Vec<_> = machines(new).into_iter().map(Some).collect();
    let mut pairs: Vec<(usize, Matched<'a>)> = Vec::new();
    let wordless = |machine: &Machine| Machine {
        words: String::new(),
        ..machine.clone()
    };
    let same: [&dyn Fn(&Machine, &Machine) -> bool; 2] = [&|old, new| old == new, &|old, new| {
        wordless(old) == wordless(new)
    }];
    for is_same in same {
        for (place, slot) in news.iter_mut().enumerate() {
            let Some((system, machine, _)) = slot else {
                continue;
            };
            let mut found = olds
                .iter()
                .enumerate()
                .filter(|(_, it)| it.0 == *system && is_same(it.1, machine));
            // Of several machines that differ in words nobody knows which is meant.
            let (Some((index, _)), None) = (found.next(), found.next()) else {
                continue;
            };
            let (system, was, runs) = olds.remove(index);
            let (_, is, new_runs) = slot.take().expect("it was there");
            pairs.push((
                place,
                Matched {
                    system,
                    old: (was, runs),
                    new: (is, new_runs),
                },
            ));
        }
    }
    pairs.sort_by_key(|(place, _)| *place);
    let left = olds
        .iter()
        .map(|it| ("old", it))
        .chain(news.iter().flatten().map(|it| ("new", it)));
    notes.extend(left.map(|(set, (system, machine, _))| match *system {
        REVEILLE => format!("only in the {set} results: {machine}"),
        other => format!("only in the {set} results: {other}, {machine}"),
    }));
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

/// By how much the shares of boots on a busy host may differ in two sets that are compared whole.
const MOST_UNLIKE: f64 = 0.25;

/// The boots that are compared. On a busy host even ratios are others: so those on a quiet host where there are
/// enough of them in both sets; else all, if about as many were busy in either; else those of one kind of which
/// there are more.
pub(super) fn alike<'a>(
    old: &[&'a Run],
    new: &[&'a Run],
    fewest: usize,
) -> (Vec<&'a Run>, Vec<&'a Run>) {
    let ok = |runs: &[&'a Run]| -> Vec<&'a Run> {
        runs.iter().copied().filter(|run| run.is_ok()).collect()
    };
    let (old, new) = (ok(old), ok(new));
    let of_kind = |is_busy: bool| {
        let pick = |runs: &[&'a Run]| -> Vec<&'a Run> {
            runs.iter()
                .copied()
                .filter(|run| run.load.busy == is_busy)
                .collect()
        };
        (pick(&old), pick(&new))
    };
    let size = |(old, new): &(Vec<_>, Vec<_>)| old.len().min(new.len());
    let (quiet, busy) = (of_kind(false), of_kind(true));
    let share = |busy: &[&Run], all: &[&Run]| busy.len() as f64 / all.len().max(1) as f64;
    let unlike = (share(&busy.0, &old) - share(&busy.1, &new)).abs();
    if size(&quiet) >= fewest {
        quiet
    } else if unlike <= MOST_UNLIKE {
        (old, new)
    } else if size(&busy) > size(&quiet) {
        busy
    } else {
        quiet
    }
}

/// Ours in the order of the kernel's lists, then whatever else there is.
pub(super) fn in_order(names: &mut [&String]) {
    let place = |name: &str| Contender::ALL.iter().position(|it| it.name() == name);
    names.sort_by_key(|name| place(name).unwrap_or(Contender::ALL.len()));
}
