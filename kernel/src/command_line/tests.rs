use core::{num::NonZero, time::Duration};

use reveille_smp::{
    contender::Contender,
    cpu::CpuIndex,
    look::{Bars, Colour},
    selection::Smt,
};
use strum::VariantNames;

use crate::{
    calling::pairs::Pairs,
    faults::{Fault, FaultKind},
    model::Model,
    operations::op::{Op, Which},
    vmm_probe::VmmProbe,
};

use super::{
    After, Consistency, HotplugOption, KEYS, Look, MadtSource, OptionError, Options, Order,
    Problem, Report, Require, Selection, Strategy, Terminal, TestHook, Tracing, Wake,
};

fn problem(command_line: &str) -> (String, Problem) {
    let OptionError { word, problem } = Options::parse(command_line).unwrap_err();
    (word, problem)
}

#[test]
fn an_empty_line_asks_for_the_defaults() {
    assert_eq!(Options::parse("  "), Ok(Options::default()));
    assert_eq!(Options::default().bringup, Strategy::Parallel);
    assert_eq!(Options::default().after, After::Exit);
}

#[test]
fn a_word_that_a_hypervisor_adds_by_itself_is_passed_over() {
    let with = Options::parse("probe=1 pci=off");
    assert_eq!(with, Options::parse("probe=1"));
    assert_eq!(problem("pci=on"), ("pci=on".into(), Problem::UnknownKey));
}

#[test]
fn every_key_reaches_its_option() {
    let line = "bringup=serial order=strict bench=9 strategies=serial,floor model=skylake-112 probe=1 round-trips=40 ipi=matrix:50 calls=60 stop=15 cycle=20 do=offline:all do=states torture=30 seed=7 call-limit=45 alive-timeout=50  online-timeout=70 head-start=20 init-delay=10000 \
                maxcpus=5 cpus=1-3,5 possible=8 smt=off require=4 madt=module wake=mailbox \
                attempts=3 consistency=off report=cpu trace=300 fault=2:silent fault=3:late=40 after=halt terminal=plain columns=132 bars=ascii colour=on hotplug=off test=no-wake \
                test=panic-ap";
    assert_eq!(
        Options::parse(line),
        Ok(Options {
            bringup: Strategy::Serial,
            order: Order::Strict,
            bench_rounds: 9,
            contenders: [Contender::Strategy(Strategy::Serial), Contender::Floor]
                .into_iter()
                .collect(),
            model: Some(Model::Skylake112),
            probe: VmmProbe::On,
            round_trips: 40,
            ipi: Some(Pairs {
                samples: NonZero::new(50),
                only: None,
            }),
            calls: 60,
            stops: 15,
            cycles: 20,
            ops: vec![Op::Offline(Which::All), Op::States],
            torture_seconds: 30,
            seed: Some(7),
            call_limit: Some(Duration::from_millis(45)),
            alive_timeout: Some(Duration::from_millis(50)),
            online_timeout: Some(Duration::from_millis(70)),
            head_start: Some(Duration::from_millis(20)),
            init_delay: Some(Duration::from_millis(10)),
            selection: Selection {
                max_cpus: NonZero::new(5),
                cpus: "1-3,5".parse().ok(),
                possible: NonZero::new(8),
                smt: Smt::Off,
            },
            require: Require::AtLeast(NonZero::new(4).unwrap()),
            madt: MadtSource::Module,
            wake: Wake::Mailbox,
            attempts: NonZero::new(3),
            consistency: Consistency::Off,
            report: Report::Cpu,
            trace: Tracing::Events(NonZero::new(300).unwrap()),
            faults: vec![
                Fault {
                    cpu: CpuIndex(2),
                    kind: FaultKind::Silent,
                },
                Fault {
                    cpu: CpuIndex(3),
                    kind: FaultKind::Late(Duration::from_millis(40)),
                },
            ],
            after: After::Halt,
            terminal: Terminal::Plain,
            look: Look {
                columns: "132".parse().ok(),
                bars: Bars::Ascii,
                colour: Colour::On,
            },
            hotplug: Some(HotplugOption::Off),
            tests: vec![TestHook::NoWake, TestHook::PanicAp],
        })
    );
    for key in KEYS {
        assert!(line.contains(key.name), "{} is not tried here", key.name);
    }
}

#[test]
fn hot_plug_is_on_where_the_kernel_stays_unless_it_is_said() {
    for (line, is_on) in [
        ("", false),
        ("hotplug=on", true),
        ("after=halt", true),
        ("after=shell", true),
        ("after=halt hotplug=off", false),
    ] {
        assert_eq!(Options::parse(line).unwrap().hot_plugs(), is_on, "{line}");
    }
}

#[test]
fn every_strategy_is_taken_by_its_own_name() {
    for &strategy in Strategy::ALL {
        assert_eq!(
            Options::parse(&format!("bringup={strategy}"))
                .unwrap()
                .bringup,
            strategy
        );
    }
}

#[test]
fn every_test_hook_is_taken() {
    for word in TestHook::VARIANTS {
        let tests = Options::parse(&format!("test={word}")).unwrap().tests;
        assert_eq!(tests.len(), 1, "{word}");
    }
}

