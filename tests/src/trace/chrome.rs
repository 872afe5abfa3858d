//! Tracks as a file in the Trace Event Format, which Perfetto and Chrome open.
//!
//! The format is "Trace Event Format", Google, <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>;
//! what it leaves open is as Perfetto's importer has it
//! (`src/trace_processor/importers/json/` of <https://github.com/google/perfetto>):
//!
//! - Slices are pairs of `B` and `E`, not `X`: Perfetto turns microseconds into whole nanoseconds by
//!   cutting off, begin and duration each by itself, so neighbours that touch would overlap by a
//!   nanosecond, and one of them would be dropped. The cut times of `B` and `E` keep their order.
//! - An arrow's end belongs to the slice that is open where it stands in the file: it stands right
//!   behind the `B`.
//! - Events are in the order of their times, over all tracks, and among those of the same time an arrow's
//!   start stands before its end: one that ends before it starts is not drawn.
//! - `traceEvents` comes first: an older Perfetto reads no further than to a key that it does not know.
//!   There is no `displayTimeUnit`: an older one would take the times for nanoseconds.
//! - No thread has the number 0, which Perfetto takes for idle and hides.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    merge::Merge,
    track::{Arrow, Label, Mark, Track, What},
};

/// The one process.
pub(super) const PROCESS: u32 = 1;

/// The thread of CPU 0; those of the others follow it.
pub(super) const FIRST_THREAD: u32 = 1000;

/// The category of all arrows. Both ends of one must have the same.
const ARROWS: &str = "arrow";

/// Writes a file with a picture of `tracks`, and `other` beside it, which a viewer shows as
/// information on the whole. Arrows that wait for each other in a ring, all at the same time, are left
/// out and counted there.
///
/// # Errors
///
/// Those of `out`.
pub fn write(
    out: impl Write,
    process: &str,
    tracks: &[Track],
    other: &Map<String, Value>,
) -> io::Result<()> {
    let mut events = Events { out, any: false };
    events.out.write_all(b"{\"traceEvents\":[")?;
    events.name("process_name", PROCESS, json!({ "name": process }))?;
    for (index, track) in tracks.iter().enumerate() {
        let thread = FIRST_THREAD + track.cpu;
        events.name("thread_name", thread, json!({ "name": track.name }))?;
        events.name("thread_sort_index", thread, json!({ "sort_index": index }))?;
    }
    let mut merge = Merge::of(tracks);
    while let Some((track, mark)) = merge.next() {
        events.mark(FIRST_THREAD + track.cpu, mark, &merge.torn)?;
    }
    let mut other = other.clone();
    other.insert("arrows_in_rings".into(), merge.torn.len().into());
    let mut out = events.out;
    out.write_all(b"\n],\"otherData\":")?;
    serde_json::to_writer(&mut out, &other)?;
    out.write_all(b"}\n")?;
    out.flush()
}

/// An event as it stands in the file.
#[derive(Serialize)]
struct Event<'a> {
    ph: &'static str,
    /// Microseconds; the format's own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    /// Both ends of an arrow have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// `e`: an arrow ends at the slice around it, and not at the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    /// `t`: a point of this thread alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a Map<String, Value>>,
}

impl Event<'_> {
    fn new(ph: &'static str, thread: u32) -> Self {
        Self {
            ph,
            ts: None,
            pid: PROCESS,
            tid: thread,
            name: None,
            cat: None,
            id: None,
            bp: None,
            s: None,
            args: None,
        }
    }
}

struct Events<W> {
    out: W,
    any: bool,
}

impl<W: Write> Events<W> {
    fn name(&mut self, what: &str, thread: u32, args: Value) -> io::Result<()> {
        self.put(&Event {
            name: Some(what),
            args: args.as_object(),
            ..Event::new("M", thread)
        })
    }

    fn mark(&mut self, thread: u32, mark: &Mark, torn: &BTreeSet<u64>) -> io::Result<()> {
        let event = |ph| Event {
            ts: Some(micros(mark.at_ns)),
            ..Event::new(ph, thread)
        };
        match &mark.what {
            What::Begin(label) => {
                self.put(&label.on(event("B")))?;
                let is_whole = |arrow: &&Arrow| !torn.contains(&arrow.number);
                for arrow in label.ends.arrive.iter().filter(is_whole) {
                    self.put(&Event {
                        bp: Some("e"),
                        ..arrow.on(event("f"))
                    })?;
                }
                for arrow in label.ends.leave.iter().filter(is_whole) {
                    self.put(&arrow.on(event("s")))?;
                }
                Ok(())
            }
            What::End => self.put(&event("E")),
            What::Point(label) => self.put(&Event {
                s: Some("t"),
                ..label.on(event("i"))
            }),
        }
    }

    fn put(&mut self, event: &Event<'_>) -> io::Result<()> {
        let separator: &[u8] = if self.any { b",\n" } else { b"\n" };
        self.any = true;
        self.out.write_all(separator)?;
        Ok(serde_json::to_writer(&mut self.out, event)?)
    }
}

impl Label {
    fn on<'a>(&'a self, event: Event<'a>) -> Event<'a> {
        Event {
            name: Some(&self.name),
            cat: Some(self.category),
            args: (!self.args.is_empty()).then_some(&self.args),
            ..event
        }
    }
}

impl Arrow {
    fn on(self, event: Event<'_>) -> Event<'_> {
        Event {
            name: Some(self.name),
            cat: Some(ARROWS),
            id: Some(self.number),
            ..event
        }
    }
}

/// The format's unit. A double holds nanoseconds as thousandths for as long as 104 days, and is
/// written with the fewest digits that tell it from its neighbours, so with three at most.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{check, track::Ends};

    fn label(name: &str) -> Label {
        Label::new(name, "thing")
    }

