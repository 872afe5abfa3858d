//! Lists of CPUs that are wrong: whatever the table says, the kernel comes to its verdict, the CPUs
//! that can come up do, and the report says why the others did not.
//!
//! They run in virtual time where a CPU is missing: there it costs next to nothing, and no deadline
//! fires because the host is slow.

use reveille_smp::{outcome::Outcome as CpuOutcome, record::Cpu};
use reveille_tests::{
    guest::Ended,
    madt::{ENABLED, FIXED, Madt, ONLINE_CAPABLE},
    outcome::Outcome,
    qemu::machine::{Accel, Chipset, Machine},
};

use crate::boot::boot;

/// How a line begins that tells of a flaw in the table.
const FLAW: &str = "madt=module: ";

/// Four CPUs, with the ids 0 to 3. One that does not exist is soon given up.
fn machine() -> Machine {
    Machine::new(4)
        .accel(Accel::Icount)
        .append("alive-timeout=200")
}

/// Boots `machine` with this table in place of the firmware's.
pub(crate) fn boot_with(madt: &Madt, machine: Machine) -> Ended {
    let file = madt.file().expect("a file can be written");
    boot(&machine.append("madt=module").module(file.path()))
}

/// The same for four CPUs, of which these come online and all that come up are enough.
fn brings_up(madt: &Madt, online: &[u32]) -> Ended {
    let ended = boot_with(madt, machine());
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ids(&ended, CpuOutcome::Online), online);
    ended
}

/// The same for a table that may have lost CPUs: then all that came up are not enough, and a number
/// of them may be.
fn brings_up_and_may_lack(madt: &Madt, online: &[u32]) -> Ended {
    let number = machine().append(&format!("require={}", online.len() + 1));
    assert_eq!(boot_with(madt, number).outcome, Outcome::Ok);
    let ended = boot_with(madt, machine());
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    let why = "CPUs may be lost, so nobody can say that all came up: the MADT's ";
    assert!(reason.starts_with(why), "{reason}");
    assert_eq!(ids(&ended, CpuOutcome::Online), online);
    ended
}

/// The same where these do not exist, which fails the run and is told.
fn brings_up_all_but(madt: &Madt, online: &[u32], silent: &[u32]) -> Ended {
    let ended = boot_with(madt, machine());
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    let [first, ..] = silent else {
        panic!("somebody is silent");
    };
    assert!(
        reason.contains(&format!("(APIC {first}): never-started")),
        "{reason}"
    );
    assert_eq!(ids(&ended, CpuOutcome::Online), online);
    assert_eq!(ids(&ended, CpuOutcome::NeverStarted), silent);
    ended
}

fn cpus(ended: &Ended) -> Vec<Cpu> {
    ended.records.cpus().expect("all records are whole")
}

/// The APIC ids of the CPUs with this outcome, in the order of the report.
fn ids(ended: &Ended, outcome: CpuOutcome) -> Vec<u32> {
    let cpus = cpus(ended).into_iter();
    let alike = cpus.filter(|cpu| cpu.outcome == outcome);
    alike.map(|cpu| cpu.apic_id.0).collect()
}

/// The console has a line that begins so and contains all these parts.
fn tells(ended: &Ended, start: &str, parts: &[&str]) {
    let mut lines = ended.console.lines();
    let told =
        lines.any(|line| line.starts_with(start) && parts.iter().all(|&part| line.contains(part)));
    assert!(told, "no line `{start}` with {parts:?}");
}

#[test]
fn of_a_truncated_table_the_cpus_before_the_cut_come_up() {
    let cut = Madt::of(0..4).truncated(FIXED + 2 * 8 + 5);
    let ended = brings_up_and_may_lack(&cut, &[1]);
    tells(&ended, FLAW, &["header says 76 bytes, and there are 65"]);
    brings_up_and_may_lack(&Madt::of(0..4).truncated(FIXED + 2 * 8), &[1]);
}

#[test]
fn what_is_too_short_to_be_a_table_leaves_the_bsp_alone_and_fails_the_run() {
    for length in [1, FIXED - 1] {
        let ended = boot_with(&Madt::of(0..4).truncated(length), machine());
        let Outcome::Failed(reason) = &ended.outcome else {
            panic!("{length} bytes ended as {:?}", ended.outcome);
        };
        assert!(reason.contains("only CPU 0 is known"), "{reason}");
    }
}

#[test]
fn a_table_that_is_no_madt_leaves_the_bsp_alone_and_the_policy_decides() {
    let other = Madt::of(0..4).with_signature(*b"FACP");
    let ended = boot_with(&other, machine());
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{:?}",
        ended.outcome
    );
    tells(
        &ended,
        FLAW,
        &["signature is \"FACP\"", "only the CPU that booted"],
    );
    assert_eq!(cpus(&ended).len(), 1);
    for enough in ["require=any", "require=1"] {
        let ended = boot_with(&other, machine().append(enough));
        assert_eq!(ended.outcome, Outcome::Ok, "{enough}");
    }
}

