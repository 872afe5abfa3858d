//! The same kernel under KVM, wherever the device works, however slowly: one that interprets
//! takes many seconds.
//!
//! Where it does not, the scenario passes, and leaves word for the end of `cargo xtask test`.

use reveille_tests::{
    outcome::Outcome,
    qemu::{
        accel,
        machine::{Accel, Chipset, Machine},
    },
    skipped::Skipped,
};

use crate::boot::{boot, is_whole, kernel};

/// Boots two CPUs under KVM.
fn comes_up_whole_under_kvm(chipset: Chipset) {
    if let Err(error) = accel::device_opens() {
        return skip(chipset, &error.to_string());
    }
    let machine = Machine::new(2).chipset(chipset).accel(Accel::Kvm);
    let ended = boot(&machine);
    match &ended.outcome {
        // QEMU's or the device's fault, not the kernel's.
        Outcome::Died { words: why, .. } | Outcome::Stopped(why) => skip(chipset, why),
        _ => is_whole(&machine, &ended),
    }
}

fn skip(chipset: Chipset, reason: &str) {
    Skipped::of(kernel())
        .add(&format!("no KVM on {chipset}: {reason}"))
        .expect("the build's folder can be written");
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
