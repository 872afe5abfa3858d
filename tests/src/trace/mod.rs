//! The trace of a boot as a picture: one track a CPU, slices for what each did and when, and arrows
//! from what one sent to its arrival at another.
//!
//! ```text
//! records ─▶ timeline ─▶ arrows ─▶ causality ─▶ slices ─▶ chrome ─▶ a file ─▶ check
//!            who noted   what      nothing      what      as a      ─▶ Perfetto
//!            what when   arrived   arrives too  nests     viewer
//!                        where     early                  reads it
//! ```
//!
//! What cannot be drawn, because a ring was full or a CPU fell silent, is left out and counted in
//! [`Drawing`]: the picture is right for what it shows, and says what it lacks.

pub mod arrows;
pub mod causality;
pub mod check;
pub mod chrome;
#[cfg(test)]
pub(crate) mod generated;
mod ipis;
mod merge;
pub mod nest;
pub mod perfetto;
pub mod picture;
pub mod slices;
pub mod timeline;
pub mod track;

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufWriter, Write},
};

use anyhow::{Context, Result};
use reveille_smp::{
    cpu::CpuIndex,
    outcome::Outcome,
    record::{Boot, Record},
};
use serde_json::{Map, Value, json};

use self::{
    arrows::{Arrows, Lost},
    causality::Moved,
    nest::Incomplete,
    timeline::{Cpu, Event, Timeline},
    track::{Arrow, Ends, Label, Mark, Track, What},
};
use crate::records::Records;

/// A trace as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// The tracks, one a CPU, lowest number first.
    pub tracks: Vec<Track>,
    /// Events that they show.
    pub events: u64,
    /// Earlier events that the CPUs' rings did not keep.
    pub overwritten: u64,
    /// Arrows.
    pub arrows: u64,
    /// Sends and arrivals without an arrow.
    pub lost: Lost,
    /// Ends without a beginning, and the other way around.
    pub incomplete: Incomplete,
    /// What was put off, as it would have arrived before it was sent.
    pub moved: Moved,
    /// What the machine is called.
    machine: String,
    /// From the kernel's first instruction to the first INIT, or request in a mailbox.
    kick_ns: Option<u64>,
}

impl Drawing {
    /// What the records of a boot tell.
    ///
    /// # Errors
    ///
    /// There is no trace among them, or it breaks off.
    pub fn of(records: &Records) -> Result<Self> {
        Self::of_parsed(&records.parse()?)
    }

    fn of_parsed(records: &[Record]) -> Result<Self> {
        let mut timeline = Timeline::of(records)?;
        let arrows = Arrows::of(&timeline);
        let moved = causality::settle(&mut timeline, &arrows.flights);
        let boot = records.iter().find_map(|record| match record {
            Record::Boot(boot) => Some(boot),
            _ => None,
        });
        let mut drawing = Self {
            tracks: Vec::new(),
            events: timeline
                .cpus
                .iter()
                .map(|cpu| cpu.events.len() as u64)
                .sum(),
            overwritten: timeline.cpus.iter().map(|cpu| cpu.overwritten).sum(),
            arrows: arrows.flights.len() as u64,
            lost: arrows.lost,
            incomplete: Incomplete::default(),
            moved,
            machine: machine(boot),
            kick_ns: boot.and_then(|boot| boot.entry_to_kick_ns),
        };
        let mut ends = ends(&arrows);
        let width = timeline
            .cpus
            .last()
            .map_or(1, |cpu| cpu.cpu.to_string().len());
        for (place, cpu) in timeline.cpus.iter().enumerate() {
            let ends = ends.remove(&place).unwrap_or_default();
            let outcome = outcome(cpu, records);
            let (mut marks, incomplete) =
                slices::marks(cpu, &timeline.names, ends, timeline.end_ns());
            if let (true, Some(outcome)) = (marks.is_empty(), outcome) {
                marks = silence(&timeline, cpu.cpu, outcome);
            }
            drawing.incomplete.headless += incomplete.headless;
            drawing.incomplete.endless += incomplete.endless;
            drawing.tracks.push(Track {
                cpu: cpu.cpu.0,
                name: name(cpu, outcome, width),
                marks,
            });
        }
        Ok(drawing)
    }

