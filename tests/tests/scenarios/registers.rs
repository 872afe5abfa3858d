//! Every AP has the registers that the BSP has, or is set right, or it is told why not.

use reveille_smp::{
    cpu::CpuIndex,
    record::{CpuState, Difference, Remedy},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::machine::{Accel, Chipset, Machine},
};

use crate::boot::{boot, comes_up_whole};

fn machine(cpus: u32) -> Machine {
    Machine::new(cpus).accel(Accel::Icount)
}

fn states(ended: &Ended) -> Vec<CpuState> {
    ended.records.cpu_states().expect("all records are whole")
}

/// QEMU's translator clears the MTRRs of a CPU at INIT, so each AP comes with them off. This one
/// difference is the machine's.
fn is_the_machines(difference: &Difference) -> bool {
    difference.register == "mtrr-def-type" && difference.found == "0x0"
}

/// What differs on which CPU, but for what is the machine's.
fn differences(ended: &Ended) -> Vec<(CpuIndex, Difference)> {
    let of = |state: CpuState| {
        let differences = state.registers.differences.into_iter();
        let own = differences.filter(|it| !is_the_machines(it));
        own.map(move |it| (state.cpu, it))
    };
    states(ended).into_iter().flat_map(of).collect()
}

/// Boots a machine on which this is the only thing that differs, and checks that it is set right.
fn is_set_right(machine: &Machine, cpu: u32, register: &str) -> Difference {
    let ended = comes_up_whole(machine);
    for state in states(&ended) {
        assert!(state.registers.checked);
        for difference in &state.registers.differences {
            assert_eq!(difference.remedy, Remedy::SetRight, "{difference:?}");
            assert_eq!(difference.now, difference.bsp);
            assert_eq!(difference.reason, None);
        }
    }
    let [(on, difference)] = &differences(&ended)[..] else {
        panic!("{:?}", differences(&ended));
    };
    assert_eq!((on.0, difference.register.as_str()), (cpu, register));
    assert_ne!(difference.found, difference.bsp);
    difference.clone()
}

#[test]
fn a_pat_that_differs_is_set_right_on_its_cpu() {
    let difference = is_set_right(&machine(4).append("fault=2:pat"), 2, "pat");
    assert_eq!(difference.found, "0x707040600070406");
}

#[test]
fn an_mtrr_that_differs_is_set_right_on_its_cpu() {
    is_set_right(&machine(4).append("fault=3:mtrr"), 3, "mtrr-phys-mask1");
}

#[test]
fn a_control_register_that_differs_is_set_right_on_its_cpu() {
    is_set_right(&machine(4).append("fault=1:cr4"), 1, "cr4");
}

#[test]
fn a_cpu_in_xapic_mode_comes_to_the_rendezvous_too() {
    let machine = machine(4).cpu("max,-x2apic").append("fault=2:pat");
    is_set_right(&machine, 2, "pat");
}

#[test]
fn what_was_set_right_stays_so_when_cpus_go_down_and_come_back() {
    for (cpu, fault, register) in [
        (1, "pat", "pat"),
        (2, "mtrr", "mtrr-phys-mask1"),
        (3, "cr4", "cr4"),
    ] {
        let machine = machine(4).append(&format!("fault={cpu}:{fault} cycle=5"));
        is_set_right(&machine, cpu, register);
    }
}

#[test]
fn without_mtrrs_nothing_differs_but_what_a_fault_makes_differ() {
    let machine = machine(4).cpu("max,-mtrr").append("fault=2:pat");
    let ended = comes_up_whole(&machine);
    let differing: Vec<_> = states(&ended)
        .into_iter()
        .filter(|state| !state.registers.differences.is_empty())
        .map(|state| state.cpu)
        .collect();
    assert_eq!(differing, [CpuIndex(2)]);
}

#[test]
fn a_fault_that_the_cpus_cannot_show_is_refused() {
    for (cpu, keys, reason) in [
        ("max,-mtrr", "fault=1:mtrr", "the CPUs have no MTRRs"),
        ("max,-pat", "fault=1:pat", "the CPUs have no PAT"),
        ("max", "fault=1:cr4 consistency=off", "consistency=off"),
    ] {
        let ended = boot(&machine(2).cpu(cpu).append(keys));
        let Outcome::Failed(words) = &ended.outcome else {
            panic!("{keys}: {}", ended.explain());
        };
        assert!(
            words.ends_with(&format!("cannot happen: {reason}")),
            "{words}"
        );
    }
}

#[test]
fn each_cpu_has_the_protections_of_its_model_on_and_takes_machine_checks() {
    for (model, expected) in [
        ("max", &["nx", "wp", "smep", "smap", "umip"][..]),
        ("qemu64", &["nx", "wp"]),
        ("Nehalem", &["nx", "wp"]),
        ("Skylake-Server", &["nx", "wp", "smep", "smap"]),
        ("EPYC", &["nx", "wp", "smep", "smap"]),
    ] {
        let ended = comes_up_whole(&machine(3).cpu(model));
        for state in states(&ended) {
            assert_eq!(state.registers.protection, expected, "{model}");
            assert!(state.registers.machine_checks, "{model}");
        }
        assert!(differences(&ended).is_empty(), "{model}");
    }
}

