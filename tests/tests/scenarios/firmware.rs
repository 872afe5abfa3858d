//! The firmware of the tests that parks the APs at an ACPI wakeup mailbox: the kernel that it starts
//! runs as ever, with the CPUs that the firmware lists, and what it cannot do it says.

use std::io::Write;

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Chipset, Machine},
        smp::Smp,
    },
};
use tempfile::NamedTempFile;

use crate::boot::{boot, firmware, last_line};

/// So many CPUs in virtual time, parked by the firmware.
pub(crate) fn parked(smp: impl Into<Smp>) -> Machine {
    Machine::new(smp)
        .accel(Accel::Icount)
        .firmware(firmware().image())
}

/// Boots it with the firmware's table; the APIC ids of all CPUs, which are online.
fn brings_up(machine: &Machine) -> Vec<u32> {
    let ended = boot(&machine.clone().append("madt=module"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let table = ended.records.boot().expect("a boot record").machine;
    assert_eq!(table, "REVEIL MAILBOX");
    assert!(!ended.console.contains("madt=module: "), "it has no flaw");
    let cpus = ended.records.cpus().expect("all records are whole");
    assert_eq!(cpus[0].outcome, CpuOutcome::Bsp);
    assert!(
        cpus[1..]
            .iter()
            .all(|cpu| cpu.outcome == CpuOutcome::Online)
    );
    cpus.iter().map(|cpu| cpu.apic_id.0).collect()
}

fn fails(machine: &Machine) -> Ended {
    let ended = boot(machine);
    let line = last_line(&ended);
    assert_eq!(ended.outcome, Outcome::Failed(line.to_owned()));
    assert!(line.starts_with("firmware: "), "{line}");
    assert!(!ended.console.contains("reveille: "), "the kernel ran");
    ended
}

#[test]
fn cpus_that_were_parked_come_up_with_holes_among_their_ids() {
    let smp: Smp = "12,sockets=2,cores=3,threads=2"
        .parse()
        .expect("a good value");
    let ids = brings_up(&parked(smp));
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn the_firmware_starts_the_kernel_on_each_machine() {
    for chipset in [Chipset::Pc, Chipset::Microvm] {
        assert_eq!(brings_up(&parked(3).chipset(chipset)), [0, 1, 2]);
    }
    assert_eq!(brings_up(&parked(1)), [0]);
    assert_eq!(brings_up(&parked(3).cpu("max,-x2apic")), [0, 1, 2]);
    let mut small = parked(3);
    // The file has 26 MB with what it says for debuggers, and is there beside the kernel that it holds.
    small.memory = Some("48M".to_owned());
    assert_eq!(brings_up(&small), [0, 1, 2]);
}

#[test]
fn the_firmwares_words_do_not_reach_the_kernel() {
    let words = "firmware.mailbox=0 firmware.slow=2:5";
    assert_eq!(brings_up(&parked(3).append(words)), [0, 1, 2]);
}

#[test]
fn words_that_the_firmware_cannot_follow_end_the_run() {
    for (word, why) in [
        ("firmware.loud=1", "`firmware.loud=1`: the words are "),
        ("firmware.deaf=7", "there is no AP with APIC id 7"),
        ("firmware.deaf=0", "there is no AP with APIC id 0"),
    ] {
        let ended = fails(&parked(3).append(word));
        assert!(last_line(&ended).contains(why), "{}", last_line(&ended));
    }
}

#[test]
fn what_is_no_kernel_is_not_started() {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(b"this is no kernel").expect("it is written");
    let mut machine = parked(2);
    // The last one counts.
    machine.further = vec!["-initrd".to_owned(), file.path().display().to_string()];
    let ended = fails(&machine);
    let line = last_line(&ended);
    assert!(line.contains("the module is no kernel: "), "{line}");
}

#[test]
fn a_cpu_without_long_mode_is_told() {
    let ended = fails(&parked(1).cpu("qemu32"));
    assert!(last_line(&ended).contains("no long mode"));
}
