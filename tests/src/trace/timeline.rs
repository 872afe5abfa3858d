//! The events of all CPUs, from the records of a boot.
//!
//! Invariant: a CPU's events are in the order of their times. Times of two CPUs may be compared as far
//! as [`Timeline::tolerance_ns`] says.

use anyhow::{Context, Result, ensure};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    record::{
        Record, TraceHead, TraceNames,
        trace::{self, TraceEvent},
    },
};

/// What happened. Others are told by their numbers.
pub type Event = trace::Event<Option<CpuIndex>>;

/// What all CPUs noted.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// What the numbers in the events stand for.
    pub names: TraceNames,
    /// The CPUs, lowest number first.
    pub cpus: Vec<Cpu>,
}

/// What one CPU noted.
#[derive(Clone, Debug, PartialEq)]
pub struct Cpu {
    /// Our number.
    pub cpu: CpuIndex,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Events before those here, in whose place later ones were noted.
    pub overwritten: u64,
    /// How far its times can be trusted; `None` where they are its own clock's.
    pub uncertainty_ns: Option<u64>,
    /// The events.
    pub events: Vec<TraceEvent>,
}

/// One event: the CPU by its place in the timeline, the event by its place among those of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The CPU.
    pub cpu: usize,
    /// The event.
    pub event: usize,
}

impl Timeline {
    /// What is in the records of a boot.
    ///
    /// # Errors
    ///
    /// There is no trace, or it breaks off, or events are out of order.
    pub fn of(records: &[Record]) -> Result<Self> {
        let names = records.iter().find_map(|record| match record {
            Record::TraceNames(names) => Some(names.clone()),
            _ => None,
        });
        let mut timeline = Self {
            names: names.context("the kernel wrote no trace")?,
            cpus: Vec::new(),
        };
        let mut kept = Vec::new();
        for record in records {
            match record {
                Record::TraceHead(head) => {
                    kept.push(head.kept);
                    timeline.cpus.push(Cpu::new(head));
                }
                Record::Trace(trace) => {
                    let cpu = timeline.cpus.last_mut();
                    let cpu = cpu.filter(|cpu| cpu.cpu == trace.cpu);
                    let cpu =
                        cpu.with_context(|| format!("events of CPU {} have no head", trace.cpu))?;
                    cpu.events.extend(&trace.events);
                }
                _ => {}
            }
        }
        for (cpu, kept) in timeline.cpus.iter().zip(kept) {
            let read = cpu.events.len() as u64;
            ensure!(
                read == kept,
                "the trace of CPU {} breaks off: {read} of {kept} events were written",
                cpu.cpu
            );
            let is_ordered = cpu.events.is_sorted_by_key(|it| it.uptime_ns);
            ensure!(is_ordered, "the events of CPU {} are out of order", cpu.cpu);
        }
        Ok(timeline)
    }

    /// The CPU with a number, by its place.
    pub fn place_of(&self, cpu: CpuIndex) -> Option<usize> {
        self.cpus.iter().position(|it| it.cpu == cpu)
    }

    /// The event at a place.
    pub fn event(&self, place: Place) -> &TraceEvent {
        &self.cpus[place.cpu].events[place.event]
    }

    /// All events, those of one CPU behind those of the other.
    pub fn events(&self) -> impl Iterator<Item = (Place, &TraceEvent)> {
        let of = |(cpu, it): (usize, &'_ Cpu)| {
            let place = move |event| Place { cpu, event };
            (0..it.events.len()).map(place)
        };
        let places = self.cpus.iter().enumerate().flat_map(of);
        places.map(|place| (place, self.event(place)))
    }

    /// How far times of two CPUs may be apart although they are the same; `None` where they cannot be
    /// compared.
    pub fn tolerance_ns(&self, one: usize, other: usize) -> Option<u64> {
        if one == other {
            return Some(0);
        }
        let of = |cpu: usize| self.cpus[cpu].uncertainty_ns;
        Some(of(one)?.saturating_add(of(other)?))
    }

