use super::*;
use crate::bench::{
    cell::Machine,
    host::Load,
    linux::image::Image,
    results::{Samples, tests::header},
};

const MS: u64 = 1_000_000;

fn run(system: &str, busy: bool, sample: &str, online_ms: &[u64]) -> Run {
    let samples = Samples {
        online_ns: online_ms.iter().map(|it| it * MS).collect(),
        ..Samples::default()
    };
    Run {
        system: system.to_owned(),
        machine: Machine::new(64),
        run: 1,
        outcome: Outcome::Ok,
        elapsed_ns: 0,
        boot_online_ns: None,
        load: Load {
            busy,
            ..Load::default()
        },
        host: None,
        samples: samples::Named::from([(sample.to_owned(), samples)]),
    }
}

pub(in super::super) fn linux(system: &str, busy: bool, online_ms: u64) -> Run {
    run(system, busy, samples::BRING_UP, &[online_ms])
}

/// One that was not up in 60 s.
pub(in super::super) fn late(system: &str, number: u32) -> Run {
    let within = std::time::Duration::from_secs(60);
    Run {
        run: number,
        outcome: super::super::late::late(within, true),
        elapsed_ns: 60_000 * MS + 1,
        samples: samples::Named::new(),
        ..linux(system, false, 1)
    }
}

fn ours(cold_ms: u64, warm_ms: &[u64]) -> Run {
    let mut ours = run(REVEILLE, false, samples::COLD, &[cold_ms]);
    let warm = run(REVEILLE, false, OURS, warm_ms);
    ours.samples.extend(warm.samples);
    ours
}

fn report(runs: &[Run]) -> String {
    let image = |series: &str, version: &str| Image {
        series: series.parse().expect("a series"),
        version: version.to_owned(),
        file: "vmlinuz".into(),
    };
    let images = [image("6.12", "6.12.95-1"), image("6.1", "6.1.176-1")];
    let subjects = Subject::all(&images, true);
    let header = Header {
        plan: vec![Machine::new(64)],
        systems: subjects.iter().map(ToString::to_string).collect(),
        ..header()
    };
    let report = Report {
        header: &header,
        runs,
    }
    .to_string();
    println!("{report}");
    assert!(report.lines().all(|line| line.len() <= WIDTH));
    report
}

/// A text as it is before it is folded.
fn unfolded(report: &str) -> String {
    report.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a system's row.
fn row(report: &str, name: &str) -> Vec<String> {
    let mut lines = report.lines();
    let line = lines.find(|line| line.trim_start().starts_with(name));
    let words = line.expect("it has a row").split_ascii_whitespace();
    words.map(str::to_owned).collect()
}

#[test]
fn ours_stands_beside_linuxs_better_mode_cold_with_cold() {
    let runs = [
        ours(30, &[5, 6, 9]),
        linux("linux-6.12.95 parallel", false, 9_600),
        linux("linux-6.12.95 serial", false, 372),
        linux("linux-6.1.176 serial", false, 282),
        linux("linux-6.1.176 serial", true, 100),
    ];
    let report = report(&runs);
    assert!(report.starts_with("q35 tcg 64\n"));
    let told = unfolded(&report);
    let older = "Linux 6.1 is better as linux-6.1.176 serial: 282 ms. Ours takes 30.0 ms cold, as Linux's is: 9.4 \
                 times as fast. Warm it takes 6.00 ms: 47.0 times as fast, but warm beside Linux's cold is not like \
                 with like.";
    assert!(told.contains(older));
    assert!(told.contains("Linux 6.12 is better as linux-6.12.95 serial: 372 ms."));
    let parallel = row(&report, "linux-6.12.95 parallel");
    assert_eq!(
        parallel[2..],
        ["1", "9600", "9600", "9600", "320.0", "1600.0"]
    );
    assert!(told.contains("In that time Linux makes for each CPU its kernel threads"));
    assert!(told.contains("more than 5 % of the host"));
    assert!(told.contains("(-trace serial_write), in its plain boots too"));
}

#[test]
fn one_that_does_not_come_up_in_time_is_told_as_a_result() {
    let report = report(&[
        ours(30, &[6]),
        late("linux-6.12.95 parallel", 2),
        linux("linux-6.1.176 serial", false, 282),
    ]);
    let why = "linux-6.12.95 parallel, boot 2: late: had begun, and was not up in 60 s";
    assert!(unfolded(&report).contains(why));
    let row = row(&report, "linux-6.12.95 parallel");
    assert_eq!(row[2..].join(" "), "0 (1 late) - - -");
    assert!(report.contains("Linux 6.1 is better as linux-6.1.176 serial"));
    assert!(!report.contains("Linux 6.12 is better"));
}

#[test]
fn boots_that_failed_or_were_late_are_told_beside_those_that_are_up() {
    let broken = Run {
        run: 3,
        outcome: Outcome::Failed("Kernel panic - not syncing".to_owned()),
        ..linux("linux-6.1.176 serial", false, 1)
    };
    let report = report(&[
        ours(30, &[6]),
        linux("linux-6.1.176 serial", false, 282),
        late("linux-6.12.95 serial", 1),
        linux("linux-6.12.95 serial", false, 400),
        linux("linux-6.12.95 serial", false, 300),
        broken,
    ]);
    let told = unfolded(&report);
    assert!(told.contains("linux-6.12.95 serial 2 (1 late) 300 400 late 13.3 66.7"));
    assert!(told.contains("linux-6.1.176 serial 1 (1 failed) 282 282 282"));
    assert!(told.contains("linux-6.12.95 serial, boot 1: late: had begun"));
    assert!(told.contains("linux-6.1.176 serial, boot 3: Kernel panic"));
}

#[test]
fn times_of_a_busy_host_are_not_put_beside_those_of_a_quiet_one() {
    let report = report(&[
        ours(30, &[6]),
        linux("linux-6.12.95 serial", true, 400),
        linux("linux-6.1.176 serial", false, 282),
    ]);
    let told = unfolded(&report);
    assert!(told.contains("1, busy 400 400 400 not alike not alike"));
    assert!(told.contains("30.0 ms cold, as Linux's is: not alike, as the host was busy"));
    assert!(told.contains("9.4 times as fast"));
}

#[test]
fn a_name_in_results_says_who_it_is() {
    let names = [
        "reveille",
        "reveille, traced by QEMU",
        "linux-6.12.95 parallel",
        "linux-6.1.176 serial, traced by itself",
    ];
    for name in names {
        let subject = Subject::named(name).expect("somebody has it");
        assert_eq!(subject.to_string(), name);
    }
    let serial = Subject::named(names[3]).expect("somebody has it");
    let series = serial.linux.map(|it| it.series.to_string());
    assert_eq!(
        (series.as_deref(), serial.view),
        (Some("6.1"), View::Inside)
    );
    for nobody in ["", "linux-6.12.95", "linux-6.12.95 slow", "windows"] {
        assert_eq!(Subject::named(nobody), None);
    }
}
