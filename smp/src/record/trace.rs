//! The records `trace-names`, `trace-head` and `trace`: what each CPU noted as it ran, event by event.
//!
//! They are written with `trace=on`: the names once, then for every CPU, lowest number first, a head
//! and behind it its events, some in each record, in the order of their times. A CPU's events nest:
//! what begins within a poll, an interrupt or a sleep ends within it, in whatever of these it is; but for
//! steps, which go on over polls and sleeps.
//!
//! **Interrupts.** A send has an id of its own, its arrival has none: the APIC keeps one bit a vector,
//! so several sends may have one arrival. A send belongs to the first `irq-entry` of its vector on its
//! target that follows it. One that none follows was not seen to arrive: its target parked before, or
//! the trace ended.
//!
//! **Calls** are paired by their ids: each `csd-queue` has one `csd-entry` or one `csd-drop`, and each
//! entry a `csd-exit`, if nothing was overwritten.

use alloc::{string::String, vec::Vec};

use crate::cpu::{ApicId, CpuIndex};

pub use crate::trace::event::Event;

/// What the numbers in the events of a run stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TraceNames {
    /// The steps of the ladder, in its order: an event has an index into this.
    pub steps: Vec<String>,
    /// Those of them that are done for one CPU at a time, by their places; `null` where nobody told, as in records
    /// that were written before it was asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub serialised: Option<Vec<u16>>,
    /// The interrupt vectors that are in use.
    pub vectors: Vec<VectorName>,
}

/// An interrupt vector.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VectorName {
    /// Its number.
    pub vector: u8,
    /// What it is for, such as `doorbell`.
    pub name: String,
}

/// One CPU's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TraceHead {
    /// Our number of the CPU.
    pub cpu: CpuIndex,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Events that follow, in records `trace`.
    pub kept: u64,
    /// Earlier ones, in whose place later ones were noted.
    pub overwritten: u64,
    /// By how much the CPU's clock was found ahead of the BSP's, negative where it is behind; the times
    /// that follow are corrected by it. `null` where the two could not be compared: then the times are the
    /// CPU's own.
    pub clock_offset_ns: Option<i64>,
    /// How far the times that follow can be trusted; `null` as above.
    pub uncertainty_ns: Option<u64>,
}

/// Some events of one CPU, behind those of the record before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trace {
    /// The CPU that noted them.
    pub cpu: CpuIndex,
    /// In the order of their times.
    pub events: Vec<TraceEvent>,
}

/// Something that happened on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TraceEvent {
    /// When, from the kernel's first instruction on, as `entry_to_kick_ns` of the record `boot`.
    pub uptime_ns: u64,
    /// What. `to` is a CPU, or `null` for all others at once, or for one that has no number.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub event: Event<Option<CpuIndex>>,
}

#[cfg(all(test, feature = "serde", not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::record::Record;

    fn goes_through(record: &Record, line: &str) {
        assert_eq!(serde_json::to_string(record).unwrap(), line);
        assert_eq!(&serde_json::from_str::<Record>(line).unwrap(), record);
    }

    #[test]
    fn a_trace_is_written_and_read_back() {
        goes_through(
            &Record::TraceNames(TraceNames {
                steps: Vec::from(["stack".to_string(), "kick".to_string()]),
                serialised: Some(Vec::from([1])),
                vectors: Vec::from([VectorName {
                    vector: 65,
                    name: "doorbell".to_string(),
                }]),
            }),
            r#"{"record":"trace-names","steps":["stack","kick"],"serialised":[1],"vectors":[{"vector":65,"name":"doorbell"}]}"#,
        );
        goes_through(
            &Record::TraceHead(TraceHead {
                cpu: CpuIndex(1),
                apic_id: ApicId(2),
                kept: 3,
                overwritten: 4,
                clock_offset_ns: Some(-5),
                uncertainty_ns: None,
            }),
            r#"{"record":"trace-head","cpu":1,"apic_id":2,"kept":3,"overwritten":4,"clock_offset_ns":-5,"uncertainty_ns":null}"#,
        );
        let events = [
            Event::Init { to: None },
            Event::RealMode,
            Event::StepEnd {
                of: CpuIndex(3),
                step: 1,
                down: false,
                failed: true,
            },
            Event::IpiSend {
                to: Some(CpuIndex(0)),
                vector: 65,
                id: 1 << 53,
            },
            Event::PollStart { task: None },
        ];
        let events = events.into_iter().zip(7..);
        goes_through(
            &Record::Trace(Trace {
                cpu: CpuIndex(1),
                events: events
                    .map(|(event, uptime_ns)| TraceEvent { uptime_ns, event })
                    .collect(),
            }),
            concat!(
                r#"{"record":"trace","cpu":1,"events":[{"uptime_ns":7,"event":"init","to":null},"#,
                r#"{"uptime_ns":8,"event":"real-mode"},"#,
                r#"{"uptime_ns":9,"event":"step-end","of":3,"step":1,"down":false,"failed":true},"#,
                r#"{"uptime_ns":10,"event":"ipi-send","to":0,"vector":65,"id":9007199254740992},"#,
                r#"{"uptime_ns":11,"event":"poll-start","task":null}]}"#
            ),
        );
    }
}