    /// From when on no event of any CPU was overwritten.
    pub fn all_kept_from_ns(&self) -> u64 {
        let full = self.cpus.iter().filter(|cpu| cpu.overwritten > 0);
        let first = full.filter_map(|cpu| cpu.events.first());
        first.map(|it| it.uptime_ns).max().unwrap_or_default()
    }

    /// When the last event of all was.
    pub fn end_ns(&self) -> u64 {
        let last = self.cpus.iter().filter_map(|cpu| cpu.events.last());
        last.map(|it| it.uptime_ns).max().unwrap_or_default()
    }
}

impl Cpu {
    fn new(head: &TraceHead) -> Self {
        Self {
            cpu: head.cpu,
            apic_id: head.apic_id,
            overwritten: head.overwritten,
            uncertainty_ns: head.uncertainty_ns,
            events: Vec::new(),
        }
    }

    /// Whether the CPU starts anew with an event: its first one on the way up.
    pub fn starts_at(&self, event: usize) -> bool {
        match self.events[event].event {
            Event::RealMode => true,
            // By the firmware's mailbox it is in long mode from the start.
            Event::LongMode => !self.events[..event]
                .iter()
                .rev()
                .map(|it| it.event)
                .take_while(|it| *it != Event::LongMode)
                .any(|it| it == Event::RealMode),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::record::{Trace, trace::TraceEvent};

    use super::*;
    use crate::trace::generated;

    fn head(cpu: u32, kept: u64) -> Record {
        Record::TraceHead(TraceHead {
            cpu: CpuIndex(cpu),
            apic_id: ApicId(cpu),
            kept,
            overwritten: 0,
            clock_offset_ns: Some(0),
            uncertainty_ns: Some(10 * u64::from(cpu)),
        })
    }

    fn events(cpu: u32, times: impl IntoIterator<Item = u64>) -> Record {
        let event = Event::Alive;
        let times = times.into_iter();
        Record::Trace(Trace {
            cpu: CpuIndex(cpu),
            events: times
                .map(|uptime_ns| TraceEvent { uptime_ns, event })
                .collect(),
        })
    }

    fn names() -> Record {
        Record::TraceNames(generated::names())
    }

    #[test]
    fn events_are_put_together_behind_their_heads() {
        let records = [
            names(),
            head(0, 3),
            events(0, [1, 2]),
            events(0, [2]),
            head(1, 0),
            head(3, 1),
            events(3, [9]),
        ];
        let timeline = Timeline::of(&records).expect("it is whole");
        let counts: Vec<_> = timeline.cpus.iter().map(|it| it.events.len()).collect();
        assert_eq!(counts, [3, 0, 1]);
        assert_eq!(timeline.end_ns(), 9);
        assert_eq!(timeline.place_of(CpuIndex(3)), Some(2));
        assert_eq!(timeline.place_of(CpuIndex(2)), None);
        assert_eq!(timeline.tolerance_ns(1, 2), Some(40));
        assert_eq!(timeline.tolerance_ns(2, 2), Some(0));
    }

    #[test]
    fn a_trace_that_is_not_whole_is_refused() {
        let wrong = [
            (vec![], "no trace"),
            (vec![names(), head(0, 2), events(0, [1])], "1 of 2"),
            (vec![names(), head(0, 2), events(0, [2, 1])], "out of order"),
            (
                vec![names(), head(0, 0), events(1, [1])],
                "CPU 1 have no head",
            ),
            (vec![names(), events(0, [1])], "CPU 0 have no head"),
        ];
        for (records, why) in wrong {
            let error = Timeline::of(&records).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_cpu_starts_in_real_mode_or_where_there_is_none_in_long_mode() {
        let (real, long, alive) = (Event::RealMode, Event::LongMode, Event::Alive);
        let events = [long, alive, real, long, alive, long];
        let cpu = generated::cpu(1, (1..).zip(events));
        let starts = (0..events.len()).filter(|event| cpu.starts_at(*event));
        assert_eq!(starts.collect::<Vec<_>>(), [0, 2, 5]);
    }
}
