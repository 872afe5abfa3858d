//! A report made by hand, in which nothing is missing and names are hostile.

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};

use crate::{
    bench::host::Host,
    bootchart::{BootChart, Doing, Lane, Span, Turn, stage::Milestones},
    report::data::{
        Boot, Cell, GrowthPoint, Heat, Linux, LinuxRow, Origin, Pair, Quantity, Report,
    },
};

/// What a guest may call itself, to see what becomes of it.
pub(super) const HOSTILE: &str = "</script><img src=x onerror=\"alert(1)\"> & 'Ω' 🦀 ${x}";

/// The report.
pub(super) fn report() -> Report {
    let cells = [(8, 700_000), (64, 5_000_000)]
        .into_iter()
        .flat_map(|(cpus, nanos)| {
            [
                cell(cpus, "parallel", nanos, None),
                cell(cpus, "serial", nanos * 8 / 5, Some(1.6)),
                cell(cpus, "bare", nanos / 2, Some(0.5)),
            ]
        });
    Report {
        title: "Reveille: two sizes of machine".to_owned(),
        origins: vec![origin()],
        cells: cells.collect(),
        growth: vec![growth(8, 1 << 20), growth(64, 1 << 23)],
        linux: Some(Linux {
            rows: vec![
                linux("reveille", true, 42_500_000),
                linux("reveille", false, 5_680_000),
                linux("linux-6.12.95 serial", true, 378_000_000),
            ],
        }),
        boots: vec![Boot {
            machine: "q35 tcg 4".to_owned(),
            cpus: 4,
            chart: chart(),
        }],
        heat: vec![Heat {
            machine: "q35 tcg 3".to_owned(),
            cpus: vec![0, 1, 2],
            samples: 285,
            pairs: pairs(3),
        }],
        missing: vec!["One boot failed; `cargo xtask bench --resume` tries it again.".to_owned()],
    }
}

fn origin() -> Origin {
    Origin {
        file: "strategies".to_owned(),
        started: Some("2026-11-29T03:36:43Z".to_owned()),
        command: Some("cargo xtask bench --smp 8,64 --append \"a 'b' <c>\"".to_owned()),
        reveille: "0.1.0 fa92d7e1ad".to_owned(),
        qemu: "10.0.2".to_owned(),
        rustc: "1.95.0".to_owned(),
        kernel: "crc32 59eaf028".to_owned(),
        hosts: vec![Host {
            cpu: HOSTILE.to_owned(),
            cpus: 2,
            memory_bytes: 25_276_502_016,
            system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        }],
        runs: Some(5),
        rounds: Some(9),
        boots_ok: 9,
        boots_failed: 1,
        busy_boots: Some(2),
    }
}

fn cell(cpus: u32, contender: &str, nanos: u64, ratio: Option<f64>) -> Cell {
    Cell {
        machine: format!("q35 tcg {cpus}"),
        cpus,
        contender: contender.to_owned(),
        is_yardstick: contender == "bare",
        boots: 5,
        failed: 1,
        failures: vec![format!("run 3: {HOSTILE}")],
        busy: Some(0),
        median_ns: Some(nanos),
        low_ns: Some(nanos * 9 / 10),
        high_ns: Some(nanos * 11 / 10),
        rounds: 41,
        five_ns: Some([80, 90, 100, 110, 120].map(|percent| nanos * percent / 100)),
        samples_ns: (80..=120).map(|percent| nanos * percent / 100).collect(),
        ratio,
        ratio_low: ratio.map(|it| it * 0.9),
        ratio_high: ratio.map(|it| it * 1.1),
        level: Some(0.9375),
    }
}

fn growth(cpus: u32, bytes: u32) -> GrowthPoint {
    GrowthPoint {
        machine: format!("q35 tcg {cpus}"),
        cpus,
        what: Quantity::GuestMemory,
        median: Some(f64::from(bytes)),
        low: None,
        high: None,
        level: None,
        boots: 3,
    }
}

fn linux(system: &str, is_cold: bool, nanos: u64) -> LinuxRow {
    LinuxRow {
        machine: "q35 tcg 64".to_owned(),
        cpus: 64,
        system: system.to_owned(),
        is_cold,
        boots: 3,
        busy: false,
        left_out: 0,
        failed: 0,
        median_ns: Some(nanos),
        low_ns: Some(nanos / 2),
        high_ns: Some(nanos * 2),
    }
}

/// The boot processor, two that came up, and one that is stuck in real mode.
fn chart() -> BootChart {
    let lane = |cpu: u32, outcome| {
        let begin = u64::from(cpu) * 100_000;
        let at = |nanos| (outcome == Outcome::Online).then_some(begin + nanos);
        let was_woken = outcome != Outcome::Bsp;
        Lane {
            cpu: Some(CpuIndex(cpu)),
            apic_id: ApicId(cpu * 2),
            place: Some(format!("0/{cpu}/0")),
            outcome,
            step: None,
            reason: outcome.is_failure().then(|| HOSTILE.to_owned()),
            times: Milestones {
                init_ns: was_woken.then_some(begin),
                sipi_ns: was_woken.then_some(begin + 20_000),
                real_ns: was_woken.then_some(begin + 300_000),
                long_ns: at(500_000),
                alive_ns: at(700_000),
                online_ns: at(1_220_000),
            },
            sipis: 1,
            polls: 4,
            uncertainty_ns: Some(120),
        }
    };
    let span = |doing, began_ns, ended_ns| Span {
        doing,
        began_ns,
        ended_ns,
    };
    let turn = |cpu, began_ns| Turn {
        cpu: CpuIndex(cpu),
        step: "topology".to_owned(),
        began_ns,
        ended_ns: began_ns + 90_000,
    };
    BootChart {
        machine: "BOCHS BXPC".to_owned(),
        hypervisor: "TCGTCGTCGTCG".to_owned(),
        model: None,
        strategy: "parallel".to_owned(),
        aps: 3,
        online: 2,
        online_ns: Some(1_420_000),
        total_ns: 2_000_000,
        lanes: vec![
            lane(0, Outcome::Bsp),
            lane(1, Outcome::Online),
            lane(2, Outcome::Online),
            lane(3, Outcome::StuckRealMode),
        ],
        gaps: Vec::new(),
        bsp: Some(vec![
            span(Doing::Poll, 0, 60_000),
            span(Doing::Sleep, 60_000, 750_000),
            span(Doing::Poll, 750_000, 800_000),
        ]),
        serialised: Some(vec![turn(1, 900_000), turn(2, 1_000_000)]),
    }
}

/// All pairs of so many CPUs; the last has no figure.
pub(super) fn pairs(cpus: u32) -> Vec<Pair> {
    let ordered = (0..cpus).flat_map(|from| (0..cpus).map(move |to| (from, to)));
    let apart = ordered.filter(|(from, to)| from != to);
    let pair = |(from, to): (u32, u32)| {
        let base = 4_000 + u64::from(from.abs_diff(to)) * 731 + u64::from(from * 7 + to * 13) % 900;
        let is_silent = (from, to) == (cpus - 1, cpus - 2);
        let nanos = |times: u64| (!is_silent).then_some(base * times);
        Pair {
            from,
            to,
            p50_ns: nanos(1),
            p99_ns: nanos(3),
            max_ns: nanos(20),
        }
    };
    apart.map(pair).collect()
}