/// Boots a machine whose rendezvous fails, and checks that memory types are left as they were.
fn is_left_because(keys: &str, reason: &str) {
    let ended = boot(&machine(4).append(keys));
    assert!(matches!(ended.outcome, Outcome::Ok), "{}", ended.explain());
    let [(cpu, difference)] = &differences(&ended)[..] else {
        panic!("{:?}", differences(&ended));
    };
    assert_eq!((cpu.0, difference.register.as_str()), (1, "pat"));
    assert_eq!(difference.remedy, Remedy::Reported);
    assert_eq!(difference.now, difference.found);
    assert_eq!(difference.reason.as_deref(), Some(reason));
}

#[test]
fn a_cpu_that_comes_late_to_the_rendezvous_is_named_and_goes_right_on() {
    let reason = "CPU 3 did not come to the rendezvous";
    is_left_because("fault=1:pat test=late-rendezvous", reason);
}

#[test]
fn a_cpu_that_is_stuck_is_named_and_nothing_is_changed() {
    let reason = "CPU 2 did not come to the rendezvous";
    is_left_because(
        "fault=1:pat fault=2:claimed alive-timeout=20 require=any",
        reason,
    );
}

#[test]
fn a_cpu_that_never_started_keeps_nobody_from_it() {
    let keys = "fault=1:pat fault=2:silent alive-timeout=20 require=any";
    let ended = boot(&machine(4).append(keys));
    assert!(matches!(ended.outcome, Outcome::Ok), "{}", ended.explain());
    let [(cpu, difference)] = &differences(&ended)[..] else {
        panic!("{:?}", differences(&ended));
    };
    assert_eq!((cpu.0, difference.remedy), (1, Remedy::SetRight));
}

#[test]
fn a_panic_in_the_rendezvous_finds_those_who_stand_there() {
    let ended = boot(&machine(8).append("fault=3:pat test=panic-rendezvous"));
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    assert!(
        line.contains("asked for by test=panic-rendezvous"),
        "{line}"
    );
    // One that stands there and does not take the NMI is counted in a line of its own.
    assert!(!ended.console.contains("did not stop"), "{}", ended.console);
}

#[test]
fn a_firmware_that_leaves_all_mtrrs_off_leaves_nothing_to_set_right() {
    let mut machine = machine(2).chipset(Chipset::Microvm);
    machine.further = ["-bios", "qboot.rom"].map(String::from).to_vec();
    let ended = comes_up_whole(&machine);
    assert!(
        states(&ended)
            .iter()
            .all(|it| it.registers.differences.is_empty())
    );
}

/// Boots a machine on which CPU 3 is missing in the first rendezvous, carries the operations out,
/// and tells why CPUs that came back are as they are.
fn reasons_of_those_that_came_back(operations: &str) -> Vec<(CpuIndex, String)> {
    let keys = format!("fault=1:pat test=late-rendezvous {operations}");
    let ended = boot(&machine(4).append(&keys));
    assert!(matches!(ended.outcome, Outcome::Ok), "{}", ended.explain());
    let of = |state: CpuState| {
        let reasons = state.registers.differences.into_iter();
        let reasons = reasons.filter_map(|it| it.reason);
        let came_back = reasons.filter(|it| it.starts_with("the CPU came back"));
        came_back.map(move |reason| (state.cpu, reason))
    };
    states(&ended).into_iter().flat_map(of).collect()
}

#[test]
fn a_cpu_that_was_missing_is_not_waited_for_again_until_it_was_kicked() {
    let back = "do=offline:2 do=online:2";
    let reason = "the CPU came back with it, and CPU 3 did not come to the rendezvous";
    assert_eq!(
        reasons_of_those_that_came_back(back),
        [(CpuIndex(2), reason.to_owned())]
    );
    let kicked = format!("{back} do=offline:3 do=online:3");
    assert_eq!(reasons_of_those_that_came_back(&kicked), []);
}

#[test]
fn what_a_later_rendezvous_sets_right_is_told_as_set_right() {
    // CPU 3 is waited for again once it was kicked, and CPU 1 looks at itself when it comes back.
    let keys = "fault=1:pat test=late-rendezvous \
                do=offline:3 do=online:3 do=offline:1 do=online:1";
    let ended = boot(&machine(4).append(keys));
    assert!(matches!(ended.outcome, Outcome::Ok), "{}", ended.explain());
    let of_first: Vec<_> = differences(&ended)
        .into_iter()
        .filter(|(cpu, _)| cpu.0 == 1)
        .collect();
    let [(_, pat)] = &of_first[..] else {
        panic!("{of_first:?}");
    };
    assert_eq!((&*pat.register, pat.remedy), ("pat", Remedy::SetRight));
    assert_eq!((&pat.now, &pat.reason), (&pat.bsp, &None));
    assert_ne!(pat.found, pat.now);
}