    /// Writes the file that a viewer opens.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: impl Write) -> Result<()> {
        chrome::write(BufWriter::new(out), "Reveille", &self.tracks, &self.other())
            .context("cannot write the trace")
    }

    /// What stands beside the picture.
    fn other(&self) -> Map<String, Value> {
        let other = json!({
            "machine": self.machine,
            "first_kick_ns": self.kick_ns,
            "events": self.events,
            "overwritten": self.overwritten,
            "arrows": self.arrows,
            "sends_unanswered": self.lost.unanswered,
            "sends_unaddressed": self.lost.unaddressed,
            "ends_overwritten": self.lost.overwritten,
            "ends_incomparable": self.lost.incomparable,
            "calls_unsent": self.lost.unsent,
            "arrivals_backwards": self.lost.backwards,
            "slices_headless": self.incomplete.headless,
            "slices_endless": self.incomplete.endless,
            "events_put_off": self.moved.events,
            "put_off_by_at_most_ns": self.moved.most_ns,
        });
        match other {
            Value::Object(other) => other,
            _ => Map::new(),
        }
    }
}

/// What a person wants to know of it, a sentence each.
impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {}, {}",
            count(self.events, "event"),
            count(self.tracks.len() as u64, "CPU"),
            count(self.arrows, "arrow")
        )?;
        let was = |number: u64| if number == 1 { "was" } else { "were" };
        if self.overwritten > 0 {
            write!(
                f,
                "; {} {} overwritten (trace=N keeps N an AP)",
                count(self.overwritten, "earlier event"),
                was(self.overwritten)
            )?;
        }
        let Lost {
            unanswered,
            incomparable,
            unsent,
            backwards,
            ..
        } = self.lost;
        if unanswered > 0 {
            let sends = count(unanswered, "send");
            write!(f, "; {sends} {} not seen to arrive", was(unanswered))?;
        }
        match incomparable {
            0 => {}
            1 => write!(
                f,
                "; 1 end of an arrow is on a clock that cannot be compared"
            )?,
            ends => write!(
                f,
                "; {ends} ends of arrows are on clocks that cannot be compared"
            )?,
        }
        match unsent + backwards {
            0 => {}
            1 => write!(f, "; 1 arrival does not fit its send")?,
            arrivals => write!(f, "; {arrivals} arrivals do not fit their sends")?,
        }
        let Moved { events, most_ns } = self.moved;
        match events {
            0 => {}
            1 => write!(
                f,
                "; 1 event was put off by {most_ns} ns, or it would be earlier than its cause"
            )?,
            events => write!(
                f,
                "; {events} events were put off by up to {most_ns} ns, or they would be earlier than their causes"
            )?,
        }
        Ok(())
    }
}

