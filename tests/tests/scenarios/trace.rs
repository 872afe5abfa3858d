//! The trace of a boot: what each CPU did and when, exported and read back.
//!
//! Where every send must have its entry, the machine runs in virtual time: a host that is busy may keep a
//! CPU from what was sent to it until the trace has ended.

use std::{fs, fs::File};

use reveille_smp::record::{Cpu, Record, TraceNames};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
    trace::{
        Drawing, check,
        picture::{Picture, Seen, Slice},
    },
};

use crate::{
    boot::{boot, firmware, is_whole},
    command::{stderr, stdout, xtask},
};

/// The trace of a boot, written to a file and read back: as the format says, with slices that nest and
/// arrows that have both ends.
fn exported(ended: &Ended) -> (Drawing, Picture) {
    let drawing = Drawing::of(&ended.records).expect("the trace is whole");
    println!("{drawing}");
    let mut file = Vec::new();
    drawing.write(&mut file).expect("memory takes all");
    let picture = check::read(file.as_slice()).expect("it is as the format says");
    assert_eq!(picture.tracks.len(), drawing.tracks.len());
    assert_eq!(picture.arrows.len() as u64, drawing.arrows);
    (drawing, picture)
}

/// Every send has its entry, every entry its exit, and nothing begins that does not end: but for what
/// each CPU is in at the end of the trace.
fn is_complete(drawing: &Drawing, picture: &Picture) {
    assert_eq!(drawing.overwritten, 0);
    assert_eq!(picture.unanswered(), Vec::<&Slice>::new());
    let (lost, incomplete) = (drawing.lost, drawing.incomplete);
    assert_eq!(
        (lost.unsent, lost.backwards, incomplete.headless),
        (0, 0, 0)
    );
    for (_, slice) in picture.slices() {
        let why = slice.endless();
        let is_open = why == Some("the trace ended") && slice.ended_ns == end_ns(picture);
        let is_poll_of_who_parked = why == Some("the CPU went down") && slice.category == "poll";
        assert!(
            why.is_none() || is_open || is_poll_of_who_parked,
            "{slice:?}"
        );
    }
}

fn end_ns(picture: &Picture) -> u64 {
    let ends = picture.slices().map(|(_, it)| it.ended_ns);
    ends.max().unwrap_or_default()
}

/// The slices of a track that have a name, and are no later part of one.
fn named<'a>(track: &'a Seen, name: &str) -> Vec<&'a Slice> {
    let is_meant = |it: &&Slice| it.name == name && !it.args.contains_key("part");
    track.slices.iter().filter(is_meant).collect()
}

/// Each AP is seen on its way up: as often as it was brought up, woken by the BSP, stage by stage and step by
/// step, and the first time at the times that the records tell.
fn shows_each_way_up(ended: &Ended, picture: &Picture, lives: usize) {
    let boot = ended.records.boot().expect("a boot record");
    let kick_ns = boot.entry_to_kick_ns.expect("somebody was kicked");
    let cpus = ended.records.cpus().expect("all records are whole");
    let names = names(ended);
    assert_eq!(picture.tracks.len(), cpus.len());
    for (index, cpu) in cpus.iter().enumerate().skip(1) {
        let track = &picture.tracks[index];
        let first = if cpu.real_ns.is_some() {
            "real mode"
        } else {
            "long mode"
        };
        let starts = named(track, first);
        assert_eq!(starts.len(), lives, "{}", track.name);
        let kicks = picture
            .arrows
            .iter()
            .filter(|it| it.name == "kick" && it.to.0 == index);
        let kicks: Vec<_> = kicks.map(|it| picture.slice(it.to).began_ns).collect();
        let starts: Vec<_> = starts.iter().map(|it| it.began_ns).collect();
        assert_eq!(kicks, starts, "{}: each start has its kick", track.name);
        for (stage, at_ns) in [("alive", cpu.alive_ns), ("online", cpu.online_ns)] {
            let began_ns = named(track, stage)[0].began_ns;
            let told_ns = kick_ns + at_ns.expect("it came up");
            assert!(
                is_about(began_ns, told_ns, cpu),
                "{stage} at {began_ns}: {cpu:?}"
            );
        }
        // What is below the kick is done by the BSP.
        let kick = names
            .steps
            .iter()
            .position(|it| it == "kick")
            .expect("such a step");
        let own = names.steps.iter().skip(kick + 1).map(|step| (track, step));
        let of_bsp = names
            .steps
            .iter()
            .take(kick)
            .map(|step| (&picture.tracks[0], step));
        for (track, step) in own.chain(of_bsp) {
            let steps = named(track, &format!("step {step}"));
            let mine = steps
                .iter()
                .filter(|it| it.args.get("of").is_none_or(|of| *of == index));
            assert!(mine.count() >= lives, "{}: {step}", track.name);
        }
    }
}

