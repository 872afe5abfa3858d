//! No arrival before its send: where clocks are wrong by a little, what comes too early is put off.
//!
//! Times of two CPUs are known up to a tolerance, so an arrival may stand before its send. A viewer draws
//! no arrow that goes back in time, and a person learns nothing from one. So the arrival is moved to
//! the time of its send, and with it those behind it on the same CPU that would be earlier, no
//! further than that. Nothing is moved back, and the order on each CPU stays.

use super::{
    arrows::Flight,
    timeline::{Place, Timeline},
};

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// So many events.
    pub events: u64,
    /// The most that one of them was moved by.
    pub most_ns: u64,
}

/// Moves what comes too early.
pub fn settle(timeline: &mut Timeline, flights: &[Flight]) -> Moved {
    let before = times(timeline);
    // What one arrow moves may be a send, and its arrival moves with it. An event only ever moves to
    // where another one is, so this ends.
    loop {
        let mut is_settled = true;
        for flight in flights {
            let sent = timeline.event(flight.from).uptime_ns;
            is_settled &= !put_off(timeline, flight.to, sent);
        }
        if is_settled {
            break;
        }
    }
    let by = before.iter().zip(times(timeline));
    let moved = by
        .map(|(before, after)| after - before)
        .filter(|by| *by > 0);
    moved.fold(Moved::default(), |moved, by| Moved {
        events: moved.events + 1,
        most_ns: moved.most_ns.max(by),
    })
}

/// Lets an event, and those behind it on its CPU, be no earlier than `at_ns`. Says whether any was.
fn put_off(timeline: &mut Timeline, place: Place, at_ns: u64) -> bool {
    let events = &mut timeline.cpus[place.cpu].events[place.event..];
    let early = events.iter_mut().take_while(|it| it.uptime_ns < at_ns);
    early.map(|it| it.uptime_ns = at_ns).count() > 0
}

fn times(timeline: &Timeline) -> Vec<u64> {
    timeline.events().map(|(_, it)| it.uptime_ns).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use reveille_smp::cpu::CpuIndex;

    use super::*;
    use crate::trace::{
        arrows::{Arrows, Lost},
        generated::{self, cpu, machine},
        timeline::Event,
    };

    #[test]
    fn what_comes_too_early_is_put_off_with_what_is_behind_it_and_with_what_that_sends() {
        let vector = 65;
        let send = |to| Event::IpiSend {
            to: Some(CpuIndex(to)),
            vector,
            id: 1,
        };
        let entry = Event::IrqEntry { vector };
        let mut cpus = [
            cpu(0, [(10, send(1))]),
            cpu(
                1,
                [
                    (6, Event::IdleEnd),
                    (7, entry),
                    (8, send(2)),
                    (12, Event::IdleStart),
                ],
            ),
            cpu(2, [(9, entry), (11, Event::IdleStart)]),
        ];
        cpus.iter_mut().for_each(|cpu| cpu.uncertainty_ns = Some(3));
        let mut timeline = Timeline {
            names: generated::names(),
            cpus: cpus.into(),
        };
        let flights = Arrows::of(&timeline).flights;
        let moved = settle(&mut timeline, &flights);
        assert_eq!(times(&timeline), [10, 6, 10, 10, 12, 10, 11]);
        let most_ns = 3;
        assert_eq!(moved, Moved { events: 3, most_ns });
    }

    proptest! {
        /// Each AP's clock is wrong by up to a tolerance that it knows.
        #[test]
        fn with_clocks_that_are_a_little_wrong_nothing_arrives_before_it_was_sent(
            machine in machine(),
            wrong in vec(0..61_u64, 5),
        ) {
            let mut timeline = machine.timeline;
            for (cpu, wrong) in timeline.cpus.iter_mut().zip(wrong).skip(1) {
                cpu.uncertainty_ns = Some(30);
                for it in &mut cpu.events {
                    // No time is below 0.
                    it.uptime_ns = (it.uptime_ns + wrong).saturating_sub(30);
                }
            }
            let arrows = Arrows::of(&timeline);
            // A send may look later than the last entry of its vector.
            let unanswered = arrows.lost.unanswered;
            prop_assert_eq!(arrows.lost, Lost { unanswered, ..Lost::default() });
            prop_assert_eq!(arrows.flights.len() as u64 + unanswered, machine.flights.len() as u64);
            let moved = settle(&mut timeline, &arrows.flights);
            for it in &arrows.flights {
                prop_assert!(timeline.event(it.from).uptime_ns <= timeline.event(it.to).uptime_ns);
            }
            for cpu in &timeline.cpus {
                prop_assert!(cpu.events.is_sorted_by_key(|it| it.uptime_ns));
            }
            prop_assert_eq!(moved.events == 0, moved.most_ns == 0);
            // Nothing is put off by more than it could have been wrong, over as many CPUs as there are.
            prop_assert!(moved.most_ns <= 60 * 5);
        }
    }
}