#[test]
fn an_entry_of_length_zero_costs_what_follows_it_and_no_more() {
    for kind in [0, 9, 0x42, 0xff] {
        let madt = Madt::of(0..3).entry(&[kind, 0]).local_apic(3, ENABLED);
        let ended = brings_up_and_may_lack(&madt, &[1, 2]);
        tells(&ended, FLAW, &["has only 0 bytes; what follows it is lost"]);
    }
}

#[test]
fn an_entry_too_short_for_its_type_is_passed_over() {
    let madt = Madt::of(0..2)
        .entry(&[9, 6, 0, 0, 3, 0])
        .local_apic(2, ENABLED);
    let ended = brings_up_and_may_lack(&madt, &[1, 2]);
    tells(
        &ended,
        FLAW,
        &["type 0x9, has only 6 bytes; it is passed over"],
    );
}

#[test]
fn an_entry_that_reaches_beyond_the_table_is_lost() {
    let ended = brings_up_and_may_lack(&Madt::of(0..3).entry(&[0, 8, 0, 3]), &[1, 2]);
    tells(&ended, FLAW, &["reaches beyond the table"]);
}

#[test]
fn a_wrong_checksum_is_told_and_all_cpus_come_up() {
    let ended = brings_up(&Madt::of(0..4).with_wrong_checksum(), &[1, 2, 3]);
    tells(&ended, FLAW, &["add up to 0x1", "tried all the same"]);
}

#[test]
fn a_length_beyond_the_table_is_told_and_all_cpus_come_up() {
    for length in [77, 4096, u32::MAX] {
        let ended = brings_up(&Madt::of(0..4).with_length(length), &[1, 2, 3]);
        let part = format!("header says {length} bytes, and there are 76");
        tells(&ended, FLAW, &[&part]);
    }
}

#[test]
fn a_length_below_the_fixed_part_is_told_and_all_cpus_come_up() {
    let ended = brings_up(&Madt::of(0..4).with_length(8), &[1, 2, 3]);
    tells(&ended, FLAW, &["header says 8 bytes"]);
}

#[test]
fn a_cpu_that_is_listed_twice_and_in_both_ways_is_woken_once() {
    let madt = Madt::of([0, 1, 1])
        .x2apic(1, ENABLED)
        .x2apic(2, ENABLED)
        .local_apic(2, 0);
    let ended = brings_up(&madt, &[1, 2]);
    assert_eq!(cpus(&ended).len(), 3);
}

#[test]
fn ten_thousand_entries_of_the_same_cpus_are_those_cpus() {
    let entries = 0..10_000;
    let madt = entries.fold(Madt::default(), |madt, at| madt.x2apic(at % 4, ENABLED));
    let ended = boot_with(&madt, Machine::new(4));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ids(&ended, CpuOutcome::Online), [1, 2, 3]);
    assert_eq!(cpus(&ended).len(), 4);
}

#[test]
fn a_cpu_that_does_not_exist_is_named_and_the_others_come_up() {
    let madt = Madt::of([0, 1, 7, 2, 3, 200]);
    let ended = brings_up_all_but(&madt, &[1, 2, 3], &[7, 200]);
    tells(
        &ended,
        "CPUs 2,5 (APIC 7,200): never-started",
        &["is it really there"],
    );
}

#[test]
fn a_table_without_the_bsp_still_brings_up_the_others() {
    let ended = brings_up(&Madt::of(1..4), &[1, 2, 3]);
    assert_eq!(ids(&ended, CpuOutcome::Bsp), [0]);
    tells(&ended, FLAW, &["does not list the CPU that booted, APIC 0"]);
}

#[test]
fn x2apic_entries_alone_are_enough() {
    let madt = (0..4).fold(Madt::default(), |madt, id| madt.x2apic(id, ENABLED));
    brings_up(&madt, &[1, 2, 3]);
}

#[test]
fn entries_of_unknown_types_are_passed_over_in_silence() {
    let mut longest = vec![0x7f, 255];
    longest.resize(255, 0xff);
    let madt = Madt::of([0, 1])
        .entry(&[0x42, 2])
        .local_apic(2, ENABLED)
        .entry(&longest)
        .local_apic(3, ENABLED);
    let ended = brings_up(&madt, &[1, 2, 3]);
    assert!(!ended.console.contains(FLAW));
}

#[test]
fn ids_near_2_to_the_32_are_tried_and_the_ones_that_mean_everybody_are_no_cpus() {
    let madt = Madt::of([0, 1, 0xff, 2])
        .x2apic(u32::MAX, ENABLED)
        .x2apic(u32::MAX - 1, ENABLED)
        .x2apic(0x8000_0000, ENABLED)
        .x2apic(0xff, ENABLED)
        .local_apic(3, ENABLED);
    brings_up_all_but(&madt, &[1, 2, 3], &[u32::MAX - 1, 0x8000_0000, 0xff]);
}

