//! What belongs together in two sets of results: machines, and boots that had it alike.

use std::{collections::BTreeSet, fmt};

use reveille_smp::contender::Contender;

use crate::bench::{
    cell::{Machine, REVEILLE},
    results::{Results, Run},
};

/// A machine of a set, with its boots.
pub(super) struct Measured<'a> {
    pub(super) system: &'a str,
    pub(super) machine: &'a Machine,
    pub(super) runs: Vec<&'a Run>,
}

impl fmt::Display for Measured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system {
            REVEILLE => self.machine.fmt(f),
            other => write!(f, "{other}, {}", self.machine),
        }
    }
}

/// The machines of two sets.
pub(super) struct Matching<'a> {
    /// Of both, in the order of the new one.
    pub(super) pairs: Vec<Matched<'a>>,
    pub(super) only_old: Vec<Measured<'a>>,
    pub(super) only_new: Vec<Measured<'a>>,
}

/// A machine that is in both sets.
pub(super) struct Matched<'a> {
    pub(super) old: Measured<'a>,
    pub(super) new: Measured<'a>,
}

/// The machines of a set, in the order in which they come first.
pub(super) fn machines(results: &Results) -> Vec<Measured<'_>> {
    let mut machines: Vec<Measured<'_>> = Vec::new();
    for run in &results.runs {
        let is_same =
            |it: &&mut Measured<'_>| it.system == run.system && *it.machine == run.machine;
        match machines.iter_mut().find(is_same) {
            Some(measured) => measured.runs.push(run),
            None => machines.push(Measured {
                system: &run.system,
                machine: &run.machine,
                runs: vec![run],
            }),
        }
    }
    machines
}

impl Measured<'_> {
    fn is(&self, other: &Self) -> bool {
        self.system == other.system && self.machine == other.machine
    }

    /// Whether they differ in the kernel's words at the most.
    fn is_like(&self, other: &Self) -> bool {
        let wordless = |machine: &Machine| Machine {
            words: String::new(),
            ..machine.clone()
        };
        self.system == other.system && wordless(self.machine) == wordless(other.machine)
    }
}

/// Pairs off the machines of two sets: the same ones first, then those that differ in words alone. Of several
/// that do nobody knows which is meant.
pub(super) fn matched<'a>(old: &'a Results, new: &'a Results) -> Matching<'a> {
    let mut olds = machines(old);
    let mut news: Vec<_> = (0..).zip(machines(new)).collect();
    let mut pairs: Vec<(usize, Matched<'a>)> = Vec::new();
    for is_same in [Measured::is, Measured::is_like] {
        let mut left = Vec::new();
        while let Some((place, new)) = news.pop() {
            let rivals = news.iter().chain(&left).map(|(_, other)| other);
            let rivals = rivals.filter(|other| is_same(other, &new)).count();
            let mut fitting = (0..olds.len()).filter(|&index| is_same(&olds[index], &new));
            match (fitting.next(), fitting.next(), rivals) {
                (Some(index), None, 0) => {
                    let old = olds.remove(index);
                    pairs.push((place, Matched { old, new }));
                }
                _ => left.push((place, new)),
            }
        }
        news = left;
    }
    pairs.sort_by_key(|(place, _)| *place);
    Matching {
        pairs: pairs.into_iter().map(|(_, pair)| pair).collect(),
        only_old: olds,
        only_new: news.into_iter().map(|(_, it)| it).collect(),
    }
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

/// Who was measured in boots that are ok: ours in the order of the kernel's lists, then whoever else.
pub(super) fn contenders<'a>(runs: &[&'a Run]) -> Vec<&'a String> {
    let ok = runs.iter().filter(|run| run.is_ok());
    let names: BTreeSet<_> = ok.flat_map(|run| run.samples.keys()).collect();
    let place = |name: &str| Contender::ALL.iter().position(|it| it.name() == name);
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| place(name).unwrap_or(Contender::ALL.len()));
    names
}
