//! Who ran for how long, from the events of all CPUs.
//!
//! In virtual time one CPU runs at a time, and all clocks are one. So between two events of a CPU between which
//! no other CPU has one, that CPU ran, and the time is its instructions. **Only such spans count**, and of them
//! none in which it slept, or another CPU may have been reset:
//!
//! - Where a time slice ended in between, others have events there, and the span is left out. That is some
//!   hundred instructions less, and not the milliseconds that a reset is charged.
//! - A CPU that was sent INIT and no SIPI is reset without an event. So the span from INIT to what follows is
//!   left out.

use crate::trace::timeline::{Event, Place, Timeline};

/// A time for which a CPU ran and no other did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which CPU, by its place in the timeline.
    pub cpu: usize,
    /// The event that it begins with.
    pub from_ns: u64,
    /// The next one of that CPU.
    pub to_ns: u64,
}

impl Span {
    /// How many instructions the CPU ran.
    pub fn instructions(self) -> u64 {
        self.to_ns - self.from_ns
    }

    /// Whether it lies between these times.
    pub fn is_within(self, from_ns: u64, to_ns: u64) -> bool {
        from_ns <= self.from_ns && self.to_ns <= to_ns
    }
}

/// All spans that count, in the order of their times.
pub fn spans(timeline: &Timeline) -> Vec<Span> {
    let mut places: Vec<Place> = timeline.events().map(|(place, _)| place).collect();
    // Of one CPU, events of the same time are in their order.
    places.sort_by_key(|&place| (timeline.event(place).uptime_ns, place));
    let pairs = places.windows(2);
    pairs
        .filter_map(|pair| {
            let (from, to) = (timeline.event(pair[0]), timeline.event(pair[1]));
            let runs = !matches!(from.event, Event::IdleStart | Event::Init { .. });
            (pair[0].cpu == pair[1].cpu && runs).then_some(Span {
                cpu: pair[0].cpu,
                from_ns: from.uptime_ns,
                to_ns: to.uptime_ns,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::generated;

    fn timeline(cpus: [&[(u64, Event)]; 2]) -> Timeline {
        let cpus = (0..).zip(cpus);
        Timeline {
            names: generated::names(),
            cpus: cpus
                .map(|(cpu, events)| generated::cpu(cpu, events.iter().copied()))
                .collect(),
        }
    }

    fn told(cpus: [&[(u64, Event)]; 2]) -> Vec<(usize, u64)> {
        let spans = spans(&timeline(cpus));
        spans
            .iter()
            .map(|span| (span.cpu, span.instructions()))
            .collect()
    }

    const POLL: Event = Event::PollStart { task: None };

    #[test]
    fn a_cpu_ran_between_two_of_its_events_if_nobody_else_has_one_there() {
        let bsp = [(10, POLL), (17, Event::PollEnd), (90, POLL)];
        let ap = [(40, Event::RealMode), (45, Event::LongMode)];
        assert_eq!(told([&bsp, &ap]), [(0, 7), (1, 5)]);
    }

    #[test]
    fn a_cpu_that_sleeps_does_not_run() {
        let vector = 65;
        let bsp = [
            (10, Event::PollEnd),
            (12, Event::IdleStart),
            (500, Event::IrqEntry { vector }),
            (503, Event::IrqExit { vector }),
            (504, Event::IdleEnd),
        ];
        assert_eq!(told([&bsp, &[]]), [(0, 2), (0, 3), (0, 1)]);
    }

    #[test]
    fn where_a_cpu_may_have_been_reset_unseen_nothing_counts() {
        let to = None;
        let bsp = [
            (10, POLL),
            (13, Event::Init { to }),
            // A time slice ended here, and the CPU was reset in its own.
            (3_000_000, Event::Sipi { to }),
            (3_000_006, Event::PollEnd),
        ];
        assert_eq!(told([&bsp, &[]]), [(0, 3), (0, 6)]);
    }

    #[test]
    fn events_of_one_time_are_in_their_cpus_order() {
        let end = |step| Event::StepEnd {
            of: reveille_smp::cpu::CpuIndex(0),
            step,
            down: false,
            failed: false,
        };
        let bsp = [(10, end(1)), (10, POLL), (14, Event::PollEnd)];
        assert_eq!(told([&bsp, &[]]), [(0, 0), (0, 4)]);
    }
}
