//! Reports of the committed results, and of what becomes of such files.

use std::{fs, path::PathBuf};

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};
use reveille_tests::{
    bench::{cell::Machine, results::FILE},
    bootchart::{BootChart, Doing, Lane, Span, Turn, stage::Milestones},
    kernel::workspace,
    report::{
        Report,
        charts::{Calls, Charts, Kept, SCHEMA},
        data::Pair,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A file of the committed results.
pub(crate) fn committed(name: &str) -> PathBuf {
    workspace().join(format!("docs/results/{name}.jsonl"))
}

/// All benchmarks together, with boots to look at.
pub(crate) fn all() -> Report {
    with_boots(&[kept(8), kept(64), kept(255)])
}

/// The same with a single boot, which not all of its CPUs survive: axe takes long for thousands of rows.
pub(crate) fn some() -> Report {
    with_boots(&[stuck(8)])
}

fn with_boots(boots: &[Kept]) -> Report {
    let strategies = folder(&lines("strategies"), boots);
    let paths = [
        strategies.path().join(BOOTS),
        committed("linux"),
        committed("growth"),
    ];
    Report::of(&paths).expect("they are whole")
}

/// What becomes of results, each with a name.
pub(crate) fn odd_ones() -> Vec<(&'static str, Report)> {
    let strategies = || lines("strategies");
    let of_size = |lines: Vec<Value>, cpus: &str| -> Vec<Value> {
        let is_it = |line: &Value| line["record"] == "bench" || line["machine"]["smp"] == cpus;
        let mut lines: Vec<_> = lines.into_iter().filter(is_it).collect();
        lines[0]["plan"] = json!([lines[1]["machine"]]);
        lines
    };
    let failed = |mut lines: Vec<Value>, cpus: &str| {
        for line in lines
            .iter_mut()
            .filter(|line| line["machine"]["smp"] == cpus)
        {
            line["outcome"] = json!({"failed": "the guest hung <b>at \"</script>\"</b>"});
            line["samples"] = json!({});
        }
        lines
    };
    let all_failed = |lines: Vec<Value>| {
        let sizes = ["2", "8", "64", "255"];
        sizes.into_iter().fold(lines, failed)
    };
    let one_cpu = || {
        let mut lines = of_size(strategies(), "2");
        for line in &mut lines[1..] {
            line["machine"]["smp"] = json!("1");
            line["samples"] = json!({});
            line["boot_online_ns"] = Value::Null;
        }
        lines[0]["plan"] = json!([lines[1]["machine"]]);
        lines
    };
    let single = || {
        let mut lines = strategies();
        lines[0]["strategies"] = json!(["parallel"]);
        for line in &mut lines[1..] {
            line["samples"] = json!({"parallel": line["samples"]["parallel"]});
        }
        lines
    };
    let lacking = || {
        let mut lines = strategies();
        for field in ["host", "qemu", "plan", "rounds", "started", "command"] {
            lines[0]
                .as_object_mut()
                .expect("a line is one")
                .remove(field);
        }
        for line in &mut lines[1..] {
            for field in ["load", "elapsed_ns", "boot_online_ns"] {
                line.as_object_mut().expect("a line is one").remove(field);
            }
        }
        lines
    };
    let of = |lines: Vec<Value>, boots: &[Kept]| report(&folder(&lines, boots));
    vec![
        ("failed", of(failed(strategies(), "64"), &[stuck(8)])),
        (
            "all-failed",
            of(failed(of_size(strategies(), "8"), "8"), &[]),
        ),
        ("all-sizes-failed", of(all_failed(strategies()), &[])),
        ("one-cpu", of(one_cpu(), &[kept(1)])),
        ("single-strategy", of(single(), &[kept(8)])),
        ("one-machine", of(of_size(strategies(), "8"), &[kept(8)])),
        ("lacking", of(lacking(), &[kept(8)])),
        ("cut-off", cut_off()),
        ("no-charts", of(strategies(), &[])),
        (
            "linux",
            Report::of(&[committed("linux")]).expect("it is whole"),
        ),
        (
            "growth",
            Report::of(&[committed("growth")]).expect("it is whole"),
        ),
    ]
}

/// As a disk that is full leaves them: both files end in the middle of a line.
fn cut_off() -> Report {
    let folder = folder(&lines("strategies"), &[kept(2), kept(8)]);
    for name in [FILE, "charts.jsonl"] {
        let path = folder.path().join(BOOTS).join(name);
        let text = fs::read(&path).expect("it is there");
        fs::write(&path, &text[..text.len() - 300]).expect("it is ours");
    }
    report(&folder)
}

/// The committed strategies with one boot of so many CPUs.
pub(crate) fn with_boot(kept: Kept) -> Report {
    report(&folder(&lines("strategies"), &[kept]))
}

/// What the folder of results is called.
const BOOTS: &str = "boots";

/// A folder with a folder of these results, and boots to look at.
fn folder(lines: &[Value], boots: &[Kept]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    let place = folder.path().join(BOOTS);
    fs::create_dir(&place).expect("it is new");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(place.join(FILE), text).expect("there is room");
    let mut charts = Charts::beside(&place);
    boots.iter().cloned().for_each(|kept| charts.add(kept));
    if !boots.is_empty() {
        charts.write().expect("there is room");
    }
    folder
}

fn report(folder: &TempDir) -> Report {
    Report::of(&[folder.path().join(BOOTS)]).expect("something is in it")
}

/// The lines of committed results.
fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(committed(name)).expect("it is committed");
    let lines = text.lines().map(serde_json::from_str);
    lines.map(|line| line.expect("each is an object")).collect()
}

/// A boot of so many CPUs, all of which come up, with what the boot processor did and calls between up to 64.
pub(crate) fn kept(cpus: u32) -> Kept {
    let lanes: Vec<Lane> = (0..cpus).map(lane).collect();
    let last = lanes.iter().filter_map(|lane| lane.times.online_ns).max();
    let turn = |lane: &Lane| {
        Some(Turn {
            cpu: lane.cpu?,
            step: "clock".to_owned(),
            began_ns: lane.times.alive_ns? + 500,
            ended_ns: lane.times.alive_ns? + 1_700,
        })
    };
    let span = |number: u64| {
        let doing = match number % 2 {
            0 => Doing::Poll,
            _ => Doing::Sleep,
        };
        Span {
            doing,
            began_ns: number * 2_000,
            ended_ns: number * 2_000 + 1_500,
        }
    };
    Kept {
        schema: SCHEMA,
        machine: Machine::new(cpus),
        failed: false,
        chart: BootChart {
            machine: "BOCHS BXPC".to_owned(),
            hypervisor: "TCGTCGTCGTCG".to_owned(),
            model: None,
            strategy: "parallel".to_owned(),
            aps: cpus - 1,
            online: cpus - 1,
            online_ns: last,
            total_ns: last.unwrap_or_default() + 2_000,
            serialised: Some(lanes.iter().filter_map(turn).collect()),
            lanes,
            gaps: Vec::new(),
            bsp: Some((0..u64::from(cpus) * 4).map(span).collect()),
        },
        ipi: (2..=64).contains(&cpus).then(|| calls(cpus)),
    }
}

/// The same, and the last CPU is stuck in real mode.
pub(crate) fn stuck(cpus: u32) -> Kept {
    let mut kept = kept(cpus);
    let last = kept.chart.lanes.last_mut().expect("there is one");
    last.outcome = Outcome::StuckRealMode;
    last.reason = Outcome::StuckRealMode.advice().map(str::to_owned);
    last.times = Milestones {
        long_ns: None,
        alive_ns: None,
        online_ns: None,
        ..last.times
    };
    kept.chart.online -= 1;
    kept
}

/// No two CPUs have the same times.
fn lane(cpu: u32) -> Lane {
    let base = 11_000 * u64::from(cpu);
    let at = |ns: u64| (cpu > 0).then_some(base + ns);
    Lane {
        cpu: Some(CpuIndex(cpu)),
        apic_id: ApicId(2 * cpu),
        place: Some(format!("0/{}/{}", cpu / 2, cpu % 2)),
        outcome: if cpu == 0 {
            Outcome::Bsp
        } else {
            Outcome::Online
        },
        step: None,
        reason: None,
        times: Milestones {
            init_ns: at(0),
            sipi_ns: at(9_000),
            real_ns: at(31_000 + 37 * u64::from(cpu)),
            long_ns: at(62_000),
            alive_ns: at(190_000),
            online_ns: at(401_000 + 53 * u64::from(cpu)),
        },
        sipis: u32::from(cpu > 0),
        polls: 3 + cpu % 4,
        uncertainty_ns: Some(120),
    }
}

fn calls(cpus: u32) -> Calls {
    let others = |from: u32| {
        (0..cpus)
            .filter(move |to| *to != from)
            .map(move |to| (from, to))
    };
    let pair = |(from, to): (u32, u32)| {
        let p50 = 9_000 + 100 * u64::from(from) + 10 * u64::from(to);
        Pair {
            from,
            to,
            p50_ns: Some(p50),
            p99_ns: Some(p50 * 3),
            max_ns: Some(p50 * 4),
        }
    };
    Calls {
        samples: 15,
        pairs: (0..cpus).flat_map(others).map(pair).collect(),
    }
}