#[test]
fn the_first_offender_is_named() {
    assert_eq!(problem("bench=1 quiet"), ("quiet".into(), Problem::NoValue));
    assert_eq!(
        problem("brinup=serial"),
        ("brinup=serial".into(), Problem::UnknownKey)
    );
    assert_eq!(problem("Bench=1"), ("Bench=1".into(), Problem::UnknownKey));
    assert_eq!(problem("=1"), ("=1".into(), Problem::UnknownKey));
    assert_eq!(
        problem("bench=1 bench=1"),
        ("bench=1".into(), Problem::GivenTwice)
    );
    assert_eq!(
        problem("after=exit after=halt"),
        ("after=halt".into(), Problem::GivenTwice)
    );
}

#[test]
fn values_are_taken_whole_or_not_at_all() {
    for word in [
        "bringup=Serial",
        "bringup=",
        "order=Strict",
        "bench=",
        "bench=-1",
        "bench=+1",
        "bench=1x",
        "bench=4294967296",
        "strategies=",
        "strategies=parallel,",
        "strategies=all",
        "probe=",
        "probe=2",
        "probe=on",
        "probe=Firecracker",
        "alive-timeout=1.5",
        "alive-timeout=5ms",
        "attempts=0",
        "model=",
        "model=skylake",
        "model=Skylake-112",
        "do=offline",
        "do=states:1",
        "torture=1.5",
        "ipi=",
        "ipi=matrix:",
        "ipi=matrix:0",
        "ipi=all",
        "calls=-1",
        "fault=1",
        "fault=1:asleep",
        "test=panic",
        "after=exit=halt",
        "terminal=vt100",
        "columns=19",
        "columns=501",
        "columns=+80",
        "bars=on",
        "colour=red",
        "maxcpus=0",
        "maxcpus=all",
        "possible=0",
        "smt=",
        "smt=0",
        "cpus=",
        "cpus=3-1",
        "cpus=1,,2",
        "cpus=4294967296",
        "require=0",
        "require=some",
        "madt=file",
        "trace=yes",
        "trace=0",
        "trace=65537",
        "call-limit=0",
    ] {
        assert_eq!(problem(word), (word.into(), Problem::BadValue));
    }
}

#[test]
fn of_a_known_key_the_message_says_what_that_key_takes() {
    for (line, end) in [
        (
            "bench=many",
            "`bench=many` has a value that its key does not take; it is bench=N",
        ),
        ("order=stict", "; it is order=lowest|strict"),
        ("probe=yes", "; it is probe=0|1|firecracker"),
        (
            "strategies=paralel",
            "; it is strategies=a list of parallel, broadcast, two-pass, serial, legacy, bare, floor",
        ),
        (
            "bringup",
            "`bringup` has no value; it is bringup=parallel|broadcast|two-pass|serial|legacy",
        ),
        (
            "maxcpus=2 maxcpus=3",
            "`maxcpus=3` gives a key again that may be given once; it is maxcpus=N (from 1)",
        ),
        ("possible=0", "; it is possible=N (from 1)"),
        ("require=0", "; it is require=all|N|any (N from 1)"),
        ("call-limit=0", "; it is call-limit=MS (from 1)"),
        ("ipi=matrix:0", "; it is ipi=matrix|matrix:N (N from 1)"),
        (
            "trace=1000000",
            "; it is trace=off|on|N (N from 1 to 65536)",
        ),
        ("fault=2", "|tsc=TICKS|feature=NAME (several times)"),
    ] {
        let message = Options::parse(line).unwrap_err().to_string();
        assert!(message.starts_with("command line: `"), "{message}");
        assert!(message.ends_with(end), "{message}");
    }
}

#[test]
fn of_an_unknown_key_the_message_lists_what_every_key_takes() {
    let message = Options::parse("bnech=9").unwrap_err().to_string();
    assert!(
        message.starts_with("command line: `bnech=9` has an unknown key; the keys are "),
        "{message}"
    );
    for part in [
        " bringup=parallel|broadcast|two-pass|serial|legacy",
        " order=lowest|strict",
        " bench=N",
        " strategies=a list of parallel, ",
        " probe=0|1|firecracker",
        " round-trips=N",
        " ipi=matrix|matrix:N (N from 1)",
        " calls=N",
        " stop=N",
        " cycle=N",
        " do=online:LIST|offline:LIST|",
        "|states (several times)",
        " torture=SECONDS",
        " seed=N",
        " call-limit=MS (from 1)",
        " alive-timeout=MS",
        " online-timeout=MS",
        " head-start=MS",
        " init-delay=US",
        " maxcpus=N (from 1)",
        " cpus=LIST",
        " possible=N (from 1)",
        " smt=on|off",
        " require=all|N|any (N from 1)",
        " madt=firmware|module",
        " attempts=N (from 1)",
        " trace=off|on|N (N from 1 to 65536)",
        " fault=CPU:silent|real-mode|",
        "|feature=NAME (several times)",
        " after=exit|halt|shell",
        " terminal=ansi|plain",
        " columns=N (from 20 to 500)",
        " bars=off|blocks|ascii",
        " colour=off|on",
        " test=panic-bsp|panic-ap|",
        " (several times)",
    ] {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}
