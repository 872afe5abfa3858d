//! Reads a file in the Trace Event Format back, and says where it breaks the format or shows what
//! cannot be.
//!
//! The rules are the format's own (see [`chrome`](super::chrome) for the document), each with the part of
//! it that it stands in, and those that Perfetto adds. They are stated over the file alone: nothing of what wrote it is used.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    io::Read,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::picture::{Drawn, Picture, Point, Seen, Slice};

/// The file as the format has it. Perfetto takes what stands beside it only behind the events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    trace_events: Vec<Value>,
    #[serde(default)]
    other_data: Map<String, Value>,
}

/// Fields of an event. Which of them must be there depends on `ph`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    ph: String,
    pid: u32,
    tid: u32,
    ts: Option<f64>,
    name: Option<String>,
    cat: Option<String>,
    id: Option<u64>,
    bp: Option<String>,
    s: Option<String>,
    #[serde(default)]
    args: Map<String, Value>,
}

/// Reads a file.
///
/// # Errors
///
/// The first event that breaks a rule, by its number in the file, from 0, and the rule.
pub fn read(file: impl Read) -> Result<Picture> {
    let file: File =
        serde_json::from_reader(file).context("it is not in the JSON Object Format")?;
    let mut reader = Reader::default();
    for (number, value) in file.trace_events.into_iter().enumerate() {
        let words = value.to_string();
        Event::deserialize(value)
            .context("fields are missing or wrong")
            .and_then(|event| reader.take(event))
            .with_context(|| format!("event {number}, {words}"))?;
    }
    reader.end(file.other_data)
}

#[derive(Default)]
struct Reader {
    processes: BTreeSet<u32>,
    /// The names and places of the threads, and what is on their tracks.
    threads: BTreeMap<(u32, u32), Thread>,
    arrows: BTreeMap<(String, String, u64), (Start, Option<End>)>,
    latest_ns: u64,
    order: usize,
}

#[derive(Default)]
struct Thread {
    name: Option<String>,
    sort_index: Option<u64>,
    slices: Vec<Slice>,
    open: Vec<usize>,
    points: Vec<Point>,
}

/// A slice by its thread and its place there.
type End = ((u32, u32), usize);

struct Start {
    order: usize,
    at: End,
}

impl Reader {
    fn take(&mut self, event: Event) -> Result<()> {
        if event.ph == "M" {
            return self.take_name(event);
        }
        let at_ns = nanos(event.ts.context("it has no time")?)?;
        // "Duration Events": in increasing order for a given thread. Over all threads, it keeps an
        // arrow's start in front of its end.
        ensure!(
            at_ns >= self.latest_ns,
            "it is earlier than the event before it, at {} ns",
            self.latest_ns
        );
        self.latest_ns = at_ns;
        ensure!(
            self.processes.contains(&event.pid),
            "its process has no name"
        );
        let key = (event.pid, event.tid);
        let thread = self
            .threads
            .get_mut(&key)
            .context("its thread has no name")?;
        match event.ph.as_str() {
            "B" => thread.begin(event, at_ns),
            "E" => thread.end(at_ns),
            "i" => thread.point(event, at_ns),
            "s" | "f" => {
                let open = thread.open.last();
                let slice = *open.context("an arrow's end lies in no slice")?;
                self.take_arrow(event, (key, slice))
            }
            other => bail!("we write no events of the phase {other}"),
        }
    }

    /// "Metadata Events".
    fn take_name(&mut self, event: Event) -> Result<()> {
        let what = event.name.context("it has no name")?;
        let text = || {
            let name = event.args.get("name").and_then(Value::as_str);
            name.filter(|name| !name.is_empty())
                .context("it names nothing")
        };
        if what == "process_name" {
            text()?;
            ensure!(self.processes.insert(event.pid), "the process has a name");
            return Ok(());
        }
        // Perfetto takes 0 for the idle thread, and hides it.
        ensure!(event.tid != 0, "thread 0 is hidden");
        let thread = self.threads.entry((event.pid, event.tid)).or_default();
        match what.as_str() {
            "thread_name" => {
                let before = thread.name.replace(text()?.to_owned());
                ensure!(before.is_none(), "the thread has a name");
            }
            "thread_sort_index" => {
                let index = event.args.get("sort_index").and_then(Value::as_u64);
                let before = thread.sort_index.replace(index.context("it has no place")?);
                ensure!(before.is_none(), "the thread has a place");
            }
            other => bail!("we write no {other}"),
        }
        Ok(())
    }