    fn begin(at_ns: u64, label: Label) -> Mark {
        let what = What::Begin(label);
        Mark { at_ns, what }
    }

    fn end(at_ns: u64) -> Mark {
        let what = What::End;
        Mark { at_ns, what }
    }

    fn track(cpu: u32, marks: Vec<Mark>) -> Track {
        let name = format!("CPU {cpu}");
        Track { cpu, name, marks }
    }

    fn arrow(number: u64) -> Vec<Arrow> {
        let name = "ipi";
        vec![Arrow { number, name }]
    }

    fn sends(at_ns: u64, number: u64) -> [Mark; 2] {
        let ends = Ends {
            leave: arrow(number),
            ..Ends::default()
        };
        [begin(at_ns, label("send").with_ends(ends)), end(at_ns)]
    }

    fn arrives(at_ns: u64, number: u64) -> [Mark; 2] {
        let ends = Ends {
            arrive: arrow(number),
            ..Ends::default()
        };
        [begin(at_ns, label("arrival").with_ends(ends)), end(at_ns)]
    }

    fn written(tracks: &[Track]) -> String {
        let mut file = Vec::new();
        write(&mut file, "a machine", tracks, &Map::new()).expect("memory takes all");
        String::from_utf8(file).expect("JSON is UTF-8")
    }

    #[test]
    fn the_file_is_what_the_format_says_event_by_event() {
        let point = What::Point(label("point").with("cpu", 1));
        let bsp = [
            vec![begin(1_001, label("outer"))],
            sends(2_000, 7).to_vec(),
            vec![
                Mark {
                    at_ns: 1_234_567_891,
                    what: point,
                },
                end(1_234_567_891),
            ],
        ];
        let tracks = [track(0, bsp.concat()), track(1, arrives(2_000, 7).to_vec())];
        let lines = [
            r#"{"traceEvents":["#,
            r#"{"ph":"M","pid":1,"tid":1,"name":"process_name","args":{"name":"a machine"}},"#,
            r#"{"ph":"M","pid":1,"tid":1000,"name":"thread_name","args":{"name":"CPU 0"}},"#,
            r#"{"ph":"M","pid":1,"tid":1000,"name":"thread_sort_index","args":{"sort_index":0}},"#,
            r#"{"ph":"M","pid":1,"tid":1001,"name":"thread_name","args":{"name":"CPU 1"}},"#,
            r#"{"ph":"M","pid":1,"tid":1001,"name":"thread_sort_index","args":{"sort_index":1}},"#,
            r#"{"ph":"B","ts":1.001,"pid":1,"tid":1000,"name":"outer","cat":"thing"},"#,
            r#"{"ph":"B","ts":2.0,"pid":1,"tid":1000,"name":"send","cat":"thing"},"#,
            r#"{"ph":"s","ts":2.0,"pid":1,"tid":1000,"name":"ipi","cat":"arrow","id":7},"#,
            r#"{"ph":"E","ts":2.0,"pid":1,"tid":1000},"#,
            r#"{"ph":"B","ts":2.0,"pid":1,"tid":1001,"name":"arrival","cat":"thing"},"#,
            r#"{"ph":"f","ts":2.0,"pid":1,"tid":1001,"name":"ipi","cat":"arrow","id":7,"bp":"e"},"#,
            r#"{"ph":"E","ts":2.0,"pid":1,"tid":1001},"#,
            r#"{"ph":"i","ts":1234567.891,"pid":1,"tid":1000,"name":"point","cat":"thing","s":"t","args":{"cpu":1}},"#,
            r#"{"ph":"E","ts":1234567.891,"pid":1,"tid":1000}"#,
            r#"],"otherData":{"arrows_in_rings":0}}"#,
        ];
        assert_eq!(written(&tracks).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn an_arrow_stands_behind_its_start_whichever_track_comes_first() {
        // All at the same moment: 2 sends to 1, and 1 to 0.
        let at_1 = [arrives(9, 1), sends(9, 2)].concat();
        let tracks = [
            track(0, arrives(9, 2).to_vec()),
            track(1, at_1),
            track(2, sends(9, 1).to_vec()),
        ];
        let seen = check::read(written(&tracks).as_bytes()).expect("all is in order");
        let ends: Vec<_> = seen.arrows.iter().map(|it| (it.from.0, it.to.0)).collect();
        assert_eq!(ends, [(2, 1), (1, 0)]);
    }

    #[test]
    fn arrows_that_wait_for_each_other_are_left_out_and_counted() {
        let ring = [
            track(0, [arrives(9, 1), sends(9, 2)].concat()),
            track(1, [arrives(9, 2), sends(9, 1)].concat()),
            track(2, arrives(3, 3).to_vec()),
        ];
        let file = written(&ring);
        let seen = check::read(file.as_bytes()).expect("what is drawn is in order");
        // The last one never leaves; of the ring, one arrow that is torn lets the other one stand.
        assert_eq!(seen.arrows.len(), 1);
        assert_eq!(seen.other["arrows_in_rings"], 2);
        assert_eq!(
            seen.tracks.iter().map(|it| it.slices.len()).sum::<usize>(),
            5
        );
    }

    #[test]
    fn a_nanosecond_is_kept_up_to_a_hundred_days() {
        const DAY: u64 = 24 * 3600 * 1_000_000_000;
        for at in [0, 1, 999, 1_000, 12_345_678_901, 100 * DAY + 1] {
            let marks = vec![begin(at, label("one")), end(at + 1)];
            let seen = check::read(written(&[track(0, marks)]).as_bytes()).expect("in order");
            let slice = &seen.tracks[0].slices[0];
            assert_eq!((slice.began_ns, slice.ended_ns), (at, at + 1));
        }
    }
}