#[test]
fn in_xapic_mode_ids_above_254_are_skipped_and_the_others_come_up() {
    let madt = Madt::of([0, 1])
        .x2apic(255, ENABLED)
        .x2apic(0x1_0002, ENABLED)
        .x2apic(2, ENABLED);
    let ended = boot_with(&madt, machine().cpu("max,-x2apic"));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ids(&ended, CpuOutcome::Online), [1, 2]);
    assert_eq!(ids(&ended, CpuOutcome::Skipped), [255, 0x1_0002]);
    tells(
        &ended,
        "CPUs 2-3 (APIC 255,65538): skipped",
        &["xAPIC mode", "x2APIC"],
    );
}

#[test]
fn cpus_that_are_disabled_and_cpus_that_can_be_added_are_told_apart_and_never_waited_for() {
    let madt = Madt::of([0, 1])
        .local_apic(2, 0)
        .local_apic(3, ONLINE_CAPABLE);
    let ended = brings_up(&madt, &[1]);
    assert_eq!(ids(&ended, CpuOutcome::Disabled), [2, 3]);
    tells(&ended, "APIC 2: disabled", &["not marked online-capable"]);
    tells(
        &ended,
        "APIC 3: disabled",
        &["disabled; marked online-capable"],
    );
}

#[test]
fn when_memory_ends_the_cpus_that_are_left_are_skipped() {
    let madt = (0..600).fold(Madt::default(), |madt, id| madt.x2apic(id, ENABLED));
    let mut machine = machine().append("require=4");
    machine.memory = Some("32M".to_owned());
    let ended = boot_with(&madt, machine);
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ids(&ended, CpuOutcome::Online), [1, 2, 3]);
    let skipped = ids(&ended, CpuOutcome::Skipped);
    assert_eq!(skipped.last(), Some(&599));
    assert!(skipped.len() > 200, "{} are skipped", skipped.len());
    tells(&ended, "CPUs ", &["skipped; memory did not suffice"]);
}

#[test]
fn a_mailbox_where_none_can_be_is_told_and_the_cpus_are_woken_without_it() {
    for (address, why) in [
        (0, "where no page begins; it is not used"),
        (0x9_f800, "where no page begins; it is not used"),
        // The memory map lists it as free.
        (0x100_0000, "is mapped already; INIT and SIPI are used"),
        (1 << 51, "is no address of "),
    ] {
        let ended = brings_up(&Madt::of(0..4).mailbox(address), &[1, 2, 3]);
        tells(&ended, FLAW, &["mailbox", why]);
        let wake = ended.records.boot().expect("a boot record").wake;
        assert_eq!(wake, "init-sipi", "{address:#x}");
    }
}

#[test]
fn a_mailbox_that_is_asked_for_and_cannot_be_used_fails_the_run() {
    for madt in [Madt::of(0..4), Madt::of(0..4).mailbox(0x100_0000)] {
        let ended = boot_with(&madt, machine().append("wake=mailbox"));
        let Outcome::Failed(reason) = &ended.outcome else {
            panic!("it ended as {:?}", ended.outcome);
        };
        assert!(reason.starts_with("wake=mailbox: "), "{reason}");
        assert!(ended.records.bringup().is_err(), "no CPU is woken");
    }
}

#[test]
fn a_mailbox_into_which_nobody_looks_costs_one_deadline_and_a_patience_for_each_cpu() {
    // No memory and no device is there.
    let ended = boot_with(&Madt::of(0..4).mailbox(0xd000_0000), machine());
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(
        reason.starts_with("3 of 3 APs did not come online"),
        "{reason}"
    );
    assert_eq!(ids(&ended, CpuOutcome::NeverStarted), [1, 2, 3]);
    let bringup = ended.records.bringup().expect("round 0");
    assert!(bringup.total_ns < 400_000_000, "{bringup:?}");
}

#[test]
fn without_a_module_the_run_fails_and_says_how_to_give_one() {
    let ended = boot(&machine().append("madt=module"));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(
        reason.starts_with("madt=module: the loader brought no module"),
        "{reason}"
    );
}

#[test]
fn a_machine_without_acpi_has_one_cpu_and_the_policy_decides() {
    // On a PC the BIOS makes tables of its own where QEMU gives none.
    let mut machine = machine().chipset(Chipset::Microvm);
    machine.further = ["-machine", "acpi=off"].map(str::to_owned).to_vec();
    let ended = boot(&machine);
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{:?}",
        ended.outcome
    );
    tells(
        &ended,
        "firmware: ",
        &["no RSDP", "only the CPU that booted"],
    );
    assert_eq!(boot(&machine.append("require=any")).outcome, Outcome::Ok);
}
