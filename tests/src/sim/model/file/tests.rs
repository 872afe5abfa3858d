//! Models are read as they are written, and each mistake is told of where it is.

use super::*;

/// One of everything.
const MODEL: &str = r#"
title = "a machine for tests"

[shape]
packages = 2
cores = 4
threads = 2
numbering = "siblings-together"
scale = "packages"

[timing]
head-start = 40
init-delay = 10
second-sipi = 20.5

[host]
cores = 2
slice = 3000

[[resource]]
name = "lock"
capacity = 1

[[cost]]
at = "start"
on = "latency"
who = "other-threads"
time = { log-uniform = { from = 350, to = 3500 } }
basis = "published"
source = "a cover letter"

[[cost]]
at = "init"
on = "bsp"
time = { constant = 0.25 }
basis = "assumed"
source = "an access to the APIC"

[[step]]
name = "prepare"
section = "prepare"
[[step.up]]
on = "bsp"
time = { choice = [[3, 1.5], [1, 4]] }
basis = "derived"
source = "the total by the CPUs"

[[step]]
name = "tsc"
section = "online"
mode = "serialised"
primaries-first = true
[[step.up]]
on = "pair"
holds = "lock"
time = { normal = { mean = 9, deviation = 2 } }
basis = "measured"
source = "boots of ours"
[[step.down]]
on = "ap"
time = { exponential = { mean = 4 } }
basis = "measured"
source = "boots of ours"

[[total]]
strategy = "two-pass"
part = "other-threads"
name = "May"
ms = 100.5
use = "validated"
within-percent = 15
source = "a cover letter"
"#;

