//! Two sets of results, cell by cell.
//!
//! A cell is compared with the one of the same name: system, machine and contender. Where a machine is in both
//! sets but for the kernel's words, those two are compared, which is how words are tried. **Only like is
//! compared with like**: boots that had the host for themselves with such boots, wherever there are enough.
//!
//! **What the old set has, the new one must have**, be it a machine or who is measured on it: what is not measured
//! any more is as bad as what got slower. Only one part of several need not have the machines of the others.

use std::time::Duration;

use super::{
    judge::{self, Host, Judgement, Verdict},
    matched::{Matched, Matching, alike, contenders, matched},
    measure::{By, Measure},
    median::Median,
};
use crate::bench::{
    cell::Machine,
    results::{Results, Run},
};

mod before;

pub use self::before::boots_needed;

/// What became of all cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The machines of both sets, in the order of the new one.
    pub pairs: Vec<Pair>,
    /// Machines on which old boots measured something, and which no new boot has.
    pub lost: Vec<String>,
    /// What a person should know beside that.
    pub notes: Vec<String>,
}

/// One machine in the old set and in the new.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Whom the boots measured.
    pub system: String,
    /// The machine as it was.
    pub old: Machine,
    /// The machine as it is.
    pub new: Machine,
    /// Its boots as they were.
    pub old_boots: Boots,
    /// Its boots as they are.
    pub new_boots: Boots,
    /// Those whom the two have in common, a measure each.
    pub cells: Vec<Cell>,
}

/// How many boots there are of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boots {
    /// That did all that was asked for.
    pub ok: usize,
    /// That did not.
    pub failed: usize,
    /// Of those that did, on a host that was busy otherwise.
    pub busy: usize,
    /// That are compared.
    pub compared: usize,
}

/// One who is compared, by one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Who: a strategy or a yardstick, or what another system has.
    pub contender: String,
    /// By what.
    pub measure: Measure,
    /// The middle of the old boots.
    pub old: Option<f64>,
    /// The middle of the new ones.
    pub new: Option<f64>,
    /// What is said of it, or why nothing is.
    pub judgement: Result<Judgement, Unjudged>,
}

/// Why nothing is said of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// No old boot has it.
    NotInOld,
    /// Old boots have it, and no new one: what was measured fails now.
    Lost,
    /// Time counts instructions, and yet two boots differ.
    DoesNotRepeat,
    /// The host was busy for one set and not for the other.
    Unlike,
}

impl Comparison {
    /// Compares two sets by what `by` says.
    pub fn between(old: &Results, new: &Results, by: By) -> Self {
        let mut comparison = Self::default();
        let Matching {
            pairs,
            only_old,
            only_new,
        } = matched(old, new);
        for machine in only_old {
            let is_elsewhere =
                new.header.shard.is_some() && new.header.plan.contains(machine.machine);
            match contenders(&machine.runs).is_empty() || is_elsewhere {
                true => comparison
                    .notes
                    .push(format!("only in the old results: {machine}")),
                false => comparison.lost.push(machine.to_string()),
            }
        }
        let only_new = only_new.iter();
        let notes = only_new.map(|it| format!("only in the new results: {it}"));
        comparison.notes.extend(notes);
        let planned: Vec<_> = pairs.iter().map(|pair| planned(pair, by)).collect();
        let is_tested = |(_, measure): &&(String, Measure)| *measure != Measure::VirtualTime;
        let tested = planned.iter().flatten().filter(is_tested).count();
        for (pair, planned) in pairs.into_iter().zip(planned) {
            comparison.pairs.push(pair.compare(planned, tested));
        }
        comparison.notes.extend(about_the_hosts(old, new, by));
        let has_times = comparison.cells().any(|cell| cell.measure == Measure::Time);
        if has_times && !were_in_turns(old, new) {
            let note = "the two sets were not measured in turns, so their times differ by what the host did, too";
            comparison.notes.push(note.to_owned());
        }
        comparison
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.pairs.iter().flat_map(|pair| &pair.cells)
    }

    /// Whether something got slower, or cannot be measured any more.
    pub fn is_worse(&self) -> bool {
        let is_bad = |cell: &Cell| match &cell.judgement {
            Ok(judgement) => matches!(judgement.verdict, Verdict::Slower(_)),
            Err(why) => *why == Unjudged::Lost,
        };
        !self.lost.is_empty() || self.cells().any(is_bad)
    }

    /// Whether each cell has a verdict.
    pub fn is_decided(&self) -> bool {
        !self.pairs.is_empty()
            && self.lost.is_empty()
            && self.cells().all(|cell| match &cell.judgement {
                Ok(judgement) => !matches!(judgement.verdict, Verdict::CannotTell { .. }),
                Err(_) => false,
            })
    }
}

