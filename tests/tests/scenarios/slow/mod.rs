//! The same on machines, or so often, that it takes a while.

pub(crate) mod kvm;
mod many_listed;
mod torture;

use reveille_tests::qemu::machine::Machine;

use crate::boot::comes_up_whole;

#[test]
fn q35_comes_up_whole_with_128_cpus() {
    comes_up_whole(&Machine::new(128));
}

#[test]
fn q35_comes_up_whole_with_255_cpus() {
    comes_up_whole(&Machine::new(255));
}

#[test]
fn q35_comes_up_whole_with_256_cpus() {
    comes_up_whole(&Machine::new(256));
}

#[test]
fn q35_comes_up_whole_with_288_cpus() {
    comes_up_whole(&Machine::new(288));
}

#[test]
fn a_machine_of_112_cpus_takes_no_less_than_the_published_one() {
    crate::model::whole_machine();
}

/// It takes QEMU 5 GB of memory.
#[test]
#[ignore = "takes half a minute and 5 GB: `cargo xtask test --full`"]
fn q35_comes_up_whole_with_512_cpus() {
    comes_up_whole(&Machine::new(512));
}

#[test]
fn every_one_of_twenty_boots_comes_up_whole() {
    for _ in 0..20 {
        comes_up_whole(&Machine::new(8));
    }
}

#[test]
fn xapic_reaches_255_cpus() {
    comes_up_whole(&Machine::new(255).cpu("max,-x2apic"));
}
