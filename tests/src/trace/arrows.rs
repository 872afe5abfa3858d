//! Which event is the arrival of which send.
//!
//! - A SIPI, or a request in the mailbox, belongs to the start of its CPU that follows it, the last one
//!   before that.
//! - An interrupt belongs to an entry of its vector on its target; `ipis.rs` says to which.
//! - A call is told by its id.
//!
//! An arrival is earlier than its send only where nothing else explains it, and by no more than the clocks
//! may be wrong.

use std::collections::BTreeMap;

use super::timeline::{Event, Place, Timeline};

/// All that was sent, as far as the trace shows its arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrows {
    /// What arrived.
    pub flights: Vec<Flight>,
    /// What was not seen to arrive.
    pub lost: Lost,
}

/// Something that was sent, and arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// What.
    pub name: &'static str,
    /// Where it was sent.
    pub from: Place,
    /// Where it arrived.
    pub to: Place,
}

/// Whether a send may be earlier than an arrival, in spite of what the clocks say.
pub(super) fn may_precede(timeline: &Timeline, send: Place, arrival: Place) -> bool {
    let tolerance = timeline.tolerance_ns(send.cpu, arrival.cpu);
    let latest = |ns: u64| timeline.event(arrival).uptime_ns.saturating_add(ns);
    tolerance.is_some_and(|ns| timeline.event(send).uptime_ns <= latest(ns))
}

/// How many sends and arrivals of interrupts and calls have no arrow, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Sends that nobody was seen to answer: the target had parked, or the trace ended.
    pub unanswered: u64,
    /// Sends and arrivals of which the other end was overwritten.
    pub overwritten: u64,
    /// Sends and arrivals on CPUs whose clocks cannot be compared.
    pub incomparable: u64,
    /// Sends to all at once, or to a CPU without a number: who answers is not told.
    pub unaddressed: u64,
    /// Calls that run or are dropped, and nobody has queued them.
    pub unsent: u64,
    /// Arrivals that were before their sends by more than the clocks may be wrong.
    pub backwards: u64,
}

/// The names of the arrows.
pub const KICK: &str = "kick";
/// That of an interrupt.
pub const IPI: &str = "ipi";
/// That of a call.
pub const CALL: &str = "call";

impl Arrows {
    /// Finds them.
    pub fn of(timeline: &Timeline) -> Self {
        let mut arrows = Self::default();
        arrows.find_kicks(timeline);
        arrows.find_ipis(timeline);
        arrows.find_calls(timeline);
        arrows
            .flights
            .sort_by_key(|it| (timeline.event(it.from).uptime_ns, it.from, it.to));
        arrows
    }

    fn find_kicks(&mut self, timeline: &Timeline) {
        let mut kicks: BTreeMap<Option<usize>, Vec<Place>> = BTreeMap::new();
        for (place, it) in timeline.events() {
            if let Event::Sipi { to } | Event::WakeRequest { to } = it.event {
                // To somebody who has no trace, as to all: nobody is named.
                let to = to.and_then(|to| timeline.place_of(to));
                kicks.entry(to).or_default().push(place);
            }
        }
        for (cpu, it) in timeline.cpus.iter().enumerate() {
            let starts = (0..it.events.len()).filter(|event| it.starts_at(*event));
            let mut before = None;
            for event in starts {
                let start = Place { cpu, event };
                let at = timeline.event(start).uptime_ns;
                let since = before.replace(at);
                let mine = kicks.get(&Some(cpu)).into_iter().flatten();
                let all = kicks.get(&None).into_iter().flatten();
                let sent = |kick: &Place| timeline.event(*kick).uptime_ns;
                let of_this_life = mine.chain(all).filter(|kick| {
                    let is_comparable = timeline.tolerance_ns(kick.cpu, cpu).is_some();
                    is_comparable && since.is_none_or(|since| sent(kick) > since)
                });
                let (sooner, later): (Vec<Place>, Vec<Place>) =
                    of_this_life.partition(|kick| sent(kick) <= at);
                let last = sooner.into_iter().max_by_key(sent).or_else(|| {
                    let next = later.into_iter().min_by_key(sent);
                    next.filter(|kick| may_precede(timeline, *kick, start))
                });
                self.flights.extend(last.map(|from| Flight {
                    name: KICK,
                    from,
                    to: start,
                }));
            }
        }
    }

