//! All CPUs come up, on every machine.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::qemu::{
    machine::{Chipset, Machine},
    smp::Smp,
};

use crate::boot::comes_up_whole;

/// A test each for machines that must come up whole.
macro_rules! come_up_whole {
    ($($name:ident: $machine:expr;)*) => {$(
        #[test]
        fn $name() {
            comes_up_whole(&$machine);
        }
    )*};
}

come_up_whole! {
    q35_comes_up_whole_with_1_cpu: Machine::new(1);
    q35_comes_up_whole_with_2_cpus: Machine::new(2);
    q35_comes_up_whole_with_3_cpus: Machine::new(3);
    q35_comes_up_whole_with_4_cpus: Machine::new(4);
    q35_comes_up_whole_with_8_cpus: Machine::new(8);
    q35_comes_up_whole_with_16_cpus: Machine::new(16);
    q35_comes_up_whole_with_64_cpus: Machine::new(64);
    pc_comes_up_whole_with_1_cpu: Machine::new(1).chipset(Chipset::Pc);
    pc_comes_up_whole_with_2_cpus: Machine::new(2).chipset(Chipset::Pc);
    pc_comes_up_whole_with_8_cpus: Machine::new(8).chipset(Chipset::Pc);
    microvm_comes_up_whole_with_1_cpu: Machine::new(1).chipset(Chipset::Microvm);
    microvm_comes_up_whole_with_2_cpus: Machine::new(2).chipset(Chipset::Microvm);
    microvm_comes_up_whole_with_8_cpus: Machine::new(8).chipset(Chipset::Microvm);
}

fn smp(text: &str) -> Smp {
    text.parse().expect("a good value for -smp")
}

#[test]
fn x2apic_is_used_where_the_cpus_have_it_and_xapic_where_not() {
    let x2apic = comes_up_whole(&Machine::new(4));
    assert_eq!(x2apic.records.boot().expect("the machine").apic, "x2apic");
    let xapic = comes_up_whole(&Machine::new(4).cpu("max,-x2apic"));
    assert_eq!(xapic.records.boot().expect("the machine").apic, "xapic");
}

#[test]
fn ids_with_holes_and_places_with_threads_are_understood() {
    let ended = comes_up_whole(&Machine::new(smp("12,sockets=2,cores=3,threads=2")));
    let cpus = ended.records.cpus().expect("all records are whole");
    let mut seen: Vec<_> = cpus
        .iter()
        .map(|cpu| (cpu.apic_id.0, cpu.package, cpu.core, cpu.thread))
        .collect();
    seen.sort_unstable();
    // Three cores take two bits of the id: one value in four stays free.
    let expected: Vec<_> = [0, 1]
        .into_iter()
        .flat_map(|package| (0..3).map(move |core| (package, core)))
        .flat_map(|(package, core)| (0..2).map(move |thread| (package, core, thread)))
        .map(|(package, core, thread)| {
            (
                package << 3 | core << 1 | thread,
                Some(package),
                Some(core),
                Some(thread),
            )
        })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn cpus_that_are_listed_as_disabled_are_reported_and_left_alone() {
    let ended = comes_up_whole(&Machine::new(smp("4,maxcpus=8")));
    let boot = ended.records.boot().expect("the machine");
    assert_eq!((boot.cpus_listed, boot.cpus_enabled), (8, 4));
    let cpus = ended.records.cpus().expect("all records are whole");
    let disabled: Vec<_> = cpus
        .iter()
        .filter(|cpu| cpu.outcome == CpuOutcome::Disabled)
        .collect();
    assert_eq!(disabled.len(), 4);
    for cpu in disabled {
        assert_eq!(
            (cpu.cpu, cpu.sipis, cpu.init_ns),
            (None, 0, None),
            "{cpu:?}"
        );
    }
}
