//! The same kernel under KVM, wherever the device works, however slowly: one that interprets
//! takes many seconds.
//!
//! Where it does not, the scenario passes, and leaves word for the end of `cargo xtask test`.

use reveille_smp::record::Remedy;
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{
        accel,
        machine::{Accel, Chipset, Machine},
    },
    skipped::Skipped,
};

use crate::boot::{boot, is_whole, kernel};

/// Boots two CPUs under KVM; `None` where the device cannot do that.
fn comes_up_whole_under_kvm(chipset: Chipset, append: &str) -> Option<Ended> {
    if let Err(error) = accel::device_opens() {
        skip(chipset, &error.to_string());
        return None;
    }
    let machine = Machine::new(2).chipset(chipset).accel(Accel::Kvm);
    let machine = machine.append(append);
    let ended = boot(&machine);
    match &ended.outcome {
        // QEMU's or the device's fault, not the kernel's.
        Outcome::Died { words: why, .. } | Outcome::Stopped(why) => {
            skip(chipset, why);
            None
        }
        _ => {
            is_whole(&machine, &ended);
            Some(ended)
        }
    }
}

/// Whether KVM boots that machine; if not, leaves word.
pub(crate) fn works(chipset: Chipset) -> bool {
    comes_up_whole_under_kvm(chipset, "").is_some()
}

fn skip(chipset: Chipset, reason: &str) {
    Skipped::of(kernel())
        .add(&format!("no KVM on {chipset}: {reason}"))
        .expect("the build's folder can be written");
}

#[test]
fn q35_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Q35, "");
}

#[test]
fn pc_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Pc, "");
}

#[test]
fn microvm_comes_up_whole_under_kvm() {
    comes_up_whole_under_kvm(Chipset::Microvm, "");
}

#[test]
fn a_tsc_that_was_set_apart_is_set_right_where_the_cpu_tells_of_it() {
    const AHEAD: &str = "0x989680";
    let Some(ended) = comes_up_whole_under_kvm(Chipset::Q35, "fault=1:tsc=10000000") else {
        return;
    };
    let states = ended.records.cpu_states().expect("all records are whole");
    let clock = &states[1].clock;
    // What was set apart is exact to a count, and taken back: nothing is left to be measured.
    assert_eq!(clock.offset_ns, Some(0), "{clock:?}");
    let Some(found) = &clock.tsc_adjust else {
        return skip(Chipset::Q35, "IA32_TSC_ADJUST is missing");
    };
    assert_eq!((&*found.found, found.remedy), (AHEAD, Remedy::SetRight));
    assert_eq!(found.now, found.bsp);
}
