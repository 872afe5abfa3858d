//! Perfetto's own trace processor opens a trace, and shows what we have drawn.

use reveille_tests::{
    qemu::machine::Machine,
    skipped::Skipped,
    trace::{
        Drawing, check,
        perfetto::{Perfetto, Rows},
        picture::{Picture, Point, Seen, Slice},
    },
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::boot::{boot, kernel};

/// What it could not take.
const COMPLAINTS: &str = "select name, value from stats \
                          where severity in ('error', 'data_loss') and value > 0";

const TRACKS: &str = "select thread.name from thread join thread_track using (utid) order by tid";

/// Points are slices without a duration there.
const SLICES: &str = "select thread.name, slice.name, slice.category, slice.ts, slice.dur from slice \
                      join thread_track on thread_track.id = slice.track_id join thread using (utid)";

/// What is within what, of those that last.
const NESTED: &str = "select slice.name, slice.ts, slice.dur, parent.name, parent.ts, parent.dur \
                      from slice join slice parent on parent.id = slice.parent_id \
                      where slice.dur > 0";

const ARROWS: &str = "select one.name, one.ts, one_thread.name, other.name, other.ts, other_thread.name \
                      from flow \
                      join slice one on one.id = flow.slice_out \
                      join thread_track one_track on one_track.id = one.track_id \
                      join thread one_thread on one_thread.utid = one_track.utid \
                      join slice other on other.id = flow.slice_in \
                      join thread_track other_track on other_track.id = other.track_id \
                      join thread other_thread on other_thread.utid = other_track.utid";

fn dur_ns(slice: &Slice) -> u64 {
    slice.ended_ns - slice.began_ns
}

fn slices(picture: &Picture) -> Vec<Value> {
    let of = |track: &Seen| {
        let slice = |it: &Slice| json!([track.name, it.name, it.category, it.began_ns, dur_ns(it)]);
        let point = |it: &Point| json!([track.name, it.name, it.category, it.at_ns, 0]);
        let slices = track.slices.iter().map(slice);
        slices
            .chain(track.points.iter().map(point))
            .collect::<Vec<_>>()
    };
    picture.tracks.iter().flat_map(of).collect()
}

fn nested(picture: &Picture) -> Vec<Value> {
    let lasting = picture.slices().filter(|(_, it)| dur_ns(it) > 0);
    let rows = lasting.filter_map(|((track, _), it)| {
        let parent = picture.slice((track, it.parent?));
        let (began_ns, in_ns) = (it.began_ns, parent.began_ns);
        Some(json!([
            it.name,
            began_ns,
            dur_ns(it),
            parent.name,
            in_ns,
            dur_ns(parent)
        ]))
    });
    rows.collect()
}

fn arrows(picture: &Picture) -> Vec<Value> {
    let end = |place: (usize, usize)| {
        let slice = picture.slice(place);
        let track = &picture.tracks[place.0].name;
        [json!(slice.name), json!(slice.began_ns), json!(track)]
    };
    let arrows = picture.arrows.iter();
    arrows
        .map(|it| json!([end(it.from), end(it.to)].concat()))
        .collect()
}

/// The same rows, in any order.
fn is_same(ours: Vec<Value>, theirs: Rows) {
    let texts = |rows: Vec<Value>| {
        let mut rows: Vec<_> = rows.iter().map(Value::to_string).collect();
        rows.sort_unstable();
        rows
    };
    let ours = texts(ours);
    let theirs = texts(theirs.into_iter().map(Value::from).collect());
    let differs = ours.iter().zip(&theirs).find(|(one, other)| one != other);
    assert_eq!(differs, None);
    assert_eq!(ours.len(), theirs.len());
}

fn opens(perfetto: &Perfetto, machine: &Machine) {
    let ended = boot(machine);
    let drawing = Drawing::of(&ended.records).expect("the trace is whole");
    let file = NamedTempFile::new().expect("a file");
    drawing.write(&file).expect("it can be written");
    let picture = check::read(file.reopen().expect("it is there")).expect("it is right");
    assert!(picture.arrows.len() > 10, "{drawing}");
    let questions = [COMPLAINTS, TRACKS, SLICES, NESTED, ARROWS];
    let answers = perfetto.ask(file.path(), &questions);
    let [complaints, tracks, all, within, flows] = answers
        .expect("it opens the file")
        .try_into()
        .expect("an answer to each question");
    assert_eq!(complaints, Rows::new());
    let names = picture.tracks.iter().map(|it| vec![json!(it.name)]);
    assert_eq!(tracks, names.collect::<Rows>());
    is_same(slices(&picture), all);
    is_same(nested(&picture), within);
    is_same(arrows(&picture), flows);
}

#[test]
fn perfetto_shows_what_we_have_drawn() {
    let folder = kernel().scratch().join("perfetto");
    let Some(perfetto) = Perfetto::below(&folder) else {
        let line = format!(
            "Perfetto is not in {}, so it has opened no trace; .ci/run puts it there",
            folder.display()
        );
        return Skipped::of(kernel())
            .add(&line)
            .expect("the file can be written");
    };
    opens(&perfetto, &Machine::new(8).append("trace=on cycle=1"));
    opens(&perfetto, &Machine::new(8).append("trace=64 bench=2"));
    opens(
        &perfetto,
        &Machine::new(8).append("trace=on fault=7:claimed"),
    );
}
