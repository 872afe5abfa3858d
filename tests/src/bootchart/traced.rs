//! What the trace of a boot adds to its chart: the boot processor's polls and sleeps, and the serialised steps.
//!
//! Invariant: all of it lies within the bring-up, from its first INIT to its last outcome. What began before
//! is cut there, what is not over at the end too; and where a ring has lost the beginning, nothing is told
//! rather than half.

use std::collections::BTreeMap;

use reveille_smp::{
    cpu::CpuIndex,
    record::{Record, TraceNames, trace::TraceEvent},
};

use super::{Doing, Span, Turn, gap::Gap};
use crate::trace::timeline::{Cpu, Event, Timeline};

/// What a trace adds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Traced {
    pub(super) bsp: Option<Vec<Span>>,
    pub(super) serialised: Option<Vec<Turn>>,
    pub(super) gaps: Vec<Gap>,
}

/// The bring-up, in the kernel's uptime.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The first INIT, or request; `None` where nobody was to be woken.
    pub(super) kick_ns: Option<u64>,
    /// From then until every outcome was known.
    pub(super) total_ns: u64,
}

impl Traced {
    pub(super) fn of(records: &[Record], window: Window) -> Self {
        if !records.iter().any(|it| matches!(it, Record::TraceNames(_))) {
            return Self::default();
        }
        match Timeline::of(records) {
            Ok(timeline) => Self::of_timeline(&timeline, window),
            Err(_) => Self {
                gaps: vec![Gap::Broken],
                ..Self::default()
            },
        }
    }

    fn of_timeline(timeline: &Timeline, window: Window) -> Self {
        let mut traced = Self::default();
        let bsp = timeline.cpus.iter().find(|it| it.cpu == CpuIndex::BSP);
        match bsp {
            Some(bsp) if window.is_kept(bsp) => traced.bsp = Some(spans(&bsp.events, window)),
            _ => traced.gaps.push(Gap::BspOverwritten),
        }
        let full = timeline.cpus.iter().find(|cpu| !window.is_kept(cpu));
        traced.serialised = match (full, &timeline.names.serialised) {
            (None, Some(serialised)) => {
                let (turns, unknown) = turns(timeline, serialised, window);
                traced.gaps.extend(unknown.map(Gap::ClocksApart));
                Some(turns)
            }
            (None, None) => {
                traced.gaps.push(Gap::ModesUntold);
                None
            }
            (Some(full), _) => {
                if full.cpu != CpuIndex::BSP {
                    traced.gaps.push(Gap::ApOverwritten(full.cpu));
                }
                None
            }
        };
        traced
    }
}

impl Window {
    /// Whether all that a CPU noted in the bring-up is there. An AP notes its first event behind the kick,
    /// so whatever of its own is overwritten was a part of it.
    fn is_kept(&self, cpu: &Cpu) -> bool {
        let first = cpu.events.first();
        cpu.overwritten == 0 || first.is_some_and(|it| Some(it.uptime_ns) <= self.kick_ns)
    }

    /// A while, counted from the kick, as far as it is a part of the bring-up.
    fn part(&self, began_ns: u64, ended_ns: u64) -> Option<(u64, u64)> {
        let kick_ns = self.kick_ns?;
        if ended_ns < kick_ns || began_ns > kick_ns.saturating_add(self.total_ns) {
            return None;
        }
        let from_kick = |at_ns: u64| at_ns.saturating_sub(kick_ns).min(self.total_ns);
        Some((from_kick(began_ns), from_kick(ended_ns)))
    }
}

/// The polls and sleeps of the boot processor. A poll within a poll is a part of it.
fn spans(events: &[TraceEvent], window: Window) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut polls = 0_u32;
    let mut poll_began_ns = 0;
    let mut sleep_began_ns = None;
    let mut tell = |doing, began_ns, ended_ns| {
        let part = window.part(began_ns, ended_ns);
        spans.extend(part.map(|(began_ns, ended_ns)| Span {
            doing,
            began_ns,
            ended_ns,
        }));
    };
    for it in events {
        let now_ns = it.uptime_ns;
        match it.event {
            Event::PollStart { .. } => {
                polls += 1;
                if polls == 1 {
                    poll_began_ns = now_ns;
                }
            }
            // One without a beginning began before the trace.
            Event::PollEnd if polls > 0 => {
                polls -= 1;
                if polls == 0 {
                    tell(Doing::Poll, poll_began_ns, now_ns);
                }
            }
            Event::IdleStart => sleep_began_ns = Some(now_ns),
            Event::IdleEnd => {
                if let Some(began_ns) = sleep_began_ns.take() {
                    tell(Doing::Sleep, began_ns, now_ns);
                }
            }
            _ => {}
        }
    }
    // What is not over.
    let endless = [
        (polls > 0).then_some((Doing::Poll, poll_began_ns)),
        sleep_began_ns.map(|began_ns| (Doing::Sleep, began_ns)),
    ];
    for (doing, began_ns) in endless.into_iter().flatten() {
        tell(doing, began_ns, u64::MAX);
    }
    spans.sort_by_key(|span| (span.began_ns, span.ended_ns));
    spans
}

/// The serialised steps on the way up, and how many CPUs took some that nobody can place.
fn turns(timeline: &Timeline, serialised: &[u16], window: Window) -> (Vec<Turn>, Option<u32>) {
    let mut all = Vec::new();
    let mut unknown = 0;
    for cpu in &timeline.cpus {
        let turns = turns_of(cpu, &timeline.names, serialised, window);
        match cpu.uncertainty_ns {
            None if cpu.cpu != CpuIndex::BSP && has_steps(cpu, serialised) => unknown += 1,
            _ => all.extend(turns),
        }
    }
    all.sort_by_key(|turn| (turn.began_ns, turn.ended_ns, turn.cpu));
    (all, (unknown > 0).then_some(unknown))
}

fn has_steps(cpu: &Cpu, serialised: &[u16]) -> bool {
    let is_one =
        |event| matches!(event, Event::StepStart { step, .. } if serialised.contains(&step));
    cpu.events.iter().any(|it| is_one(it.event))
}

fn turns_of(cpu: &Cpu, names: &TraceNames, serialised: &[u16], window: Window) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut open = BTreeMap::new();
    let mut tell = |of: CpuIndex, step: u16, began_ns, ended_ns| {
        let part = window.part(began_ns, ended_ns);
        let name = names.steps.get(usize::from(step));
        turns.extend(part.map(|(began_ns, ended_ns)| Turn {
            cpu: of,
            step: name.map_or_else(|| step.to_string(), Clone::clone),
            began_ns,
            ended_ns,
        }));
    };
    for it in &cpu.events {
        match it.event {
            Event::StepStart { of, step, down } if !down && serialised.contains(&step) => {
                open.insert((of, step), it.uptime_ns);
            }
            Event::StepEnd { of, step, down, .. } if !down => {
                if let Some(began_ns) = open.remove(&(of, step)) {
                    tell(of, step, began_ns, it.uptime_ns);
                }
            }
            _ => {}
        }
    }
    for ((of, step), began_ns) in open {
        tell(of, step, began_ns, u64::MAX);
    }
    turns
}

#[cfg(test)]
mod tests;