/// Who is compared on a machine, and by what.
fn planned(pair: &Matched<'_>, by: By) -> Vec<(String, Measure)> {
    let has = |runs: &[&Run], name: &str| {
        runs.iter()
            .any(|run| run.is_ok() && run.samples.contains_key(name))
    };
    let all = pair.old.runs.iter().chain(&pair.new.runs);
    let names = contenders(&all.copied().collect::<Vec<_>>());
    let has_bare = has(&pair.old.runs, "bare") && has(&pair.new.runs, "bare");
    let measures =
        |name: &&String| Measure::of(by, pair.new.system, pair.new.machine, name, has_bare);
    let measured = names.into_iter().flat_map(|name| {
        measures(&name)
            .into_iter()
            .map(move |it| (name.clone(), it))
    });
    measured.collect()
}

impl Matched<'_> {
    fn compare(self, planned: Vec<(String, Measure)>, tested: usize) -> Pair {
        let fewest = judge::fewest_boots(tested);
        let (old, new) = alike(&self.old.runs, &self.new.runs, fewest);
        let boots = |all: &[&Run], compared: &[&Run]| Boots {
            ok: all.iter().filter(|run| run.is_ok()).count(),
            failed: all.iter().filter(|run| !run.is_ok()).count(),
            busy: all
                .iter()
                .filter(|run| run.is_ok() && run.load.busy)
                .count(),
            compared: compared.len(),
        };
        let host = match old.iter().chain(&new).any(|run| run.load.busy) {
            true => Host::Busy,
            false => Host::Quiet,
        };
        let cells = planned.into_iter().map(|(contender, measure)| {
            // Time that counts instructions does not care who else does something.
            let (olds, news) = match measure {
                Measure::VirtualTime => (&self.old.runs, &self.new.runs),
                Measure::OfBare | Measure::Time => (&old, &new),
            };
            let values = |runs: &[&Run]| -> Vec<f64> {
                let ok = runs.iter().filter(|run| run.is_ok());
                ok.filter_map(|run| measure.value(run, &contender))
                    .collect()
            };
            let are_there = [&self.old.runs, &self.new.runs].map(|runs| !values(runs).is_empty());
            let judgement = match (are_there, measure, &values(olds), &values(news)) {
                ([false, _], ..) => Err(Unjudged::NotInOld),
                ([true, false], ..) => Err(Unjudged::Lost),
                (_, Measure::VirtualTime, old, new) => {
                    judge::judge_exact(old, new).ok_or(Unjudged::DoesNotRepeat)
                }
                (_, _, old, new) => judge::judge(old, new, tested, host).ok_or(Unjudged::Unlike),
            };
            let middle = |runs: &[&Run]| Median::of(&values(runs)).map(|it| it.median);
            Cell {
                old: middle(olds),
                new: middle(news),
                contender,
                measure,
                judgement,
            }
        });
        Pair {
            system: self.new.system.to_owned(),
            cells: cells.collect(),
            old_boots: boots(&self.old.runs, &old),
            new_boots: boots(&self.new.runs, &new),
            old: self.old.machine.clone(),
            new: self.new.machine.clone(),
        }
    }
}

/// What differs between the two sets beside what is measured, and what the verdicts do not say.
fn about_the_hosts(old: &Results, new: &Results, by: By) -> Vec<String> {
    let mut notes = Vec::new();
    let mut differ = |what: &str, old: &str, new: &str| {
        let differs = old != new;
        if differs {
            notes.push(format!("{what} was {old} and is {new}"));
        }
        differs
    };
    let cpus = |results: &Results| format!("{} CPUs", results.header.host.cpus);
    let rounds = |results: &Results| format!("{} rounds", results.header.rounds);
    let (was, is) = (&old.header, &new.header);
    let below = [
        differ("QEMU", &was.qemu, &is.qemu),
        differ("the host's processor", &was.host.cpu, &is.host.cpu),
        differ("the host", &cpus(old), &cpus(new)),
        differ("the host's system", &was.host.system, &is.host.system),
    ];
    differ("rustc", &was.rustc, &is.rustc);
    differ("a boot", &rounds(old), &rounds(new));
    if by == By::Bare && below.contains(&true) {
        let note = "that slows `bare` as it slows the others, so ratios do not tell what it costs: measure in \
                    turns, and compare with `--by time`";
        notes.push(note.to_owned());
    }
    let are_busy = |results: &Results| results.runs.iter().any(|run| run.load.busy);
    if are_busy(old) || are_busy(new) {
        let note = "on a busy host boots should last for seconds, to see the host in all its moods: 100 rounds with \
                    `legacy` among the strategies";
        notes.push(note.to_owned());
    }
    notes
}

/// Whether one set was begun before the other one can have been complete.
fn were_in_turns(old: &Results, new: &Results) -> bool {
    let started = |results: &Results| humantime::parse_rfc3339(&results.header.started).ok();
    let (Some(one), Some(other)) = (started(old), started(new)) else {
        return false;
    };
    // No two guests run at once, so a set takes as long as all of its boots at the least.
    let took = |results: &Results| -> Duration {
        let boots = results.runs.iter();
        boots.map(|run| Duration::from_nanos(run.elapsed_ns)).sum()
    };
    match one <= other {
        true => other < one + took(old),
        false => one < other + took(new),
    }
}

#[cfg(test)]
mod tests;