/// A number of things, by the name of one.
fn count(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// The ends of the arrows, by CPU and event.
fn ends(arrows: &Arrows) -> BTreeMap<usize, BTreeMap<usize, Ends>> {
    let mut ends: BTreeMap<usize, BTreeMap<usize, Ends>> = BTreeMap::new();
    for (number, flight) in (1..).zip(&arrows.flights) {
        let name = flight.name;
        let arrow = Arrow { number, name };
        let from = ends.entry(flight.from.cpu).or_default();
        from.entry(flight.from.event).or_default().leave.push(arrow);
        let to = ends.entry(flight.to.cpu).or_default();
        to.entry(flight.to.event).or_default().arrive.push(arrow);
    }
    ends
}

fn machine(boot: Option<&Boot>) -> String {
    let Some(boot) = boot else {
        return "a machine that it did not name".to_owned();
    };
    match boot.accel_hint.as_str() {
        "none" => boot.machine.clone(),
        hint => format!("{}, {hint}", boot.machine),
    }
}

/// How the CPU's bring-up ended, the last time that it was told.
fn outcome(cpu: &Cpu, records: &[Record]) -> Option<Outcome> {
    records.iter().rev().find_map(|record| match record {
        Record::Cpu(it) if it.cpu == Some(cpu.cpu) => Some(it.outcome),
        _ => None,
    })
}

/// What is shown of a CPU that was woken and noted nothing: a track without anything on it is hidden.
fn silence(timeline: &Timeline, cpu: CpuIndex, outcome: Outcome) -> Vec<Mark> {
    let kicks = timeline.events().filter(|(_, it)| {
        matches!(it.event, Event::Sipi { to } | Event::WakeRequest { to } if to == Some(cpu))
    });
    let first_ns = kicks.map(|(_, it)| it.uptime_ns).min();
    let mark = |at_ns, what| Mark { at_ns, what };
    first_ns.map_or_else(Vec::new, |first_ns| {
        let label = Label::new(&outcome.to_string(), "stage");
        vec![
            mark(first_ns, What::Begin(label)),
            mark(timeline.end_ns(), What::End),
        ]
    })
}

/// As many digits as the highest number has: a viewer may sort by names.
fn name(cpu: &Cpu, outcome: Option<Outcome>, width: usize) -> String {
    let mut name = format!("CPU {:0width$}, APIC {}", cpu.cpu.0, cpu.apic_id);
    match outcome {
        Some(Outcome::Bsp) => name += ", BSP",
        Some(Outcome::Online) | None => {}
        Some(other) => name += &format!(", {other}"),
    }
    if cpu.uncertainty_ns.is_none() && !cpu.events.is_empty() {
        name += ", by its own clock";
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use reveille_smp::{
        cpu::ApicId,
        record::{self, Trace, TraceHead},
    };

    use super::{
        check,
        generated::{self, cpu, machine},
        picture::Picture,
        *,
    };

    /// The records that the kernel writes of a timeline.
    fn records(timeline: &Timeline) -> Vec<Record> {
        let mut records = vec![Record::TraceNames(timeline.names.clone())];
        for cpu in &timeline.cpus {
            records.push(Record::TraceHead(TraceHead {
                cpu: cpu.cpu,
                apic_id: cpu.apic_id,
                kept: cpu.events.len() as u64,
                overwritten: cpu.overwritten,
                clock_offset_ns: cpu.uncertainty_ns.map(|_| 0),
                uncertainty_ns: cpu.uncertainty_ns,
            }));
            records.extend(cpu.events.chunks(16).map(|events| {
                Record::Trace(Trace {
                    cpu: cpu.cpu,
                    events: events.to_vec(),
                })
            }));
        }
        records
    }

    fn drawn(records: &[Record]) -> Drawing {
        Drawing::of_parsed(records).expect("the trace is whole")
    }

    /// What is read of the file.
    fn seen(drawing: &Drawing) -> Picture {
        let mut file = Vec::new();
        drawing.write(&mut file).expect("memory takes all");
        check::read(file.as_slice()).expect("it is as the format says")
    }

    #[test]
    fn tracks_are_named_so_that_they_sort_and_tell_whose_they_are() {
        let mut others = cpu(10, [(1, Event::Alive)]);
        others.apic_id = ApicId(20);
        others.uncertainty_ns = None;
        let cpus = [cpu(0, []), cpu(9, [(1, Event::Alive)]), others];
        let names = generated::names();
        let mut records = records(&Timeline {
            names,
            cpus: cpus.into(),
        });
        for (cpu, outcome) in [(0, Outcome::Bsp), (9, Outcome::Online), (10, Outcome::Late)] {
            let cpu = CpuIndex(cpu);
            let cpu = record::Cpu::unwoken(Some(cpu), ApicId(0), outcome);
            records.insert(0, Record::Cpu(cpu));
        }
        let names: Vec<_> = seen(&drawn(&records))
            .tracks
            .into_iter()
            .map(|it| it.name)
            .collect();
        let expected = [
            "CPU 00, APIC 0, BSP",
            "CPU 09, APIC 9",
            "CPU 10, APIC 20, late, by its own clock",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_cpu_that_never_noted_anything_is_shown_from_its_first_kick_on() {
        let to = Some(CpuIndex(1));
        let bsp = [
            (5, Event::Sipi { to }),
            (9, Event::Sipi { to }),
            (20, Event::IdleStart),
        ];
        let mut records = records(&Timeline {
            names: generated::names(),
            cpus: [cpu(0, bsp), cpu(1, []), cpu(2, [])].into(),
        });
        for number in [1, 2] {
            let cpu = Some(CpuIndex(number));
            let cpu = record::Cpu::unwoken(cpu, ApicId(number), Outcome::StuckLongMode);
            records.insert(0, Record::Cpu(cpu));
        }
        let seen = seen(&drawn(&records));
        let [slice] = &seen.tracks[1].slices[..] else {
            panic!("{:?}", seen.tracks[1]);
        };
        assert_eq!(
            (slice.name.as_str(), slice.began_ns, slice.ended_ns),
            ("stuck-long-mode", 5, 20)
        );
        assert_eq!(seen.tracks[2].slices, [], "nobody kicked it");
    }

    #[test]
    fn what_is_missing_is_told() {
        let to = Some(CpuIndex(1));
        let send = |id| Event::IpiSend { to, vector: 65, id };
        let queue = Event::CsdQueue { to, id: 9 };
        let mut target = cpu(1, [(2, Event::PollEnd), (11, Event::CsdEntry { id: 9 })]);
        target.overwritten = 7;
        target.uncertainty_ns = Some(2);
        let timeline = Timeline {
            names: generated::names(),
            cpus: vec![cpu(0, [(1, send(1)), (12, queue), (20, send(3))]), target],
        };
        let drawing = drawn(&records(&timeline));
        let text = "5 events of 2 CPUs, 1 arrow; 7 earlier events were overwritten (trace=N keeps N an AP); \
                    1 send was not seen to arrive; 1 event was put off by 1 ns, or it would be earlier \
                    than its cause";
        assert_eq!(drawing.to_string(), text);
        let seen = seen(&drawing);
        assert_eq!(seen.unanswered().len(), 2);
        let told = |key: &str| seen.other[key].as_u64();
        assert_eq!(told("events"), Some(5));
        assert_eq!(told("ends_overwritten"), Some(1));
        assert_eq!(told("sends_unanswered"), Some(1));
        assert_eq!(
            (told("slices_headless"), told("slices_endless")),
            (Some(1), Some(1))
        );
    }

    proptest! {
        // Each case writes a file and reads it.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_send_of_a_machine_leads_to_its_arrival_in_the_file(machine in machine()) {
            let seen = seen(&drawn(&records(&machine.timeline)));
            prop_assert!(seen.unanswered().is_empty());
            prop_assert_eq!(seen.arrows.len(), machine.flights.len());
            for (arrow, flight) in seen.arrows.iter().zip(&machine.flights) {
                prop_assert_eq!(arrow.name.as_str(), flight.name);
                prop_assert_eq!(seen.slice(arrow.from).began_ns, machine.at(flight.from));
                prop_assert!(seen.slice(arrow.to).began_ns <= machine.at(flight.to));
                prop_assert_eq!((arrow.from.0, arrow.to.0), (flight.from.cpu, flight.to.cpu));
            }
        }

        /// And each CPU's clock is a little wrong.
        #[test]
        fn what_is_left_of_a_trace_is_a_picture_too(
            machine in machine(),
            gone in vec(0..40_usize, 5),
            ahead_ns in vec(0..40_u64, 5),
        ) {
            let mut timeline = machine.timeline;
            for (cpu, (gone, ahead_ns)) in timeline.cpus.iter_mut().zip(gone.into_iter().zip(ahead_ns)) {
                let gone = gone.min(cpu.events.len());
                cpu.events.drain(..gone);
                cpu.overwritten = gone as u64;
                cpu.uncertainty_ns = Some(40);
                cpu.events.iter_mut().for_each(|it| it.uptime_ns += ahead_ns);
            }
            let drawing = drawn(&records(&timeline));
            let seen = seen(&drawing);
            let torn = seen.other["arrows_in_rings"].as_u64().unwrap();
            prop_assert_eq!(seen.arrows.len() as u64 + torn, drawing.arrows);
            for arrow in &seen.arrows {
                prop_assert!(seen.slice(arrow.from).began_ns <= seen.slice(arrow.to).began_ns);
            }
        }
    }
}