fn names(ended: &Ended) -> TraceNames {
    let records = ended.records.parse().expect("all records are whole");
    let names = records.into_iter().find_map(|record| match record {
        Record::TraceNames(names) => Some(names),
        _ => None,
    });
    names.expect("there is a trace")
}

/// Two times of a CPU's clock, as far as that can be compared.
fn is_about(one_ns: u64, other_ns: u64, cpu: &Cpu) -> bool {
    one_ns.abs_diff(other_ns) <= cpu.uncertainty_ns.expect("its clock can be compared")
}

fn shows_itself(machine: &Machine, lives: usize) -> (Drawing, Picture) {
    let ended = boot(machine);
    is_whole(machine, &ended);
    let (drawing, picture) = exported(&ended);
    shows_each_way_up(&ended, &picture, lives);
    (drawing, picture)
}

fn is_exported_whole(machine: Machine, lives: usize) {
    let (drawing, picture) = shows_itself(&machine.accel(Accel::Icount), lives);
    is_complete(&drawing, &picture);
}

#[test]
fn the_trace_of_8_cpus_that_go_down_and_come_back_shows_both_ways_up() {
    is_exported_whole(Machine::new(8).append("trace=on cycle=1"), 2);
}

#[test]
fn the_trace_of_64_cpus_is_whole() {
    is_exported_whole(Machine::new(64).append("trace=on"), 1);
}

#[test]
fn cpus_that_are_woken_by_a_mailbox_start_in_long_mode() {
    let machine = Machine::new(4).firmware(firmware().image());
    is_exported_whole(machine.append("madt=module trace=on cycle=1"), 2);
}

#[test]
fn cpus_that_run_side_by_side_show_their_ways_up_too() {
    let (drawing, picture) = shows_itself(&Machine::new(8).append("trace=on cycle=1"), 2);
    let (sends, unanswered) = (picture.arrows.len(), picture.unanswered().len());
    assert_eq!(drawing.lost.unanswered, unanswered as u64);
    assert!(sends > 100 && unanswered < sends / 10, "{drawing}");
}

#[test]
fn each_call_in_a_trace_has_its_entry_and_each_entry_its_exit() {
    let machine = Machine::new(8).accel(Accel::Icount);
    let machine = machine.append("calls=200 seed=1 trace=60000");
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let (drawing, picture) = exported(&ended);
    is_complete(&drawing, &picture);
    let of = |name: &str| picture.slices().filter(|(_, it)| it.name == name).count();
    let (queued, run, dropped) = (of("queue a call"), of("call"), of("drop a call"));
    let arrows = picture.arrows.iter().filter(|it| it.name == "call");
    println!("{queued} calls queued, {run} run, {dropped} dropped");
    assert_eq!(arrows.clone().count(), queued);
    assert_eq!(run + dropped, queued);
    // A CPU that calls itself runs the call at once.
    assert!(run > 100, "{run} calls ran");
    for arrow in arrows {
        let (from, to) = (picture.slice(arrow.from), picture.slice(arrow.to));
        assert_eq!(from.args["id"], to.args["id"]);
        assert!(from.began_ns <= to.began_ns && to.began_ns <= to.ended_ns);
        if to.name == "call" {
            assert_eq!(from.args["to"], arrow.to.0, "it runs where it was sent");
        }
    }
}