    /// "Flow Events": the two ends of one arrow have the same category, name and id, and an end with
    /// `"bp":"e"` belongs to the slice around it.
    fn take_arrow(&mut self, event: Event, at: End) -> Result<()> {
        let (Some(cat), Some(name), Some(id)) = (event.cat, event.name, event.id) else {
            bail!("an arrow's end has a category, a name and an id");
        };
        match (event.ph.as_str(), self.arrows.entry((cat, name, id))) {
            ("s", Entry::Vacant(entry)) => {
                let order = self.order;
                self.order += 1;
                entry.insert((Start { order, at }, None));
            }
            ("s", Entry::Occupied(_)) => bail!("the arrow has left before"),
            (_, Entry::Vacant(_)) => bail!("the arrow has not left"),
            (_, Entry::Occupied(mut entry)) => {
                ensure!(event.bp.as_deref() == Some("e"), "it has no `bp`");
                let before = entry.get_mut().1.replace(at);
                ensure!(before.is_none(), "the arrow has arrived before");
            }
        }
        Ok(())
    }

    fn end(self, other: Map<String, Value>) -> Result<Picture> {
        let mut threads: Vec<_> = self.threads.into_iter().collect();
        threads.sort_by_key(|(_, thread)| thread.sort_index);
        let mut places = BTreeMap::new();
        let mut tracks = Vec::new();
        for (key, thread) in threads {
            places.insert(key, tracks.len());
            tracks.push(thread.seen()?);
        }
        let mut arrows: Vec<_> = self.arrows.into_iter().collect();
        arrows.sort_by_key(|(_, (start, _))| start.order);
        let place = |(key, slice): End| (places[&key], slice);
        let arrows = arrows.into_iter().map(|((_, name, id), (start, end))| {
            let end = end.with_context(|| format!("the arrow {id}, {name}, never arrives"))?;
            Ok(Drawn {
                name,
                from: place(start.at),
                to: place(end),
            })
        });
        Ok(Picture {
            arrows: arrows.collect::<Result<_>>()?,
            tracks,
            other,
        })
    }
}

impl Thread {
    /// "Duration Events": they nest.
    fn begin(&mut self, event: Event, at_ns: u64) -> Result<()> {
        let (Some(name), Some(category)) = (event.name, event.cat) else {
            bail!("a slice has a name and a category");
        };
        ensure!(!name.is_empty(), "its name is empty");
        self.slices.push(Slice {
            name,
            category,
            began_ns: at_ns,
            ended_ns: at_ns,
            parent: self.open.last().copied(),
            args: event.args,
        });
        self.open.push(self.slices.len() - 1);
        Ok(())
    }

    fn end(&mut self, at_ns: u64) -> Result<()> {
        let slice = self.open.pop().context("no slice is open")?;
        self.slices[slice].ended_ns = at_ns;
        Ok(())
    }

    /// "Instant Events": their scope is the thread.
    fn point(&mut self, event: Event, at_ns: u64) -> Result<()> {
        ensure!(event.s.as_deref() == Some("t"), "its scope is not `t`");
        let (Some(name), Some(category)) = (event.name, event.cat) else {
            bail!("a point has a name and a category");
        };
        self.points.push(Point {
            name,
            category,
            at_ns,
            args: event.args,
        });
        Ok(())
    }

    fn seen(self) -> Result<Seen> {
        let name = self.name.context("a thread has a place and no name")?;
        ensure!(self.sort_index.is_some(), "{name} has no place");
        if let Some(open) = self.open.last() {
            bail!("{name}: the slice {} never ends", self.slices[*open].name);
        }
        Ok(Seen {
            name,
            slices: self.slices,
            points: self.points,
        })
    }
}

