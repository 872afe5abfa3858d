//! One CPU's events: its ring, and the clock by which it notes them.

#![forbid(unsafe_code)]

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    step::{Direction, StepError},
    trace::{
        event::{Event, Packed, Target},
        ring::{Noted, Ring},
    },
};

use crate::time::TscClock;

/// The events of one CPU. Only the CPU itself notes, in whatever context it is.
#[derive(Debug)]
pub struct Track {
    cpu: CpuIndex,
    apic_id: ApicId,
    /// As it is on this CPU.
    clock: TscClock,
    ring: Ring,
}

impl Track {
    /// Nothing has been noted. `clock` is the CPU's own.
    pub fn new(cpu: CpuIndex, apic_id: ApicId, clock: TscClock, ring: Ring) -> Self {
        Self {
            cpu,
            apic_id,
            clock,
            ring,
        }
    }

    /// How others name the CPU.
    pub fn target(&self) -> Target {
        Target::One(self.apic_id)
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What the CPU did at this time of its own clock.
    pub fn note(&self, at: Instant, event: Packed) {
        self.ring.note(at, event);
    }

    /// What it does now.
    #[cold]
    #[inline(never)]
    pub(super) fn note_now(&self, event: Packed) {
        self.ring.note(self.clock.now(), event);
    }

    /// What it does now, with an id of its own, which is returned.
    pub(super) fn note_with_id(&self, event: Packed) -> u64 {
        self.ring.note_with_id(self.clock.now(), event)
    }

    /// The CPU's time stamp counter has just been moved by so many counts.
    pub fn clock_moved(&self, counts: i64) {
        let by_ns = self.clock.signed_nanos_of(counts);
        self.note_now(Event::ClockMoved { by_ns }.pack());
    }

    pub(super) fn step_begins(&self, count: u64, step: usize, direction: Direction) {
        let event = step_start(self.cpu, step, direction);
        self.note(self.clock.instant_of(count), event.pack());
    }

    pub(super) fn step_ended(
        &self,
        count: u64,
        step: usize,
        direction: Direction,
        result: Result<(), StepError>,
    ) {
        let event = step_end(self.cpu, step, direction, result);
        self.note(self.clock.instant_of(count), event.pack());
    }
}

/// A step begins, for this CPU.
#[inline]
pub fn step_start(of: CpuIndex, step: usize, direction: Direction) -> Event<Target> {
    Event::StepStart {
        of,
        step: step as u16,
        down: direction == Direction::Down,
    }
}

/// It ends.
#[inline]
pub fn step_end(
    of: CpuIndex,
    step: usize,
    direction: Direction,
    result: Result<(), StepError>,
) -> Event<Target> {
    Event::StepEnd {
        of,
        step: step as u16,
        down: direction == Direction::Down,
        failed: result.is_err(),
    }
}

/// Puts the events of a CPU in the order of their times on the BSP's clock, which this CPU's is ahead of
/// by so much. What was noted before the counter was moved is moved along.
pub(super) fn put_on_one_clock(events: &mut [Noted], ahead_ns: i64) {
    let mut by = 0_i64.saturating_sub(ahead_ns);
    for noted in events.iter_mut().rev() {
        let at = noted.at.as_nanos().saturating_add_signed(by);
        noted.at = Instant::from_nanos(at);
        if let Event::ClockMoved { by_ns } = noted.event {
            by = by.saturating_add(by_ns);
        }
    }
    // What is noted with an earlier time, or behind an interrupt that came in between, moves up.
    events.sort_unstable_by_key(|noted| (noted.at, noted.number));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events noted at these times, and what comes out, by their numbers.
    fn told(noted: &[(u64, Event<Target>)], ahead_ns: i64) -> Vec<(u64, u64)> {
        let numbered = noted.iter().zip(0..).map(|(&(at, event), number)| Noted {
            number,
            at: Instant::from_nanos(at),
            event,
        });
        let mut events: Vec<_> = numbered.collect();
        put_on_one_clock(&mut events, ahead_ns);
        let told = events.iter().map(|it| (it.number, it.at.as_nanos()));
        told.collect()
    }

    #[test]
    fn times_become_those_of_the_bsp() {
        let events = [(100, Event::Alive), (200, Event::Online)];
        assert_eq!(told(&events, 30), [(0, 70), (1, 170)]);
        assert_eq!(told(&events, -30), [(0, 130), (1, 230)]);
    }

    #[test]
    fn what_was_noted_before_the_clock_was_moved_is_moved_along() {
        let moved = |by_ns| Event::ClockMoved { by_ns };
        // Put 1,000 ahead by a fault, and back by the step `clock`; 5 ahead all the time.
        let events = [
            (105, Event::PollEnd),
            (1_205, moved(1_000)),
            (1_305, Event::RealMode),
            (405, moved(-1_000)),
            (505, Event::Alive),
        ];
        let expected = [(0, 100), (1, 200), (2, 300), (3, 400), (4, 500)];
        assert_eq!(told(&events, 5), expected);
    }

    #[test]
    fn events_are_told_in_the_order_of_their_times_and_of_their_numbers_where_these_are_equal() {
        let events = [
            (10, Event::PollEnd),
            (30, Event::IrqEntry { vector: 0x41 }),
            (20, Event::PollStart { task: None }),
            (20, Event::PollEnd),
        ];
        assert_eq!(told(&events, 0), [(0, 10), (2, 20), (3, 20), (1, 30)]);
    }
}