#[test]
fn a_ring_that_is_full_leaves_a_picture_of_what_it_kept() {
    let machine = Machine::new(8).append("trace=64 bench=2");
    let ended = boot(&machine);
    assert_eq!(ended.outcome, Outcome::Ok);
    let (drawing, picture) = exported(&ended);
    assert!(drawing.overwritten > 1_000, "{drawing}");
    assert!(!picture.arrows.is_empty(), "{drawing}");
    // What it kept are the last rounds.
    let online = picture
        .tracks
        .iter()
        .skip(1)
        .flat_map(|it| named(it, "online"));
    assert!(online.count() >= 7);
}

#[test]
fn a_cpu_that_stays_away_has_a_track_that_says_so() {
    let ended = boot(&Machine::new(8).append("trace=on fault=7:claimed"));
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{:?}",
        ended.outcome
    );
    let (_, picture) = exported(&ended);
    let track = &picture.tracks[7];
    assert_eq!(track.name, "CPU 7, APIC 7, stuck-long-mode");
    assert_eq!(named(track, "stuck-long-mode").len(), 1);
    let online = picture.tracks[1..7]
        .iter()
        .map(|it| named(it, "online").len());
    assert_eq!(online.sum::<usize>(), 6);
}

#[test]
fn run_writes_the_trace_and_says_how_to_see_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.json");
    let words = ["run", "--trace", path.to_str().expect("UTF-8")];
    let output = xtask(&words);
    assert_eq!(output.status.code(), Some(0));
    let text = stderr(&output);
    assert!(text.contains(" events of 2 CPUs, "), "{text}");
    let hint = format!("open {} at https://ui.perfetto.dev", path.display());
    assert!(text.contains(&hint), "{text}");
    let picture = check::read(File::open(&path).expect("it is written")).expect("it is right");
    assert_eq!(picture.tracks.len(), 2);
    // A run that fails is told of too, and its status is the run's.
    let output = xtask(&[&words[..], &["--append", "trace=300 fault=1:silent"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(" events of 2 CPUs, "));
    check::read(File::open(&path).expect("it is written")).expect("it is right");
    // And one that ends before there is a trace says that, and leaves what was there.
    let before = fs::read(&path).expect("it is there");
    let output = xtask(&[&words[..], &["--append", "bench=nine"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert!(
        text.contains("trace.json was not written: the kernel wrote no trace"),
        "{text}"
    );
    assert_eq!(fs::read(&path).expect("it is there"), before);
    let there = fs::read_dir(folder.path()).expect("a folder");
    assert_eq!(there.count(), 1, "a temporary file is left");
}

#[test]
fn a_trace_that_cannot_be_written_or_was_turned_off_is_told_before_the_boot() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.json");
    fs::write(&path, "old").expect("it can be written");
    let path = path.to_str().expect("UTF-8");
    let wrong = [
        (
            vec!["run", "--trace", "/dev/null/trace.json"],
            1,
            "cannot write /dev/null/trace.json",
        ),
        (
            vec!["run", "--trace", path, "--append", "trace=off"],
            2,
            "trace=off",
        ),
        (
            vec!["run", "--trace", path, "--json", path],
            2,
            "--json and --trace cannot both be written to ",
        ),
        (vec!["run", "--trace", "-"], 2, "the standard output has"),
    ];
    for (words, status, why) in wrong {
        let output = xtask(&words);
        assert_eq!(output.status.code(), Some(status));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "nothing was booted");
    }
    assert_eq!(fs::read(path).expect("it is there"), b"old");
}