    fn find_calls(&mut self, timeline: &Timeline) {
        let mut queued = BTreeMap::new();
        for (place, it) in timeline.events() {
            if let Event::CsdQueue { id, .. } = it.event {
                queued.insert(id, place);
            }
        }
        let any_overwritten = timeline.cpus.iter().any(|cpu| cpu.overwritten > 0);
        for (to, it) in timeline.events() {
            let (Event::CsdEntry { id } | Event::CsdDrop { id }) = it.event else {
                continue;
            };
            let Some(from) = queued.remove(&id) else {
                match any_overwritten {
                    true => self.lost.overwritten += 1,
                    false => self.lost.unsent += 1,
                }
                continue;
            };
            if timeline.tolerance_ns(from.cpu, to.cpu).is_none() {
                self.lost.incomparable += 1;
            } else if may_precede(timeline, from, to) {
                let name = CALL;
                self.flights.push(Flight { name, from, to });
            } else {
                self.lost.backwards += 1;
            }
        }
        for place in queued.into_values() {
            let Event::CsdQueue { to, .. } = timeline.event(place).event else {
                continue;
            };
            let target = to.and_then(|to| timeline.place_of(to));
            // Its entry may lie before what the target has kept.
            let may_be_gone = target.is_some_and(|target| {
                let target = &timeline.cpus[target];
                let first = target.events.first().map(|it| it.uptime_ns);
                target.overwritten > 0
                    && first.is_some_and(|first| timeline.event(place).uptime_ns <= first)
            });
            match may_be_gone {
                true => self.lost.overwritten += 1,
                false => self.lost.unanswered += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use reveille_smp::cpu::CpuIndex;

    use super::*;
    use crate::trace::{
        generated::{self, cpu, machine},
        timeline::Cpu,
    };

    fn timeline(cpus: impl Into<Vec<Cpu>>) -> Timeline {
        Timeline {
            names: generated::names(),
            cpus: cpus.into(),
        }
    }

    fn send(to: u32, vector: u8) -> Event {
        let (to, id) = (Some(CpuIndex(to)), 0);
        Event::IpiSend { to, vector, id }
    }

    fn entry(vector: u8) -> Event {
        Event::IrqEntry { vector }
    }

    /// The flights from CPU 0 to CPU 1: which event of the one is which of the other.
    fn between(arrows: &Arrows) -> Vec<(usize, usize)> {
        let ends = |it: &Flight| {
            assert_eq!((it.from.cpu, it.to.cpu), (0, 1));
            (it.from.event, it.to.event)
        };
        arrows.flights.iter().map(ends).collect()
    }

    #[test]
    fn one_entry_answers_all_sends_since_the_one_before() {
        let arrows = Arrows::of(&timeline([
            cpu(
                0,
                [
                    (1, send(1, 65)),
                    (2, send(1, 65)),
                    (4, send(1, 66)),
                    (5, send(1, 65)),
                ],
            ),
            cpu(1, [(3, entry(65)), (6, entry(65)), (7, entry(66))]),
        ]));
        assert_eq!(between(&arrows), [(0, 0), (1, 0), (2, 2), (3, 1)]);
        assert_eq!(arrows.lost, Lost::default());
    }

    #[test]
    fn a_send_while_the_one_before_is_about_to_be_noted_has_an_entry_of_its_own() {
        let mut target = cpu(1, [(3, entry(65)), (4, entry(65))]);
        target.uncertainty_ns = Some(1_000);
        let sends = [(1, send(1, 65)), (2, send(1, 65)), (9, send(1, 65))];
        let arrows = Arrows::of(&timeline([cpu(0, sends), target]));
        assert_eq!(between(&arrows), [(0, 0), (1, 1)]);
        assert_eq!(
            arrows.lost.unanswered, 1,
            "nothing explains that it comes so late"
        );
    }

    #[test]
    fn a_kick_of_a_later_life_is_not_that_of_an_earlier_one_however_wrong_the_clocks_may_be() {
        let to = Some(CpuIndex(1));
        let kicks = [(1, Event::Sipi { to }), (7, Event::Sipi { to })];
        let lives = [(3, Event::RealMode), (5, Event::RealMode)];
        let mut target = cpu(1, lives);
        target.uncertainty_ns = Some(1_000);
        let arrows = Arrows::of(&timeline([cpu(0, kicks), target]));
        assert_eq!(between(&arrows), [(0, 0), (1, 1)]);
    }

    #[test]
    fn what_a_cpu_did_not_see_before_it_went_down_arrives_at_no_later_life_of_it() {
        let arrows = Arrows::of(&timeline([
            cpu(0, [(1, send(1, 65)), (5, send(1, 65))]),
            cpu(
                1,
                [(2, Event::Online), (3, Event::RealMode), (4, entry(65))],
            ),
        ]));
        assert_eq!(arrows.flights, []);
        assert_eq!(arrows.lost.unanswered, 2);
    }

    #[test]
    fn a_send_whose_arrival_was_overwritten_is_no_other_entrys() {
        let mut target = cpu(1, [(3, Event::Online), (4, entry(65))]);
        target.overwritten = 1;
        let arrows = Arrows::of(&timeline([
            cpu(0, [(1, send(1, 65)), (3, send(1, 65))]),
            target,
        ]));
        assert_eq!(between(&arrows), [(1, 1)]);
        assert_eq!(arrows.lost.overwritten, 1);
    }

    #[test]
    fn an_arrival_may_be_earlier_than_its_send_by_what_the_clocks_are_uncertain() {
        let sends = |at| cpu(0, [(at, send(1, 65))]);
        let mut target = cpu(1, [(10, entry(65))]);
        target.uncertainty_ns = Some(5);
        let of = |at| Arrows::of(&timeline([sends(at), target.clone()]));
        assert_eq!(between(&of(15)), [(0, 0)]);
        assert_eq!(of(16).lost.unanswered, 1);
        // The first send looks later than its entry, and before the second one's.
        let two = cpu(0, [(11, send(1, 65)), (21, send(1, 65))]);
        let mut twice = cpu(1, [(10, entry(65)), (30, entry(65))]);
        twice.uncertainty_ns = Some(5);
        let of = |sender: Cpu| Arrows::of(&timeline([sender, twice.clone()]));
        assert_eq!(between(&of(two.clone())), [(0, 0), (1, 1)]);
        // Where sends were overwritten, the entry may be that of one of them.
        let mut rest = two;
        rest.overwritten = 1;
        assert_eq!(between(&of(rest)), [(0, 1), (1, 1)]);
        let calls = |at| cpu(0, [(at, Event::CsdQueue { to: None, id: 7 })]);
        let mut target = cpu(1, [(10, Event::CsdEntry { id: 7 })]);
        target.uncertainty_ns = Some(5);
        let of = |at| Arrows::of(&timeline([calls(at), target.clone()]));
        assert_eq!(between(&of(15)), [(0, 0)]);
        assert_eq!(of(16).lost.backwards, 1);
    }

    #[test]
    fn clocks_that_cannot_be_compared_have_no_arrows_between_them() {
        let mut target = cpu(
            1,
            [
                (1, Event::RealMode),
                (2, entry(65)),
                (3, Event::CsdEntry { id: 7 }),
                (4, send(1, 65)),
                (5, entry(65)),
            ],
        );
        target.uncertainty_ns = None;
        let to = Some(CpuIndex(1));
        let bsp = [
            (0, Event::Sipi { to }),
            (1, send(1, 65)),
            (2, Event::CsdQueue { to, id: 7 }),
        ];
        let arrows = Arrows::of(&timeline([cpu(0, bsp), target]));
        let place = |event| Place { cpu: 1, event };
        let (name, from, to) = (IPI, place(3), place(4));
        let to_itself = Flight { name, from, to };
        assert_eq!(arrows.flights, [to_itself]);
        assert_eq!(arrows.lost.incomparable, 2);
    }

    #[test]
    fn a_kick_is_the_last_one_before_the_start_whoever_it_was_for() {
        let to = Some(CpuIndex(1));
        let sipi = |to| Event::Sipi { to };
        let request = Event::WakeRequest { to };
        let arrows = Arrows::of(&timeline([
            cpu(
                0,
                [
                    (1, sipi(to)),
                    (2, sipi(to)),
                    (5, sipi(None)),
                    (8, request),
                    (9, sipi(to)),
                ],
            ),
            cpu(
                1,
                [
                    (3, Event::RealMode),
                    (4, Event::LongMode),
                    (6, Event::RealMode),
                    (7, Event::LongMode),
                    // By the mailbox.
                    (8, Event::LongMode),
                ],
            ),
        ]));
        assert_eq!(between(&arrows), [(1, 0), (2, 2), (3, 4)]);
    }

    #[test]
    fn a_start_whose_kick_is_not_there_is_not_that_of_the_kick_before() {
        let to = Some(CpuIndex(1));
        let lives = [(3, Event::RealMode), (6, Event::RealMode)];
        let arrows = Arrows::of(&timeline([
            cpu(0, [(1, Event::Sipi { to })]),
            cpu(1, lives),
        ]));
        assert_eq!(between(&arrows), [(0, 0)]);
    }

    #[test]
    fn calls_that_are_not_whole_are_counted() {
        let to = Some(CpuIndex(1));
        let queue = |id| Event::CsdQueue { to, id };
        let sender = cpu(0, [(1, queue(1)), (2, queue(2)), (3, queue(3))]);
        let target = [
            (4, Event::CsdEntry { id: 2 }),
            (5, Event::CsdDrop { id: 3 }),
            (6, Event::CsdEntry { id: 4 }),
        ];
        let arrows = Arrows::of(&timeline([sender.clone(), cpu(1, target)]));
        assert_eq!(between(&arrows), [(1, 0), (2, 1)]);
        assert_eq!((arrows.lost.unanswered, arrows.lost.unsent), (1, 1));
        let mut target = cpu(1, target);
        target.overwritten = 1;
        let arrows = Arrows::of(&timeline([sender, target]));
        assert_eq!((arrows.lost.overwritten, arrows.lost.unsent), (2, 0));
    }

    proptest! {
        /// Which of two neighbouring entries a send belongs to can be unknown: it is the one that answered
        /// it, or the one before. No entry goes without.
        #[test]
        fn every_send_of_a_machine_is_found_at_the_arrival_that_answered_it(machine in machine()) {
            let arrows = Arrows::of(&machine.timeline);
            prop_assert_eq!(arrows.lost, Lost::default());
            prop_assert_eq!(arrows.flights.len(), machine.flights.len());
            for (found, truth) in arrows.flights.iter().zip(&machine.flights) {
                prop_assert_eq!((found.name, found.from), (truth.name, truth.from));
                let events = &machine.timeline.cpus[truth.to.cpu].events;
                let entry = events[truth.to.event].event;
                let mut before = events[..truth.to.event].iter();
                let before = before.rposition(|it| found.name == IPI && it.event == entry);
                let may_be = [Some(truth.to.event), before];
                prop_assert_eq!(found.to.cpu, truth.to.cpu);
                prop_assert!(may_be.contains(&Some(found.to.event)));
                prop_assert!(machine.at(found.from) <= machine.at(found.to));
            }
            let arrivals = |flights: &[Flight]| flights.iter().map(|it| it.to).collect::<BTreeSet<_>>();
            prop_assert_eq!(arrivals(&arrows.flights), arrivals(&machine.flights));
        }
    }
}
