//! Figures of records that are made up.

use reveille_smp::strategy::Strategy;

use super::*;
use crate::qemu::machine::Chipset;

fn records(lines: &[String]) -> Records {
    let mut records = Records::default();
    lines.iter().cloned().for_each(|line| records.push(line));
    records
}

/// An AP, with the times of INIT, real mode, long mode and alive.
fn cpu(number: u32, [init, real, long, alive]: [u64; 4]) -> String {
    format!(
        r#"{{"record":"cpu","cpu":{number},"apic_id":{number},"package":0,"core":0,"thread":0,"outcome":"online","step":null,"reason":null,"sipis":1,"init_ns":{init},"sipi_ns":{init},"real_ns":{real},"long_ns":{long},"alive_ns":{alive},"online_ns":{alive},"polls":3}}"#
    )
}

fn bringup(total: u64) -> String {
    format!(
        r#"{{"record":"bringup","strategy":"parallel","round":0,"aps":3,"online":3,"failed":0,"kick_ns":0,"alive_ns":0,"online_ns":0,"total_ns":{total},"polls":9,"spurious_polls":1,"doorbells":2}}"#
    )
}

fn cycle() -> String {
    r#"{"record":"cycle","asked":1,"done":1,"aps":3,"lost":0,"failed":0,"duration_ns":5,"heap_before":7000,"heap_after":7000,"frames_before":3,"frames_after":3}"#.to_owned()
}

fn untraced() -> Vec<String> {
    vec![
        cpu(1, [0, 1000, 1050, 5000]),
        // Between its kick and the next one a time slice ended.
        cpu(2, [40, 2000, 2050, 6040]),
        cpu(3, [9_000_040, 9_000_100, 9_000_155, 9_004_150]),
        bringup(9_100_000),
        cycle(),
    ]
}

fn setting(cpus: u32, strategy: Strategy) -> Setting {
    Setting::new(Chipset::Q35, cpus, strategy)
}

fn value(figures: &[Figure], name: &str) -> Option<u64> {
    let figure = figures.iter().find(|figure| figure.name == name)?;
    Some(figure.value)
}

#[test]
fn counts_are_the_kernels_and_instructions_those_of_an_ap_in_the_middle() {
    let figures = counted(&setting(4, Strategy::Parallel), &records(&untraced()));
    let figures = figures.expect("the records are whole");
    for (name, expected) in [
        ("polls", 9),
        ("spurious-polls", 1),
        ("sipis", 3),
        ("doorbells", 2),
        ("kick-instructions", 9_000_000),
        ("real-to-long-instructions", 50),
        ("long-to-alive-instructions", 3990),
        ("heap-bytes", 7000),
    ] {
        assert_eq!(value(&figures, name), Some(expected), "{name}");
    }
}

#[test]
fn what_turns_on_the_ends_of_slices_is_no_figure_of_a_large_machine() {
    let [small, large] = [16, 17].map(|cpus| {
        let figures = counted(&setting(cpus, Strategy::Parallel), &records(&untraced()));
        value(&figures.expect("the records are whole"), "doorbells")
    });
    assert_eq!((small, large), (Some(2), None));
}

#[test]
fn who_waits_between_two_kicks_has_no_figure_of_a_kick() {
    let figures = counted(&setting(4, Strategy::Serial), &records(&untraced()));
    let figures = figures.expect("the records are whole");
    assert_eq!(value(&figures, "kick-instructions"), None);
}

#[test]
fn a_record_that_is_missing_or_whose_stamps_run_backwards_is_an_error() {
    let mut lines = untraced();
    lines[1] = cpu(2, [40, 2000, 1999, 6040]);
    let error = counted(&setting(4, Strategy::Parallel), &records(&lines));
    let error = error.expect_err("the stamps run backwards").to_string();
    assert!(error.contains("out of order"), "{error}");
    let (_, lines) = lines.split_last().expect("there are some");
    let error = counted(&setting(4, Strategy::Parallel), &records(lines));
    let error = error.expect_err("there is no cycle").to_string();
    assert!(error.contains("cycle"), "{error}");
}

/// A trace of a BSP and an AP: a kick, and a wake back.
fn traced() -> Vec<String> {
    let head = |cpu: u32, kept: u32| {
        format!(
            r#"{{"record":"trace-head","cpu":{cpu},"apic_id":{cpu},"kept":{kept},"overwritten":0,"clock_offset_ns":0,"uncertainty_ns":9}}"#
        )
    };
    let events = |cpu: u32, events: &[(u64, &str)]| {
        let event = |(at, what): &(u64, &str)| format!(r#"{{"uptime_ns":{at},"event":{what}}}"#);
        let events: Vec<_> = events.iter().map(event).collect();
        format!(
            r#"{{"record":"trace","cpu":{cpu},"events":[{}]}}"#,
            events.join(",")
        )
    };
    let bsp = [
        (90, r#""poll-start","task":0"#),
        (100, r#""init","to":1"#),
        (103, r#""sipi","to":1"#),
        (113, r#""poll-end""#),
        (115, r#""idle-start""#),
        (7250, r#""irq-entry","vector":65"#),
        (7257, r#""irq-exit","vector":65"#),
        // Behind the bring-up.
        (9999, r#""idle-start""#),
    ];
    let ap = [
        (7100, r#""real-mode""#),
        (7155, r#""long-mode""#),
        (7180, r#""alive""#),
        (7190, r#""ipi-send","to":0,"vector":65,"id":1"#),
        (7195, r#""idle-start""#),
        (7300, r#""irq-entry","vector":65"#),
        (7304, r#""online""#),
        (7306, r#""poll-end""#),
    ];
    vec![
        r#"{"record":"trace-names","steps":[],"vectors":[]}"#.to_owned(),
        head(0, bsp.len() as u32),
        events(0, &bsp),
        head(1, ap.len() as u32),
        events(1, &ap),
        bringup(7206),
    ]
}

#[test]
fn work_is_what_each_ran_until_every_outcome_was_known() {
    let figures = worked(&setting(2, Strategy::Parallel), &records(&traced()));
    let figures = figures.expect("the trace is whole");
    for (name, expected) in [
        // From INIT to SIPI nothing counts.
        ("bsp-instructions", 10 + 2 + 7),
        ("ap-instructions", 55 + 25 + 10 + 5 + 4 + 2),
        ("alive-to-online-instructions", 10 + 5 + 4),
        ("ipis", 1),
        ("interrupts", 2),
        ("bsp-sleeps", 1),
        ("ap-sleeps", 1),
    ] {
        assert_eq!(value(&figures, name), Some(expected), "{name}");
    }
}

#[test]
fn a_trace_that_cannot_be_counted_by_is_refused() {
    let setting = setting(2, Strategy::Parallel);
    for (from, to, why) in [
        (r#""clock_offset_ns":0"#, r#""clock_offset_ns":1"#, "apart"),
        (r#""overwritten":0"#, r#""overwritten":9"#, "overwritten"),
        (r#""init","to":1"#, r#""alive""#, "no INIT"),
        (
            r#""event":"online""#,
            r#""event":"alive""#,
            "CPU 1 came online",
        ),
    ] {
        let lines = traced();
        let changed = lines.iter().map(|line| line.replace(from, to));
        let changed: Vec<_> = changed.collect();
        assert_ne!(changed, lines);
        let error = worked(&setting, &records(&changed)).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }
}