fn model(text: &str) -> Model {
    Model::from_toml("test", text).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn a_model_is_read_as_it_is_written() {
    let time = Duration::from_nanos;
    let model = model(MODEL);
    assert_eq!((model.name.as_str(), model.shape.cpus()), ("test", 16));
    assert_eq!(model.timing.head_start, time(40_000));
    assert_eq!(model.timing.init_delay, time(10_000));
    assert_eq!(model.timing.second_sipi, SecondSipi::IfUnseen(time(20_500)));
    assert_eq!(model.timing.init_repeat, Timing::default().init_repeat);
    assert_eq!(model.host.map(|host| host.cores), Some(2));

    let [start, init] = &model.costs[..] else {
        panic!("{:?}", model.costs)
    };
    assert_eq!((start.at, start.piece.on), (At::Start, On::Latency));
    assert_eq!(start.piece.who, Who::OtherThreads);
    let (from, to) = (time(350_000), time(3_500_000));
    assert_eq!(start.piece.time, Delay::LogUniform { from, to });
    assert_eq!(init.piece.who, Who::Every);
    assert_eq!(init.piece.time, Delay::Constant(time(250)));
    assert_eq!(init.piece.basis, Basis::Assumed);

    let [prepare, tsc] = &model.steps[..] else {
        panic!("{:?}", model.steps)
    };
    assert_eq!(
        (prepare.name, prepare.section),
        ("prepare", Section::Prepare)
    );
    assert_eq!(prepare.mode, Mode::Concurrent);
    assert!(!prepare.primaries_first && prepare.down.is_empty());
    let choice = Delay::Choice(vec![(3.0, time(1_500)), (1.0, time(4_000))]);
    assert_eq!(prepare.up[0].time, choice);
    assert_eq!((tsc.section, tsc.mode), (Section::Online, Mode::Serialised));
    assert!(tsc.primaries_first);
    assert_eq!((tsc.up[0].on, tsc.up[0].holds), (On::Pair, Some(0)));
    assert_eq!(tsc.down.len(), 1);

    let [total] = &model.totals[..] else {
        panic!("{:?}", model.totals)
    };
    assert_eq!(total.strategy, Strategy::TwoPass);
    assert_eq!(total.name.as_deref(), Some("May"));
    assert_eq!(
        (total.part, total.role),
        (Part::OtherThreads, Use::Validated)
    );
    assert_eq!(total.published, Duration::from_micros(100_500));
    assert_eq!((total.cpus, total.within_percent), (16, Some(15.0)));
}

#[test]
fn totals_are_held_beside_a_machine_of_just_as_many_cpus() {
    let text = MODEL.replace("ms = 100.5", "cpus = 8\nms = 100.5");
    let model = model(&text);
    assert_eq!(model.fitting_totals().count(), 0);
    let smaller = model.with_cpus(8).expect("one package");
    assert_eq!(smaller.fitting_totals().count(), 1);
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    // What is written instead of what, and what the error must name.
    let mistakes = [
        // Words.
        (
            "title = \"a machine for tests\"",
            "title = \" \"",
            "`title` must say",
        ),
        ("cores = 4", "cores = 4\nsockets = 1", "sockets"),
        ("siblings-together", "random", "first-threads-first"),
        (
            "name = \"lock\"",
            "name = \"the lock\"",
            "[[resource]] \"the lock\": `name` must be made of a-z",
        ),
        (
            "name = \"prepare\"",
            "name = \"prep=are\"",
            "[[step]] \"prep=are\": `name` must be made of a-z",
        ),
        (
            "name = \"prepare\"",
            "name = \"\"",
            "[[step]] \"\": `name` must be made of a-z",
        ),
        (
            "name = \"prepare\"",
            "name = \"tsc\"",
            "[[step]] \"tsc\": `name`: there are two",
        ),
        (
            "name = \"prepare\"",
            "name = \"kick\"",
            "[[step]] \"kick\": `name`: the bring-up itself",
        ),
        (
            "name = \"prepare\"",
            "name = \"sipi\"",
            "[[step]] \"sipi\": `name`: the bring-up itself",
        ),
        (
            "source = \"an access to the APIC\"",
            "source = \"\"",
            "[[cost]] number 2: at init: `source` must say",
        ),
        (
            "source = \"the total by the CPUs\"",
            "source = \" \"",
            "number 1 (section prepare): `source` must say",
        ),
        (
            "holds = \"lock\"",
            "holds = \"look\"",
            "[[step]] \"tsc\": [[step.up]] number 1 (section online): `holds`: there is no resource \"look\"; there are: lock",
        ),
        // Numbers.
        ("packages = 2", "packages = 0", "[shape]: there are no CPUs"),
        ("cores = 2", "cores = 0", "[host]: `cores` must be 1"),
        (
            "slice = 3000",
            "slice = 0",
            "[host]: `slice` must be more than 0",
        ),
        (
            "capacity = 1",
            "capacity = 0",
            "[[resource]] \"lock\": `capacity` must be 1",
        ),
        (
            "constant = 0.25",
            "constant = -0.25",
            "-0.25 is no time here: times are in microseconds",
        ),
        (
            "constant = 0.25",
            "constant = nan",
            "times are in microseconds",
        ),
        (
            "constant = 0.25",
            "constant = inf",
            "times are in microseconds",
        ),
        (
            "constant = 0.25",
            "constant = 1e10",
            "to 3600000000 (an hour)",
        ),
        (
            "init-delay = 10",
            "init-delay = -1",
            "times are in microseconds",
        ),
        (
            "[[3, 1.5], [1, 4]]",
            "[[3, 1.5], [1, -4]]",
            "-4 is no time here",
        ),
        (
            "[[3, 1.5], [1, 4]]",
            "[]",
            "[[step.up]] number 1 (section prepare): `time`: choice: ",
        ),
        (
            "from = 350, to",
            "from = 3501, to",
            "[[cost]] number 1: at start: `time`: log-uniform: `from` must not be longer",
        ),
        (
            "ms = 100.5",
            "ms = 0",
            "[[total]] number 1: `ms` must be a time",
        ),
        (
            "name = \"May\"",
            "name = \" \"",
            "[[total]] number 1: `name` must say",
        ),
        (
            "ms = 100.5",
            "ms = inf",
            "[[total]] number 1: `ms` must be a time",
        ),
        (
            "ms = 100.5",
            "ms = 1\ncpus = 0",
            "[[total]] number 1: `cpus` must be 1",
        ),
        (
            "within-percent = 15",
            "within-percent = 0",
            "[[total]] number 1: `within-percent` must be more",
        ),
        (
            "\"two-pass\"",
            "\"two\"",
            "`strategy` must be parallel, broadcast, two-pass, serial or legacy, and not \"two\"",
        ),
        // Who is busy where.
        (
            "on = \"latency\"",
            "on = \"ap\"",
            "[[cost]] number 1: at start: `on` must be latency here, and not ap",
        ),
        (
            "at = \"init\"\non = \"bsp\"",
            "at = \"poll\"\non = \"pair\"",
            "at poll: `on` must be bsp or ap here, and not pair",
        ),
        (
            "at = \"init\"\n",
            "",
            "[[cost]] number 2: `at` must say where: init, ",
        ),
        (
            "[[step.down]]\n",
            "[[step.down]]\nat = \"poll\"\n",
            "[[step.down]] number 1 (section online): `at` must stand in a [[cost]] only",
        ),
        (
            "section = \"prepare\"\n[[step.up]]\non = \"bsp\"",
            "section = \"prepare\"\n[[step.up]]\non = \"ap\"",
            "`on` must be bsp or latency here, and not ap",
        ),
        (
            "section = \"prepare\"\n[[step.up]]\non = \"bsp\"",
            "section = \"starting\"\n[[step.up]]\non = \"bsp\"",
            "(section starting): `on` must be ap here, and not bsp",
        ),
        (
            "section = \"online\"",
            "section = \"starting\"",
            "`mode`: a step that is serialised must be of the section online",
        ),
    ];
    for (right, wrong, expected) in mistakes {
        assert!(MODEL.contains(right), "{right}");
        let text = MODEL.replacen(right, wrong, 1);
        let error = Model::from_toml("test", &text).expect_err(wrong);
        let error = format!("{error:#}");
        assert!(error.starts_with("the model test: "), "{error}");
        assert!(error.contains(expected), "`{wrong}` gave {error}");
    }
}

#[test]
fn two_resources_of_one_name_are_refused() {
    let text = MODEL.replace(
        "[[resource]]",
        "[[resource]]\nname = \"lock\"\ncapacity = 2\n[[resource]]",
    );
    let error = Model::from_toml("test", &text).expect_err("there are two");
    assert!(format!("{error:#}").contains("there are two"), "{error:#}");
}

#[test]
fn a_mistake_in_a_value_shows_its_line() {
    let text = MODEL.replace("constant = 0.25", "constant = -1");
    let error = format!(
        "{:#}",
        Model::from_toml("test", &text).expect_err("it is negative")
    );
    assert!(error.contains("time = { constant = -1 }"), "{error}");
}

#[test]
fn a_users_own_model_has_the_name_of_its_file_and_errors_name_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, MODEL).expect("the folder can be written");
    assert_eq!(Model::read(&path).expect("it is right").name, "mine");
    std::fs::write(&path, "titel = 1").expect("the folder can be written");
    for path in [path, folder.path().join("none.toml")] {
        let error = format!("{:#}", Model::read(&path).expect_err("it is wrong"));
        assert!(error.contains(&*path.to_string_lossy()), "{error}");
    }
}

#[test]
fn every_model_that_comes_with_reveille_is_right_and_grows() {
    for name in Model::names() {
        let model = Model::named(name).unwrap_or_else(|error| panic!("{error:#}"));
        for cpus in [2, 8192] {
            let grown = model.clone().with_cpus(cpus);
            assert_eq!(grown.expect(name).shape.cpus(), cpus);
        }
    }
}

#[test]
fn an_unknown_name_is_answered_with_those_that_there_are() {
    let error = Model::named("none").expect_err("there is none").to_string();
    for name in Model::names() {
        assert!(error.contains(name), "{error}");
    }
    assert!(error.contains(".toml"), "{error}");
}
