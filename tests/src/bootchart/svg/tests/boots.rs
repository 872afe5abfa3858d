//! Boots of every kind.

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};

use crate::bootchart::{BootChart, Doing, Lane, Span, Turn, gap::Gap, stage::Milestones};

/// A CPU's clock is seconds ahead, and was not compared.
pub(super) fn is_ahead(chart: &mut BootChart, cpu: usize) {
    let Lane {
        times,
        uncertainty_ns,
        ..
    } = &mut chart.lanes[cpu];
    *uncertainty_ns = None;
    for time in [
        &mut times.real_ns,
        &mut times.long_ns,
        &mut times.alive_ns,
        &mut times.online_ns,
    ] {
        *time = time.map(|nanos| nanos + 4_000_000_000);
    }
}

/// A boot of so many CPUs, which all come up.
pub(super) fn boot(cpus: u32) -> BootChart {
    let spans = (0..u64::from(cpus) * 3).map(|number| Span {
        doing: if number % 3 == 2 {
            Doing::Sleep
        } else {
            Doing::Poll
        },
        began_ns: number * 50_000,
        ended_ns: number * 50_000 + 40_000,
    });
    let turns = (1..cpus).map(|cpu| Turn {
        cpu: CpuIndex(cpu),
        step: "join".to_owned(),
        began_ns: 600_000 + u64::from(cpu) * 100_000,
        ended_ns: 680_000 + u64::from(cpu) * 100_000,
    });
    let lanes: Vec<_> = (0..cpus).map(lane).collect();
    let online_ns = lanes.last().and_then(|it| it.times.online_ns);
    BootChart {
        machine: "BOCHS BXPC".to_owned(),
        hypervisor: "TCGTCGTCGTCG".to_owned(),
        model: None,
        strategy: "parallel".to_owned(),
        aps: cpus - 1,
        online: cpus - 1,
        online_ns,
        total_ns: online_ns.unwrap_or_default() + 70_000,
        lanes,
        bsp: Some(spans.collect()),
        serialised: Some(turns.collect()),
        gaps: Vec::new(),
    }
}

pub(super) fn lane(cpu: u32) -> Lane {
    let at = |nanos: u64| Some(u64::from(cpu) * 100_000 + nanos);
    let times = Milestones {
        init_ns: Some(u64::from(cpu) * 5_000),
        sipi_ns: at(200_000),
        real_ns: at(350_000),
        long_ns: at(360_000),
        alive_ns: at(500_000),
        online_ns: at(700_000),
    };
    let is_bsp = cpu == 0;
    Lane {
        cpu: Some(CpuIndex(cpu)),
        apic_id: ApicId(cpu),
        place: Some(format!("0/{cpu}/0")),
        outcome: if is_bsp {
            Outcome::Bsp
        } else {
            Outcome::Online
        },
        step: None,
        reason: None,
        times: if is_bsp { Milestones::default() } else { times },
        sipis: u32::from(!is_bsp),
        polls: 3,
        uncertainty_ns: Some(30_000),
    }
}

/// What became of a CPU: it came to so many of its stages.
pub(super) fn becomes(
    chart: &mut BootChart,
    cpu: usize,
    outcome: Outcome,
    stages: usize,
    reason: &str,
) {
    let lane = &mut chart.lanes[cpu];
    lane.outcome = outcome;
    lane.reason = Some(reason.to_owned());
    let times = &mut lane.times;
    let all = [
        &mut times.init_ns,
        &mut times.sipi_ns,
        &mut times.real_ns,
        &mut times.long_ns,
        &mut times.alive_ns,
        &mut times.online_ns,
    ];
    all.into_iter().skip(stages).for_each(|it| *it = None);
    chart.online -= 1;
}

/// One of each kind that is not online, and a wait for them that is long.
pub(super) fn failed(cpus: u32) -> BootChart {
    let mut chart = boot(cpus);
    let step = "join";
    becomes(
        &mut chart,
        1,
        Outcome::NeverStarted,
        2,
        "it gave no sign of life: is it really there?",
    );
    becomes(&mut chart, 2, Outcome::Failed, 5, "it was told to fail");
    chart.lanes[2].step = Some(step.to_owned());
    becomes(
        &mut chart,
        3,
        Outcome::Late,
        5,
        &"it answered after its deadline; ".repeat(9),
    );
    becomes(
        &mut chart,
        4,
        Outcome::StuckRealMode,
        3,
        "it started in real mode and went no further",
    );
    becomes(&mut chart, 5, Outcome::Skipped, 0, "left out by cpus=");
    becomes(
        &mut chart,
        6,
        Outcome::Disabled,
        0,
        "the firmware lists it as disabled",
    );
    chart.lanes[6].cpu = None;
    chart.total_ns *= 40;
    chart
}

pub(super) fn kinds() -> Vec<(&'static str, BootChart)> {
    let mut model = boot(8);
    model.model = Some("skylake-112".to_owned());
    let mut mailbox = boot(8);
    mailbox.lanes.iter_mut().for_each(|it| {
        it.times.init_ns = None;
        it.times.real_ns = None;
    });
    let mut strange = boot(8);
    strange.lanes[5].uncertainty_ns = None;
    strange.lanes[5].times.real_ns = Some(1);
    let mut ahead = boot(8);
    is_ahead(&mut ahead, 5);
    let mut untraced = boot(8);
    (untraced.bsp, untraced.serialised) = (None, None);
    let mut overwritten = untraced.clone();
    overwritten.gaps = vec![Gap::BspOverwritten, Gap::ApOverwritten(CpuIndex(3))];
    let mut alone = boot(1);
    (alone.aps, alone.online, alone.total_ns) = (0, 0, 0);
    let mut silent = boot(4);
    for cpu in 1..4 {
        becomes(&mut silent, cpu, Outcome::NeverStarted, 0, "silence");
    }
    (silent.online_ns, silent.total_ns) = (None, 2_000_000_000);
    let mut all_failed = boot(512);
    for cpu in 1..512 {
        let reason = format!("reason {}", cpu % 3);
        becomes(&mut all_failed, cpu, Outcome::StuckLongMode, 4, &reason);
    }
    let mut hostile = boot(4);
    hostile.machine = "<A&\u{1}\u{fffe}\"B\u{ffff}>]]>".to_owned();
    vec![
        ("4", boot(4)),
        ("64", boot(64)),
        ("255", boot(255)),
        ("512", boot(512)),
        ("failed of 8", failed(8)),
        ("failed of 255", failed(255)),
        ("all failed of 512", all_failed),
        ("all silent", silent),
        ("model", model),
        ("mailbox", mailbox),
        ("strange clock", strange),
        ("clock ahead", ahead),
        ("not traced", untraced),
        ("overwritten", overwritten),
        ("alone", alone),
        ("hostile", hostile),
    ]
}