/// Microseconds with three digits behind the point, as nanoseconds.
fn nanos(micros: f64) -> Result<u64> {
    let nanos = micros * 1000.0;
    // Where a double no longer tells two nanoseconds apart.
    const MOST: f64 = (1_u64 << 53) as f64;
    ensure!((0.0..MOST).contains(&nanos), "its time is no time");
    Ok(nanos.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = [
        r#"{"ph":"M","pid":1,"tid":1,"name":"process_name","args":{"name":"a machine"}}"#,
        r#"{"ph":"M","pid":1,"tid":8,"name":"thread_name","args":{"name":"CPU 0"}}"#,
        r#"{"ph":"M","pid":1,"tid":8,"name":"thread_sort_index","args":{"sort_index":1}}"#,
        r#"{"ph":"M","pid":1,"tid":9,"name":"thread_name","args":{"name":"CPU 1"}}"#,
        r#"{"ph":"M","pid":1,"tid":9,"name":"thread_sort_index","args":{"sort_index":0}}"#,
    ];

    const EVENTS: [&str; 9] = [
        r#"{"ph":"B","ts":1,"pid":1,"tid":8,"name":"outer","cat":"c"}"#,
        r#"{"ph":"B","ts":1.5,"pid":1,"tid":8,"name":"inner","cat":"c","args":{"id":3}}"#,
        r#"{"ph":"s","ts":1.5,"pid":1,"tid":8,"name":"ipi","cat":"a","id":1}"#,
        r#"{"ph":"E","ts":1.5,"pid":1,"tid":8}"#,
        r#"{"ph":"B","ts":2.001,"pid":1,"tid":9,"name":"entry","cat":"c"}"#,
        r#"{"ph":"f","ts":2.001,"pid":1,"tid":9,"name":"ipi","cat":"a","id":1,"bp":"e"}"#,
        r#"{"ph":"i","ts":3,"pid":1,"tid":9,"name":"point","cat":"c","s":"t"}"#,
        r#"{"ph":"E","ts":3,"pid":1,"tid":9}"#,
        r#"{"ph":"E","ts":4,"pid":1,"tid":8}"#,
    ];

    fn file(names: &[&str], events: &[&str]) -> Result<Picture> {
        let all = [names, events].concat().join(",");
        read(format!(r#"{{"traceEvents":[{all}],"otherData":{{"events":9}}}}"#).as_bytes())
    }

    #[test]
    fn a_file_that_is_right_is_read_as_the_picture_that_a_viewer_shows() {
        let picture = file(&NAMES, &EVENTS).expect("it is right");
        let slice = |name: &str, began_ns, ended_ns, parent| Slice {
            name: name.to_owned(),
            category: "c".to_owned(),
            began_ns,
            ended_ns,
            parent,
            args: Map::new(),
        };
        let mut inner = slice("inner", 1_500, 1_500, Some(0));
        inner.args.insert("id".to_owned(), 3.into());
        let of_1 = Seen {
            name: "CPU 1".to_owned(),
            slices: vec![slice("entry", 2_001, 3_000, None)],
            points: vec![Point {
                name: "point".to_owned(),
                category: "c".to_owned(),
                at_ns: 3_000,
                args: Map::new(),
            }],
        };
        let of_0 = Seen {
            name: "CPU 0".to_owned(),
            slices: vec![slice("outer", 1_000, 4_000, None), inner],
            points: vec![],
        };
        assert_eq!(picture.tracks, [of_1, of_0]);
        let arrow = Drawn {
            name: "ipi".to_owned(),
            from: (1, 1),
            to: (0, 0),
        };
        assert_eq!(picture.arrows, [arrow]);
        assert_eq!(picture.other["events"], 9);
    }

    /// The names and events with one replaced, or left out where it is replaced by nothing.
    fn with(wrong: &[(usize, &str)]) -> String {
        let mut all = [&NAMES[..], &EVENTS[..]].concat();
        for (place, by) in wrong {
            all[*place] = by;
        }
        all.retain(|it| !it.is_empty());
        let error = file(&all, &[]).expect_err("it is wrong");
        format!("{error:#}")
    }

    #[test]
    fn each_rule_is_broken_by_an_event_that_is_told() {
        let wrong = [
            // Names.
            (0, "", "its process has no name"),
            (1, "", "a place and no name"),
            (2, "", "CPU 0 has no place"),
            (1, NAMES[3], "the thread has a name"),
            (2, NAMES[4], "the thread has a place"),
            (
                1,
                r#"{"ph":"M","pid":1,"tid":0,"name":"thread_name","args":{"name":"CPU 0"}}"#,
                "hidden",
            ),
            (
                0,
                r#"{"ph":"M","pid":1,"tid":1,"name":"process_name","args":{}}"#,
                "names nothing",
            ),
            // Times.
            (
                5,
                r#"{"ph":"B","pid":1,"tid":8,"name":"outer","cat":"c"}"#,
                "it has no time",
            ),
            (
                5,
                r#"{"ph":"B","ts":-1,"pid":1,"tid":8,"name":"outer","cat":"c"}"#,
                "no time",
            ),
            (
                5,
                r#"{"ph":"B","ts":1e14,"pid":1,"tid":8,"name":"outer","cat":"c"}"#,
                "no time",
            ),
            (
                5,
                r#"{"ph":"B","ts":1.501,"pid":1,"tid":8,"name":"outer","cat":"c"}"#,
                "earlier",
            ),
            // Fields.
            (
                5,
                r#"{"ph":"B","ts":1,"pid":1,"name":"outer","cat":"c"}"#,
                "missing",
            ),
            (
                5,
                r#"{"ph":"B","ts":1,"pid":1,"tid":8,"cat":"c"}"#,
                "a name and a category",
            ),
            (
                5,
                r#"{"ph":"B","ts":1,"pid":1,"tid":8,"name":"","cat":"c"}"#,
                "empty",
            ),
            (
                5,
                r#"{"ph":"X","ts":1,"pid":1,"tid":8,"name":"outer","cat":"c"}"#,
                "the phase X",
            ),
            (
                5,
                r#"{"ph":"B","ts":1,"pid":1,"tid":8,"name":"outer","cat":"c","dur":3}"#,
                "dur",
            ),
            (
                5,
                r#"{"ph":"B","ts":1,"pid":2,"tid":8,"name":"outer","cat":"c"}"#,
                "process",
            ),
            (
                5,
                r#"{"ph":"B","ts":1,"pid":1,"tid":7,"name":"outer","cat":"c"}"#,
                "its thread",
            ),
            (
                11,
                r#"{"ph":"i","ts":3,"pid":1,"tid":9,"name":"point","cat":"c"}"#,
                "scope",
            ),
            (
                11,
                r#"{"ph":"i","ts":3,"pid":1,"tid":9,"name":"point","s":"t"}"#,
                "a name and a category",
            ),
            // Slices.
            (13, "", "outer never ends"),
            (5, "", "no slice is open"),
            // Arrows.
            (7, "", "has not left"),
            (10, "", "1, ipi, never arrives"),
            (
                10,
                r#"{"ph":"f","ts":2.001,"pid":1,"tid":9,"name":"ipi","cat":"a","id":1}"#,
                "bp",
            ),
            (
                10,
                r#"{"ph":"f","ts":2.001,"pid":1,"tid":9,"name":"ipi","cat":"b","id":1,"bp":"e"}"#,
                "not left",
            ),
            (
                10,
                r#"{"ph":"f","ts":2.001,"pid":1,"tid":9,"name":"ipi","cat":"a","bp":"e"}"#,
                "an id",
            ),
            (
                10,
                r#"{"ph":"s","ts":2.001,"pid":1,"tid":9,"name":"ipi","cat":"a","id":1}"#,
                "has left before",
            ),
            (
                11,
                r#"{"ph":"f","ts":3,"pid":1,"tid":9,"name":"ipi","cat":"a","id":1,"bp":"e"}"#,
                "has arrived before",
            ),
        ];
        for (place, by, rule) in wrong {
            let error = with(&[(place, by)]);
            assert!(error.contains(rule), "{place}, {by}: {error}");
        }
        let outside = with(&[(9, ""), (12, "")]);
        assert!(outside.contains("lies in no slice"), "{outside}");
        assert!(
            outside.contains("event 9, {") && outside.contains("\"bp\""),
            "the event is told: {outside}"
        );
    }

    #[test]
    fn what_is_not_the_format_is_refused() {
        for file in [
            "",
            "[]",
            r#"{"otherData":{}}"#,
            r#"{"traceEvents":[3]}"#,
            r#"{"traceEvents":["#,
        ] {
            read(file.as_bytes()).expect_err(file);
        }
    }
}
