//! The same kernel under KVM, where there is one that runs it.

use std::io::{self, Write};

use reveille_tests::qemu::{
    accel,
    machine::{Accel, Chipset, Machine},
};

use crate::boot::{comes_up_whole, kernel, slot};

/// Boots two CPUs under KVM; where that does not work, says so past the test runner's capture.
fn comes_up_whole_under_kvm(chipset: Chipset) {
    let machine = Machine::new(2).chipset(chipset).accel(Accel::Kvm);
    let choice = {
        let _slot = slot(&machine);
        accel::choose(kernel(), chipset, None, &kernel().scratch()).expect("KVM can be tried")
    };
    if choice.accel == Accel::Kvm {
        comes_up_whole(&machine);
    } else {
        let _unheard = writeln!(io::stderr(), "SKIPPED on {chipset}: {}", choice.reason);
    }
}

#[test]
fn q35_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Q35);
}

#[test]
fn pc_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Pc);
}

#[test]
fn microvm_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Microvm);
}
