//! What is told of the traces: the records, and a line for the console.

use alloc::{string::ToString, vec::Vec};
use core::fmt;

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    ladder::Ladder,
    record::{
        Record, Trace, TraceHead, TraceNames,
        trace::{TraceEvent, VectorName},
    },
    step::Mode,
    trace::{
        event::Target,
        ring::{Kept, Noted},
    },
};

use super::track::put_on_one_clock;
use crate::{
    interrupts::vectors::Vector,
    percpu::{self, PerCpu},
    report,
    time::TscClock,
};

/// Events in one record: a line of some kilobytes.
const EVENTS_A_RECORD: usize = 64;

/// How much there was to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    kept: u64,
    overwritten: u64,
    cpus: usize,
    /// CPUs whose events there was no memory to sort.
    untold: usize,
}

/// Writes the traces of all CPUs as records, if there are any, and says how much that was. Nothing is
/// noted any more.
pub fn tell(ladder: &Ladder, clock: TscClock) -> Option<Told> {
    let names = Names::collect(percpu::all());
    let mut told = Told::default();
    for area in percpu::all() {
        let Some(track) = &area.trace().track else {
            continue;
        };
        if told.cpus == 0 {
            report::write(&Record::TraceNames(names_of(ladder)));
        }
        told.cpus += 1;
        let Ok(kept) = track.ring().read() else {
            told.untold += 1;
            continue;
        };
        told.kept += kept.events.len() as u64;
        told.overwritten += kept.overwritten;
        write(area, kept, clock, &names);
    }
    (told.cpus > 0).then_some(told)
}

/// Bytes of heap that telling takes at the most: a copy of the longest track.
pub fn heap_to_tell() -> usize {
    let tracks = percpu::all()
        .iter()
        .filter_map(|area| area.trace().track.as_ref());
    let longest = tracks.map(|track| track.ring().room()).max();
    longest.map_or(0, |events| events * size_of::<Noted>())
}

fn write(area: &PerCpu, mut kept: Kept, clock: TscClock, names: &Names) {
    let skew = skew_of(area, &kept.events, clock);
    put_on_one_clock(&mut kept.events, skew.map_or(0, |(ahead_ns, _)| ahead_ns));
    report::write(&Record::TraceHead(TraceHead {
        cpu: area.index(),
        apic_id: area.apic_id(),
        kept: kept.events.len() as u64,
        overwritten: kept.overwritten,
        clock_offset_ns: skew.map(|(ahead_ns, _)| ahead_ns),
        uncertainty_ns: skew.map(|(_, uncertainty_ns)| uncertainty_ns),
    }));
    for events in kept.events.chunks(EVENTS_A_RECORD) {
        let told = events.iter().map(|noted| TraceEvent {
            uptime_ns: noted.at.as_nanos(),
            event: noted.event.map(|to| names.of(to)),
        });
        report::write(&Record::Trace(Trace {
            cpu: area.index(),
            events: told.collect(),
        }));
    }
}

/// By how many nanoseconds the clock by which a CPU noted these is ahead of the BSP's, and how far that can
/// be trusted; if that is known.
pub(super) fn skew_of(area: &PerCpu, events: &[Noted], clock: TscClock) -> Option<(i64, u64)> {
    let skew = match area.index() {
        CpuIndex::BSP => Some((0, 0)),
        _ => area
            .clock()
            .skew_to_bsp(clock)
            .map(|skew| (skew.ahead_ns, skew.uncertainty_ns)),
    };
    // The clock of a CPU whose counter has not come to where the BSP's was at the beginning stands
    // there: that is no time.
    let stood_still = events.iter().any(|noted| noted.at.as_nanos() == 0);
    skew.filter(|_| !stood_still)
}

fn names_of(ladder: &Ladder) -> TraceNames {
    let steps = ladder.steps().iter().map(|step| step.name().to_string());
    let vectors = Vector::NAMES.iter().map(|(vector, name)| VectorName {
        vector: vector.as_u8(),
        name: name.to_string(),
    });
    let places = (0..).zip(ladder.steps());
    let serialised = places.filter(|(_, step)| step.mode() == Mode::Serialised);
    TraceNames {
        steps: steps.collect(),
        serialised: Some(serialised.map(|(place, _)| place).collect()),
        vectors: vectors.collect(),
    }
}

/// The numbers of CPUs by the ids of their APICs.
pub(super) struct Names(Vec<(ApicId, CpuIndex)>);

impl Names {
    pub(super) fn collect(areas: &[&PerCpu]) -> Self {
        let pairs = areas.iter().map(|area| (area.apic_id(), area.index()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        Self(pairs)
    }

    pub(super) fn of(&self, target: Target) -> Option<CpuIndex> {
        let Target::One(id) = target else { return None };
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id);
        at.ok().map(|at| self.0[at].1)
    }
}

/// Such as `trace: 1204 events of 8 CPUs kept, 0 overwritten`, and a line each for what one can do and
/// for what is missing. All of it stands ten columns in, below the line of the bring-up.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kept,
            overwritten,
            cpus,
            untold,
        } = self;
        let noun = if *cpus == 1 { "CPU" } else { "CPUs" };
        write!(
            f,
            "trace: {kept} events of {cpus} {noun} kept, {overwritten} overwritten"
        )?;
        if *overwritten > 0 {
            f.write_str("\n                 trace=N keeps more")?;
        }
        if *untold > 0 {
            write!(
                f,
                "\n                 no memory to tell those of {untold} CPUs"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn what_is_told_is_told_in_a_line_and_what_is_missing_in_another() {
        let mut told = Told {
            kept: 1204,
            overwritten: 0,
            cpus: 8,
            untold: 0,
        };
        assert_eq!(
            told.to_string(),
            "trace: 1204 events of 8 CPUs kept, 0 overwritten"
        );
        told.overwritten = 7;
        assert!(
            told.to_string()
                .ends_with("7 overwritten\n                 trace=N keeps more")
        );
        told.untold = 2;
        let last = "\n                 no memory to tell those of 2 CPUs";
        assert!(told.to_string().ends_with(last), "{told}");
    }

    #[test]
    fn a_target_that_has_no_number_is_nobody() {
        let names = Names(Vec::from([
            (ApicId(2), CpuIndex(1)),
            (ApicId(8), CpuIndex(0)),
        ]));
        let of = |id| names.of(Target::One(ApicId(id)));
        assert_eq!([of(8), of(2)], [Some(CpuIndex(0)), Some(CpuIndex(1))]);
        assert_eq!((of(3), names.of(Target::AllOthers)), (None, None));
    }
}
