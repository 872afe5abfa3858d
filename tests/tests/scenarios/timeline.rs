//! `cargo xtask timeline`: what is drawn is what the boot tells, and a run that fails is drawn too.

use std::{fs, path::Path};

use reveille_smp::outcome::Outcome;
use reveille_tests::{
    bootchart::{BootChart, Doing, svg},
    records::Records,
};
use roxmltree::Document;

use crate::command::{bare, stderr, stdout, xtask_with};

fn chart(path: &Path) -> BootChart {
    let text = fs::read_to_string(path).expect("the chart is written");
    serde_json::from_str(&text).expect("it is a chart")
}

/// The groups of a drawing that are lanes.
fn lanes(svg: &str) -> usize {
    let xml = Document::parse(svg).expect("it is XML");
    let is_lane = |it: &roxmltree::Node<'_, '_>| it.attribute("class") == Some("lane");
    xml.descendants().filter(is_lane).count()
}

#[test]
fn a_timeline_of_4_cpus_shows_what_the_records_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (picture, json, records) = (at("boot.svg"), at("boot.json"), at("boot.jsonl"));
    let name = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let words = [
        "timeline",
        "--out",
        &name(&picture),
        "--chart",
        &name(&json),
    ];
    let output = xtask_with(4, &[&words[..], &["--json", &name(&records)]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("bring-up: 3 of 3 APs online"),
        "the console is shown"
    );
    assert!(
        stderr(&output).contains("boot.svg"),
        "it is said where it is"
    );

    let drawn = fs::read_to_string(&picture).expect("it is drawn");
    assert_eq!(lanes(&drawn), 4);
    let mut lines = Records::default();
    let text = fs::read_to_string(&records).expect("the records are written");
    text.lines().for_each(|line| lines.push(line.to_owned()));
    let told = BootChart::of(&lines).expect("the records are whole");
    assert_eq!(chart(&json), told);
    assert_eq!(svg::draw(&told), drawn);

    // The whole bring-up was traced: each AP took its turn in each serialised step, within its way up.
    assert_eq!(told.gaps, []);
    let turns = told.serialised.as_deref().expect("it was traced");
    for lane in &told.lanes[1..] {
        let mine: Vec<_> = turns.iter().filter(|it| Some(it.cpu) == lane.cpu).collect();
        assert!(!mine.is_empty(), "CPU {:?} took no turn", lane.cpu);
        let slack_ns = lane.uncertainty_ns.expect("its clock can be compared");
        for turn in mine {
            assert!(turn.began_ns + slack_ns >= lane.times.alive_ns.expect("it is alive"));
            assert!(turn.ended_ns <= lane.times.online_ns.expect("it is online") + slack_ns);
        }
    }
    for pair in turns.windows(2) {
        let slack_ns = 2 * told
            .lanes
            .iter()
            .filter_map(|it| it.uncertainty_ns)
            .max()
            .unwrap_or(0);
        assert!(
            pair[0].ended_ns <= pair[1].began_ns + slack_ns,
            "two at once: {pair:?}"
        );
    }
    let bsp = told.bsp.as_deref().expect("it was traced");
    assert!(bsp.iter().any(|it| it.doing == Doing::Poll));
    assert!(
        bsp.windows(2)
            .all(|pair| pair[0].ended_ns <= pair[1].began_ns)
    );
    assert!(bsp.iter().all(|it| it.ended_ns <= told.total_ns));

    // From either file the same is drawn, and nothing boots.
    let again = at("again.svg");
    for from in [&records, &json] {
        let output = bare(&["timeline", "--from", &name(from), "--out", &name(&again)]);
        assert_eq!(
            (output.status.code(), stdout(&output).as_str()),
            (Some(0), "")
        );
        assert_eq!(fs::read_to_string(&again).expect("it is drawn"), drawn);
    }
}

#[test]
fn a_run_that_fails_is_drawn_with_the_cpu_that_did_and_ends_as_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let (picture, json) = (
        folder.path().join("boot.svg"),
        folder.path().join("boot.json"),
    );
    let [out, to] = [&picture, &json].map(|it| it.to_str().expect("UTF-8"));
    let words = ["timeline", "--out", out, "--chart", to, "--append"];
    let output = xtask_with(4, &[&words[..], &["fault=3:claimed"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let told = chart(&json);
    assert_eq!((told.online, told.aps), (2, 3));
    assert_eq!(told.lanes[3].outcome, Outcome::StuckLongMode);
    // For its deadline the BSP has nothing else to do. Where all APs come, they may do so before it can sleep.
    let bsp = told.bsp.as_deref().expect("it was traced");
    assert!(
        bsp.iter().any(|it| it.doing == Doing::Sleep),
        "no sleep in {bsp:?}"
    );
    let drawn = fs::read_to_string(&picture).expect("it is drawn");
    assert!(
        drawn.contains("stuck-long-mode: it was told to fail"),
        "{drawn}"
    );
    assert_eq!(lanes(&drawn), 4);

    // One that ends before there is anything to draw says that, and leaves what was there.
    let output = xtask_with(4, &[&words[..], &["bench=nine"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("were not written"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(&picture).expect("it is there"), drawn);
}

#[test]
fn a_timeline_is_drawn_from_what_there_is_and_from_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("boot.svg");
    let out = path.to_str().expect("UTF-8");
    let from = folder.path().join("wrong.jsonl");
    fs::write(&from, "no record\n").expect("it can be written");
    let from = from.to_str().expect("UTF-8");
    // A chart that was cut off has no record in it.
    let cut_off = folder.path().join("cut-off.json");
    fs::write(&cut_off, r#"{"machine":"BOCHS BXPC","hypervisor""#).expect("it can be written");
    let cut_off = cut_off.to_str().expect("UTF-8");
    let broken = folder.path().join("broken.jsonl");
    fs::write(&broken, "{\"record\":\"bo\n").expect("it can be written");
    let broken = broken.to_str().expect("UTF-8");
    let wrong: [(&[&str], i32, &str); 6] = [
        (&["--from", from, "--smp", "2"], 2, "cannot be used with"),
        (&["--from", from, "--shell"], 2, "cannot be used with"),
        (&["--from", "/dev/null/none"], 1, "/dev/null/none"),
        (&["--from", from], 1, "no whole chart, and no records"),
        (&["--from", cut_off], 1, "EOF while parsing"),
        (
            &["--from", broken],
            1,
            "broken.jsonl: record 1: {\"record\":\"bo",
        ),
    ];
    for (words, status, why) in wrong {
        let output = bare(&[&["timeline", "--out", out], words].concat());
        assert_eq!(output.status.code(), Some(status));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(!path.exists());
    }
}

#[test]
fn a_timeline_neither_replaces_what_it_is_drawn_from_nor_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let chart = include_str!("../../../docs/results/boots/timeline-8.json");
    fs::write(at("boot.json"), chart).expect("it can be written");
    std::os::unix::fs::symlink(at("boot.json"), at("link.json")).expect("a link");
    let paths = ["boot.json", "link.json", "boot.svg"].map(at);
    let [from, link, svg] = paths.each_ref().map(|it| it.to_str().expect("UTF-8"));
    for (words, why) in [
        (
            ["--out", from, "--chart", svg],
            "the timeline would replace",
        ),
        (
            ["--out", link, "--chart", svg],
            "the timeline would replace",
        ),
        (["--out", svg, "--chart", from], "--chart would replace"),
        (["--out", svg, "--chart", svg], "cannot both be written"),
    ] {
        let output = bare(&[&["timeline", "--from", from], &words[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(from).expect("it is there"), chart);
        assert!(!paths[2].exists());
    }
}
