//! Boots a machine for a scenario, and the checks that many of them share.

use std::{collections::HashSet, sync::OnceLock, time::Duration};

use reveille_smp::{machine::Way, outcome::Outcome as CpuOutcome, record::ExitStatus};
use reveille_tests::{
    firmware::Firmware,
    guest::{Ended, Guest},
    kernel::Kernel,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        slots::Slot,
        vcpu::Vcpu,
    },
};

/// Many times what the largest machine takes on two busy cores: only a hang reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// What a CPU gets that should come: shorter than [`LIMIT`], so that the kernel tells which one did not.
const PATIENCE: Duration = Duration::from_secs(30);

/// The image that all scenarios of this process boot.
pub(crate) fn kernel() -> &'static Kernel {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    KERNEL.get_or_init(|| Kernel::ready().expect("the kernel builds"))
}

/// The firmware with the mailbox.
pub(crate) fn firmware() -> &'static Firmware {
    static FIRMWARE: OnceLock<Firmware> = OnceLock::new();
    FIRMWARE.get_or_init(|| Firmware::ready().expect("the firmware builds"))
}

/// The right to run `machine` beside what else runs.
pub(crate) fn slot(machine: &Machine) -> Slot {
    Slot::wait(&kernel().scratch(), machine.smp.cpus()).expect("the slots can be locked")
}

/// Boots `machine` and waits for its end. What the guest showed is printed, for the case that the
/// scenario fails.
pub(crate) fn boot(machine: &Machine) -> Ended {
    boot_for(machine, LIMIT)
}

/// The same, with another limit.
pub(crate) fn boot_for(machine: &Machine, limit: Duration) -> Ended {
    let _slot = slot(machine);
    let guest = Guest::start(kernel(), machine).expect("QEMU starts");
    let ended = guest.run(limit).expect("QEMU can be followed");
    println!("{}\n{}", ended.console, ended.explain());
    ended
}

/// Boots `machine` and checks that it came up whole.
pub(crate) fn comes_up_whole(machine: &Machine) -> Ended {
    let machine = patient(machine.clone());
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    ended
}

/// The same machine with deadlines that only a hang reaches. Those of the kernel are for people, who wait for a CPU
/// that is dead; a host on which other tests run may keep a CPU that long from running. What is sent once more
/// behind a while is sent as ever. Virtual time knows no host, and whoever has a CPU fail says when by itself.
pub(crate) fn patient(machine: Machine) -> Machine {
    let keys = &machine.command_line;
    let is_free = !keys.contains("fault=") && !keys.contains("-timeout=");
    match machine.accel != Accel::Icount && is_free {
        true => machine.append(&patience()),
        false => machine,
    }
}

/// The keys of a kernel that waits so long.
pub(crate) fn patience() -> String {
    let millis = PATIENCE.as_millis();
    format!("alive-timeout={millis} online-timeout={millis}")
}

/// Checks that every CPU of `machine` came online, and that the kernel's own accounts of that
/// agree with each other.
pub(crate) fn is_whole(machine: &Machine, ended: &Ended) {
    assert_eq!(ended.outcome, Outcome::Ok);
    let exit = ended.records.exit().expect("a verdict");
    assert_eq!((exit.status, exit.reason), (ExitStatus::Ok, None));

    let aps = machine.smp.cpus() - 1;
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!((bringup.aps, bringup.online, bringup.failed), (aps, aps, 0));
    let summary = match aps {
        0 => "bring-up: no APs to wake (".to_owned(),
        _ => format!("bring-up: {aps} of {aps} APs online in "),
    };
    assert!(ended.console.contains(&summary), "no line `{summary}`");
    assert_eq!(last_line(ended), "reveille: ok");

    let cpus = ended.records.cpus().expect("all records are whole");
    let (bsp, others): (Vec<_>, Vec<_>) =
        cpus.iter().partition(|cpu| cpu.outcome == CpuOutcome::Bsp);
    assert_eq!(bsp.len(), 1, "one CPU booted");
    let online: Vec<_> = others
        .iter()
        .filter(|cpu| cpu.outcome == CpuOutcome::Online)
        .collect();
    assert_eq!(online.len(), aps as usize);
    // A mailbox knows no INIT.
    let wake = ended.records.boot().expect("a boot record").wake;
    let is_sent = wake == Way::InitSipi.to_string();
    for cpu in &online {
        assert_eq!(cpu.init_ns.is_some(), is_sent, "{cpu:?}");
        let stages = [
            cpu.init_ns.or(cpu.sipi_ns),
            cpu.sipi_ns,
            cpu.real_ns,
            cpu.long_ns,
            cpu.alive_ns,
            cpu.online_ns,
        ];
        assert!(
            stages.iter().all(Option::is_some),
            "a stage without a time: {cpu:?}"
        );
        assert!(stages.is_sorted(), "stages out of order: {cpu:?}");
        // From a mailbox it may have taken the request for another one.
        assert!(cpu.sipis >= 1 || !is_sent, "online without a SIPI: {cpu:?}");
    }
    let up = || bsp.iter().chain(online.iter().copied());
    let ids: HashSet<_> = up().map(|cpu| cpu.apic_id).collect();
    assert_eq!(ids.len(), aps as usize + 1, "two CPUs of one APIC id");
    let places: HashSet<_> = up()
        .map(|cpu| (cpu.package, cpu.core, cpu.thread))
        .collect();
    assert_eq!(places.len(), aps as usize + 1, "two CPUs in one place");
    let last = online.iter().filter_map(|cpu| cpu.online_ns).max();
    assert_eq!(
        bringup.online_ns, last,
        "the headline is the last CPU's time"
    );
}

/// An AP that halts on the trampoline's page has for its stack but the place in the mailbox, on the page
/// behind, where a machine check may push to.
pub(crate) fn has_no_stack_of_its_own(vcpu: &Vcpu) {
    let page = |address: u64| address >> 12;
    let expected = page(vcpu.rip) + 1;
    assert_eq!(page(vcpu.rsp), expected, "it took a stack: {vcpu:#x?}");
}

/// The last line on the console that is not empty.
pub(crate) fn last_line(ended: &Ended) -> &str {
    ended
        .console
        .lines()
        .rev()
        .map(str::trim_end)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}
