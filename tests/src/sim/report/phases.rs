//! Where the time of a bring-up went: what was done when, by whom, and beside what else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reveille_executor::Instant;

use super::BroughtUp;
use crate::sim::Span;

/// What was done from the first piece of work until every outcome was known.
pub struct Phases {
    /// The first piece of work.
    pub begin: Instant,
    /// Every outcome was known.
    pub end: Instant,
    /// The BSP's, then the APs', each in the order in which they began.
    pub phases: Vec<Phase>,
    /// How long nobody did anything.
    pub nobody: Duration,
    /// How long all that was done or under way was for one AP, and the BSP had nothing to do.
    pub one_ap: Duration,
}

/// One thing that was done for many CPUs.
pub struct Phase {
    /// What.
    pub what: &'static str,
    /// By whom.
    pub side: Side,
    /// When it was begun first.
    pub from: Instant,
    /// When it was done last.
    pub to: Instant,
    /// How long it took all CPUs together.
    pub busy: Duration,
    /// How many CPUs did it at once, at most.
    pub most: usize,
    /// How long this was done, and nothing else: what it added to the whole.
    pub alone: Duration,
    /// Each time that it was done.
    pub(super) spans: Vec<(Instant, Instant)>,
}

/// By whom something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The BSP.
    Bsp,
    /// The APs.
    Aps,
}

impl Phases {
    /// The phases of a simulation, of which spans were kept.
    pub fn of(brought_up: &BroughtUp) -> Self {
        let spans = &brought_up.spans;
        let end = brought_up.round.end;
        let begin = spans.iter().map(|span| span.start).min();
        let begin = begin.unwrap_or(brought_up.round.start).min(end);
        let mut by_name: BTreeMap<(Side, &str), Vec<(Instant, Instant)>> = BTreeMap::new();
        for span in spans {
            let side = match span.cpu {
                0 => Side::Bsp,
                _ => Side::Aps,
            };
            let clipped = (span.start, span.end.min(end));
            if clipped.0 < clipped.1 {
                by_name.entry((side, span.what)).or_default().push(clipped);
            }
        }
        let phases = by_name.into_iter().map(|((side, what), spans)| Phase {
            what,
            side,
            from: spans.iter().map(|span| span.0).min().unwrap_or(begin),
            to: spans.iter().map(|span| span.1).max().unwrap_or(begin),
            busy: spans.iter().map(|&(from, to)| to - from).sum(),
            most: 0,
            alone: Duration::ZERO,
            spans,
        });
        let mut phases: Vec<_> = phases.collect();
        phases.sort_by_key(|phase| (phase.side, phase.from));
        let nobody = sweep(&mut phases, begin, end);
        Self {
            begin,
            end,
            phases,
            nobody,
            one_ap: one_ap(spans, end),
        }
    }

    /// How long it took.
    pub fn whole(&self) -> Duration {
        self.end - self.begin
    }

    /// How long the BSP was busy.
    pub fn bsp_busy(&self) -> Duration {
        let of_bsp = self.phases.iter().filter(|phase| phase.side == Side::Bsp);
        of_bsp.map(|phase| phase.busy).sum()
    }
}

/// Goes through time once, and finds for each phase how many CPUs did it at once and how long it was
/// alone. Gives back how long nobody did anything.
fn sweep(phases: &mut [Phase], begin: Instant, end: Instant) -> Duration {
    let mut changes = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        for &(from, to) in &phase.spans {
            // At one moment ends come before beginnings.
            changes.push((from, true, index));
            changes.push((to, false, index));
        }
    }
    changes.sort_unstable();
    let mut counts = vec![0_usize; phases.len()];
    let mut under_way = BTreeSet::new();
    let mut nobody = Duration::ZERO;
    let mut now = begin;
    for (at, begins, index) in changes {
        match (under_way.len(), under_way.first()) {
            (0, _) => nobody += at - now,
            (1, Some(&only)) => {
                let phase: &mut Phase = &mut phases[only];
                phase.alone += at - now;
            }
            _ => {}
        }
        now = at;
        if begins {
            counts[index] += 1;
            phases[index].most = phases[index].most.max(counts[index]);
            under_way.insert(index);
        } else {
            counts[index] -= 1;
            if counts[index] == 0 {
                under_way.remove(&index);
            }
        }
    }
    nobody + (end - now)
}

/// How long all spans before the end that are under way are for one AP, and none is the BSP's.
fn one_ap(spans: &[Span], end: Instant) -> Duration {
    let mut changes = Vec::with_capacity(2 * spans.len());
    for span in spans {
        let whose = (span.cpu != 0).then_some(span.for_cpu);
        let clipped = (span.start, span.end.min(end));
        if clipped.0 < clipped.1 {
            changes.push((clipped.0, true, whose));
            changes.push((clipped.1, false, whose));
        }
    }
    changes.sort_unstable();
    let mut under_way: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    let mut alone = Duration::ZERO;
    let mut last = end;
    for (at, begins, whose) in changes {
        if under_way.len() == 1 && !under_way.contains_key(&None) {
            alone += at - last;
        }
        last = at;
        let count = under_way.entry(whose).or_default();
        if begins {
            *count += 1;
        } else {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&whose);
            }
        }
    }
    alone
}

#[cfg(test)]
mod tests {
    use reveille_smp::strategy::Strategy;

    use super::*;
    use crate::sim::report::by_hand::{at, brought_up, model, span};

    fn micros(time: Duration) -> u128 {
        time.as_micros()
    }

    #[test]
    fn each_phase_has_its_ends_its_sum_and_what_it_added_to_the_whole() {
        let spans = vec![
            span(0, "prepare", 0, 100),
            span(1, "join", 80, 180),
            span(2, "join", 120, 220),
            span(3, "join", 400, 450),
            span(3, "poll", 140, 150),
            // Behind the end.
            span(2, "poll", 600, 700),
        ];
        let brought_up = brought_up(&model(), Strategy::Parallel, &[Some(500)], spans);
        let phases = Phases::of(&brought_up);
        assert_eq!((phases.begin, phases.end), (at(0), at(500)));
        let names: Vec<_> = phases.phases.iter().map(|phase| phase.what).collect();
        assert_eq!(names, ["prepare", "join", "poll"]);
        let [prepare, join, poll] = &phases.phases[..] else {
            unreachable!()
        };
        assert_eq!((prepare.side, micros(prepare.alone)), (Side::Bsp, 80));
        assert_eq!((join.from, join.to), (at(80), at(450)));
        assert_eq!((micros(join.busy), join.most), (250, 2));
        // 100-140, 150-220, 400-450.
        assert_eq!(micros(join.alone), 160);
        assert_eq!((micros(poll.busy), micros(poll.alone)), (10, 0));
        // 220-400, 450-500.
        assert_eq!(micros(phases.nobody), 230);
        assert_eq!(micros(phases.bsp_busy()), 100);
    }

    #[test]
    fn what_follows_without_a_gap_is_not_done_at_once() {
        let spans = vec![span(1, "join", 0, 50), span(2, "join", 50, 100)];
        let brought_up = brought_up(&model(), Strategy::Parallel, &[Some(100)], spans);
        assert_eq!(Phases::of(&brought_up).phases[0].most, 1);
    }

    #[test]
    fn a_simulation_without_spans_is_all_nobodys() {
        let brought_up = brought_up(&model(), Strategy::Parallel, &[Some(100)], vec![]);
        let phases = Phases::of(&brought_up);
        assert!(phases.phases.is_empty());
        assert_eq!(phases.nobody, phases.whole());
    }
}
