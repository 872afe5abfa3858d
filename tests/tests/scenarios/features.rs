//! CPUs that can do less than the BSP, or more, are told of by name; one that lacks what is used on
//! all is kept away before it does harm.

use reveille_smp::{
    cpu::CpuIndex,
    outcome::Outcome as CpuOutcome,
    record::{Cpu, CpuState},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        smp::Smp,
    },
};

use crate::boot::{boot, comes_up_whole};

fn icount(cpus: u32) -> Machine {
    Machine::new(cpus).accel(Accel::Icount)
}

/// A machine of four sockets, whose second and third CPU are devices with these properties.
fn unlike([second, third]: [&str; 2]) -> Machine {
    let smp: Smp = "1,maxcpus=4,sockets=4,cores=1,threads=1"
        .parse()
        .expect("it is a shape");
    let mut machine = Machine::new(smp).accel(Accel::Icount);
    for (socket, properties) in [(1, second), (2, third)] {
        let device =
            format!("max-x86_64-cpu,socket-id={socket},die-id=0,core-id=0,thread-id=0{properties}");
        machine.further.extend(["-device".to_owned(), device]);
    }
    machine
}

fn states(ended: &Ended) -> Vec<CpuState> {
    ended.records.cpu_states().expect("all records are whole")
}

/// What each CPU lacks and has beyond the BSP.
fn differences(ended: &Ended) -> Vec<(Vec<String>, Vec<String>)> {
    let states = states(ended).into_iter().map(|state| {
        assert!(state.features.compared, "{state:?}");
        (state.features.missing, state.features.surplus)
    });
    states.collect()
}

fn cpu(ended: &Ended, number: u32) -> Cpu {
    let cpus = ended.records.cpus().expect("all records are whole");
    let mut cpus = cpus.into_iter();
    cpus.find(|cpu| cpu.cpu == Some(CpuIndex(number)))
        .expect("a record of the CPU")
}

fn assert_line(ended: &Ended, line: &str) {
    let mut lines = ended.console.lines().map(str::trim_end);
    assert!(lines.any(|it| it == line), "no line `{line}`");
}

#[test]
fn cpus_that_are_alike_differ_in_nothing_on_any_model() {
    for model in ["max", "qemu64", "Nehalem", "Skylake-Server", "EPYC"] {
        let ended = comes_up_whole(&icount(4).cpu(model));
        let differences = differences(&ended);
        assert_eq!(differences, vec![Default::default(); 4], "{model}");
        assert!(!ended.console.contains(": without "));
    }
}

#[test]
fn a_feature_that_one_cpu_lacks_on_demand_is_found_on_exactly_that_cpu() {
    let ended = comes_up_whole(&icount(4).append("fault=2:feature=smep fault=2:feature=avx2"));
    let lacks = (vec!["avx2".to_owned(), "smep".to_owned()], Vec::new());
    let none = Default::default;
    assert_eq!(differences(&ended), [none(), none(), lacks, none()]);
    assert_line(&ended, "CPU 2: without avx2, smep");
    let boot = ended.records.boot().expect("there is a record");
    let is_common = |name: &str| boot.common_features.iter().any(|it| it == name);
    assert!(is_common("nx") && is_common("smap"), "{boot:?}");
    assert!(!is_common("smep") && !is_common("avx2"), "{boot:?}");
}

#[test]
fn a_cpu_that_really_can_do_less_is_found_and_so_is_one_that_can_do_more() {
    let ended = boot(&unlike([",smep=off,pdpe1gb=off", ",umip=on"]).cpu("max,umip=off"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let [bsp, less, more] = &differences(&ended)[..] else {
        panic!("three CPUs");
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(*bsp, Default::default());
    assert_eq!(*less, (names(&["smep", "pdpe1gb"]), names(&[])));
    assert_eq!(*more, (names(&[]), names(&["umip"])));
    assert_line(&ended, "CPU 1: without smep, pdpe1gb");
    assert_line(&ended, "CPU 2: with umip, which the BSP lacks");
}

#[test]
fn a_cpu_without_what_all_must_have_resets_nothing_and_says_what_it_lacks() {
    for (property, lacks, outcome) in [
        ("x2apic", "x2apic", CpuOutcome::StuckLongMode),
        ("nx", "nx", CpuOutcome::StuckRealMode),
    ] {
        let ended = boot(&unlike([&format!(",{property}=off"), ""]));
        assert!(matches!(ended.outcome, Outcome::Failed(_)), "{property}");
        assert_eq!(cpu(&ended, 2).outcome, CpuOutcome::Online);
        let without = cpu(&ended, 1);
        assert_eq!(without.outcome, outcome);
        let reason = format!("it lacks {lacks}, which CPU 0 has chosen for all");
        assert_eq!(without.reason, Some(reason));
        let states = states(&ended);
        assert_eq!(states[1].topology.source, None, "it has said nothing");
        assert!(!states[1].features.compared);
    }
}

#[test]
fn a_cpu_without_a_feature_that_cpu_0_has_chosen_for_all_goes_no_further_than_to_say_so() {
    let ended = boot(&icount(4).append("fault=3:feature=x2apic require=3"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let without = cpu(&ended, 3);
    assert_eq!(without.outcome, CpuOutcome::Failed);
    assert_eq!(without.step.as_deref(), Some("cpuid"));
    let reason = "it lacks x2apic, which CPU 0 has chosen for all";
    assert_eq!(without.reason.as_deref(), Some(reason));
    let states = states(&ended);
    assert_eq!(states[3].features.missing, ["x2apic"]);
    for state in &states[..3] {
        assert!(state.features.missing.is_empty(), "{state:?}");
    }
}

#[test]
fn a_feature_that_is_none_or_that_cpu_0_lacks_is_refused_and_those_that_it_has_are_listed() {
    for name in ["smop", "avx512f"] {
        let ended = boot(&icount(2).append(&format!("fault=1:feature={name}")));
        let Outcome::Failed(reason) = &ended.outcome else {
            panic!("{}", ended.explain());
        };
        let refusal = format!("`fault=1:feature={name}` cannot happen: the features of CPU 0 are ");
        assert!(reason.contains(&refusal), "{reason}");
        assert!(reason.contains(" smep,"), "{reason}");
    }
}

/// One part in so many of the time until all are online: 2 %.
const MOST_COST: u64 = 50;

#[test]
fn what_each_cpu_is_asked_costs_next_to_nothing_at_64_cpus() {
    let [on, off] = ["on", "off"].map(|consistency| {
        let machine = icount(64).append(&format!("consistency={consistency}"));
        let ended = comes_up_whole(&machine);
        let is_compared = !states(&ended).is_empty();
        assert_eq!(is_compared, consistency == "on");
        let bringup = ended.records.bringup().expect("round 0");
        bringup.online_ns.expect("all are online")
    });
    println!("online after {on} ns, without the checks after {off} ns");
    assert!(on.saturating_sub(off) <= off / MOST_COST);
}
