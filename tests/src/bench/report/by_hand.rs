//! Results by hand, for tests.

use std::collections::BTreeMap;

use crate::bench::{
    cell::{Machine, REVEILLE},
    host::{Host, Load},
    results::{Header, Outcome, Results, Run, SCHEMA, Samples},
    stats::summary::Summary,
};

/// A boot of a machine, with the rounds of each contender in nanoseconds.
pub(in crate::bench) fn run(machine: &Machine, run: u32, times: &[(&str, &[u64])]) -> Run {
    let samples = times.iter().map(|(name, online_ns)| {
        let samples = Samples {
            online_ns: online_ns.to_vec(),
            alive_ns: online_ns.iter().map(|it| it / 2).collect(),
            ..Samples::default()
        };
        ((*name).to_owned(), samples)
    });
    Run {
        system: REVEILLE.to_owned(),
        machine: machine.clone(),
        run,
        outcome: Outcome::Ok,
        elapsed_ns: 1_000_000_000,
        boot_online_ns: None,
        load: Load::default(),
        host: None,
        samples: samples.collect::<BTreeMap<_, _>>(),
    }
}

/// Boots as a file has them.
pub(in crate::bench) fn results(runs: Vec<Run>) -> Results {
    let header = Header {
        schema: SCHEMA,
        started: "2026-11-29T02:00:00Z".to_owned(),
        command: "cargo xtask bench".to_owned(),
        reveille: "0.1.0".to_owned(),
        kernel: "1".to_owned(),
        qemu: "10.0.2".to_owned(),
        rustc: "1.95.0".to_owned(),
        host: Host {
            cpu: "one".to_owned(),
            cpus: 2,
            memory_bytes: 1 << 33,
            system: "Debian".to_owned(),
        },
        systems: vec![REVEILLE.to_owned()],
        plan: Vec::new(),
        strategies: Vec::new(),
        runs: 5,
        rounds: 3,
        shard: None,
    };
    let mut text = serde_json::to_string(&crate::bench::results::Line::Bench(header));
    for run in runs {
        let line = serde_json::to_string(&crate::bench::results::Line::Run(run));
        text = text.and_then(|text| Ok(text + "\n" + &line?));
    }
    let text = text.expect("all of it is data") + "\n";
    Results::parse(text.as_bytes()).expect("it was just written")
}

/// Six boots at 8 CPUs, one of which failed and two of which were disturbed.
pub(in crate::bench) fn summary() -> Summary {
    let machine = Machine::new(8);
    let boot = |number: u32| {
        let bare = 480_000 + 10_000 * u64::from(number - 1);
        let times = |factor: u64| [bare * factor - 3, bare * factor, bare * factor + 7_000_000];
        let mut run = run(
            &machine,
            number,
            &[
                ("serial", &times(6)),
                ("bare", &times(1)),
                ("parallel", &times(3)),
            ],
        );
        run.load.busy = number > 3;
        run
    };
    let mut runs: Vec<_> = (1..=5).map(boot).collect();
    let mut failed = boot(6);
    failed.outcome = Outcome::Failed("the guest hung\nand more".to_owned());
    runs.push(failed);
    Summary::of(&results(runs))
}

/// What takes most room.
pub(in crate::bench) fn wide() -> Summary {
    let mut machine = Machine::new(
        "112,sockets=2,cores=28,threads=2"
            .parse::<crate::qemu::smp::Smp>()
            .expect("it is one"),
    );
    machine.model = Some("skylake-112".to_owned());
    machine.words = "consistency=off trace=on alive-timeout=200".to_owned();
    let mut runs = Vec::new();
    for number in 1..=5 {
        let mut run = run(
            &machine,
            number,
            &[
                ("broadcast", &[88_888_888_888]),
                ("parallel", &[88_888_888]),
                ("bare", &[888_888]),
            ],
        );
        if number > 3 {
            run.outcome = Outcome::Failed("a very long reason ".repeat(12));
        }
        runs.push(run);
    }
    Summary::of(&results(runs))
}
