//! The kernel says that its CPUs are online: QEMU, asked from outside, agrees.

use std::time::Instant;

use reveille_tests::{
    guest::Guest,
    qemu::{machine::Machine, vcpu::Vcpu},
};

use crate::boot::{LIMIT, kernel, slot};

#[test]
fn every_cpu_halts_in_long_mode_in_our_text_once_the_kernel_says_it_is_online() {
    let machine = Machine::new(8).append("after=halt");
    let _slot = slot(&machine);
    let text = kernel().text().expect("the kernel has code");
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    guest
        .wait_for_line("reveille: ok", LIMIT)
        .expect("the kernel comes up");
    let vcpus = once_all_halt(&mut guest);
    assert_eq!(vcpus.len(), 8);
    for vcpu in &vcpus {
        assert!(vcpu.long_mode, "not in 64-bit code: {vcpu:?}");
        assert!(vcpu.halted, "not halted: {vcpu:?}");
        assert!(
            text.contains(&vcpu.rip),
            "not in our text {text:#x?}: {vcpu:#x?}"
        );
    }
    let mut stacks: Vec<u64> = vcpus.iter().map(|vcpu| vcpu.rsp).collect();
    stacks.sort_unstable();
    stacks.dedup();
    assert_eq!(stacks.len(), 8, "two CPUs share a stack");
}

/// All CPUs at the first look that finds them halted: the BSP has its last line to write before, and an AP may have
/// to wait for a core of the host to come back from what it was called for. One that spins never halts.
fn once_all_halt(guest: &mut Guest<'_>) -> Vec<Vcpu> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let vcpus = guest.vcpus().expect("the monitor answers");
        if vcpus.iter().all(|it| it.halted) || Instant::now() > deadline {
            return vcpus;
        }
    }
}
