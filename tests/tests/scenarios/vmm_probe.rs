//! `probe=1`: the marks that a hypervisor sees from outside, and what the kernel measures for its author.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use reveille_smp::record::{
    Probe,
    vmm_probe::{Deed, Stage, Wake},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::machine::{Accel, Chipset, Machine},
};

use crate::boot::{boot, firmware, is_whole, kernel};

const ENTRY: u8 = 0x40;
const KICK: u8 = 0x41;
const ALIVE: u8 = 0x42;
const ONLINE: u8 = 0x43;
const INCOMPLETE: u8 = 0x44;
const OK: u8 = 0x5e;
const FAILED: u8 = 0x5f;

/// A file of this process, which is gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        Self(kernel().scratch().join(name))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

/// Boots `machine` with a device at port 0x80 that keeps what is written there.
fn marks(machine: Machine, name: &str) -> (Vec<u8>, Ended) {
    let file = Scratch::new(name);
    let mut machine = machine;
    machine.further.extend([
        "-chardev".to_owned(),
        format!("file,id=marks,path={}", file.path().display()),
        "-device".to_owned(),
        "isa-debugcon,iobase=0x80,chardev=marks".to_owned(),
    ]);
    let ended = boot(&machine);
    // The firmware of a PC has marks of its own, below the kernel's codes.
    let written = fs::read(file.path()).expect("QEMU has made the file");
    let kernels = written
        .into_iter()
        .filter(|code| (0x40..0x60).contains(code));
    (kernels.collect(), ended)
}

/// Boots with `probe=1`, and checks what can be seen of it from outside and what is told of that.
fn probed(machine: Machine, name: &str) -> (Probe, Ended) {
    let machine = machine.append("probe=1");
    let (seen, ended) = marks(machine.clone(), name);
    is_whole(&machine, &ended);
    let probe = ended.records.probe().expect("there is a record");
    let (told, expected) = match machine.smp.cpus() {
        1 => (vec![ENTRY, ONLINE], vec![ENTRY, ONLINE, OK]),
        _ => (
            vec![ENTRY, KICK, ALIVE, ONLINE],
            vec![ENTRY, KICK, ALIVE, ONLINE, OK],
        ),
    };
    assert_eq!(seen, expected);
    assert_eq!(
        probe.marks.iter().map(|mark| mark.code).collect::<Vec<_>>(),
        told
    );
    let at: Vec<_> = probe.marks.iter().filter_map(|mark| mark.at_ns).collect();
    assert_eq!(at.len(), told.len(), "{:?}", probe.marks);
    assert!(at.is_sorted(), "{:?}", probe.marks);
    assert_eq!((probe.boot_timer_ns, probe.lost_sipis), (None, 0));
    for cost in &probe.costs {
        for spread in [Some(cost.took_ns), cost.accepted_ns].into_iter().flatten() {
            let ranks = [spread.min, spread.p50, spread.p99, spread.max];
            assert!(ranks.is_sorted(), "{cost:?}");
        }
        assert!(cost.samples >= 100, "{cost:?}");
    }
    let first = ended
        .console
        .lines()
        .position(|line| line.starts_with("probe: ms from entry"));
    let lines = || ended.console.lines().skip(first.expect("there is a table"));
    assert!(
        lines().all(|line| line.trim_end().len() <= 80),
        "{}",
        ended.console
    );
    (probe, ended)
}

fn deeds(probe: &Probe) -> Vec<Deed> {
    probe.costs.iter().map(|cost| cost.what).collect()
}

/// All that can be measured with an AP that is started by SIPI.
const ALL: [Deed; 8] = [
    Deed::Clock,
    Deed::Cpuid,
    Deed::Port,
    Deed::SelfIpi,
    Deed::Ipi,
    Deed::Nmi,
    Deed::Init,
    Deed::Sipi,
];

fn is_all_of_a_machine_with_aps(probe: &Probe, aps: u32) {
    assert_eq!(deeds(probe), ALL);
    let stages: Vec<_> = probe.stages.iter().map(|it| (it.stage, it.aps)).collect();
    let expected = [
        Stage::InitToSipi,
        Stage::SipiToReal,
        Stage::RealToLong,
        Stage::LongToAlive,
        Stage::AliveToOnline,
    ];
    assert_eq!(stages, expected.map(|stage| (stage, aps)));
    assert_eq!(probe.wakes.len(), 2);
    for wake in &probe.wakes {
        assert_eq!(wake.samples, 200);
        assert!((1..=200).contains(&wake.entries), "{wake:?}");
        let entry = wake.to_entry_ns.expect("clocks are compared");
        assert!(wake.uncertainty_ns.is_some());
        // Within what both are uncertain by, nobody answers before he has been asked.
        let slack = wake.uncertainty_ns.unwrap_or_default();
        assert!(entry.min <= wake.round_trip_ns.min + slack, "{wake:?}");
    }
}

#[test]
fn the_marks_of_a_boot_are_seen_from_outside_in_their_order() {
    let (probe, ended) = probed(Machine::new(4), "marks-q35");
    is_all_of_a_machine_with_aps(&probe, 3);
    // By an MSR, which says nothing of whether the interrupt was sent.
    assert!(probe.costs.iter().all(|cost| cost.accepted_ns.is_none()));
    let boot = ended.records.boot().expect("a machine");
    let kick = boot.entry_to_kick_ns.expect("there was a kick");
    assert!(
        probe.marks[1].at_ns.is_some_and(|at| at <= kick),
        "{:?}",
        probe.marks
    );
}

#[test]
fn an_xapic_says_when_it_has_sent_an_interrupt() {
    let machine = Machine::new(3).chipset(Chipset::Pc).cpu("qemu64");
    let (probe, ended) = probed(machine, "marks-xapic");
    assert_eq!(ended.records.boot().expect("a machine").apic, "xapic");
    is_all_of_a_machine_with_aps(&probe, 2);
    for cost in &probe.costs {
        let is_sent = !matches!(cost.what, Deed::Clock | Deed::Cpuid | Deed::Port);
        assert_eq!(cost.accepted_ns.is_some(), is_sent, "{cost:?}");
    }
}

#[test]
fn a_microvm_is_probed_as_a_pc_is() {
    let machine = Machine::new(2).chipset(Chipset::Microvm);
    let (probe, _) = probed(machine, "marks-microvm");
    is_all_of_a_machine_with_aps(&probe, 1);
}

#[test]
fn where_there_is_one_cpu_it_is_measured_alone() {
    let (probe, _) = probed(Machine::new(1), "marks-alone");
    assert_eq!(deeds(&probe), ALL[..4]);
    assert!(probe.stages.is_empty() && probe.wakes.is_empty());
}

#[test]
fn aps_that_are_woken_by_mailbox_get_no_init_and_no_sipi() {
    let machine = Machine::new(3).firmware(firmware().image());
    let (probe, _) = probed(machine.append("madt=module"), "marks-mailbox");
    assert_eq!(deeds(&probe), ALL[..6]);
    let stages: Vec<_> = probe.stages.iter().map(|it| it.stage).collect();
    let expected = [Stage::SipiToLong, Stage::LongToAlive, Stage::AliveToOnline];
    assert_eq!(stages, expected);
}

#[test]
fn clocks_that_cannot_be_compared_leave_out_what_takes_two() {
    let (seen, ended) = marks(
        Machine::new(2).append("probe=1 consistency=off"),
        "marks-clocks",
    );
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(seen, [ENTRY, KICK, ALIVE, ONLINE, OK]);
    let probe = ended.records.probe().expect("there is a record");
    assert!(
        probe
            .marks
            .iter()
            .all(|mark| mark.at_ns.is_none() == (mark.code == ALIVE))
    );
    let is_unknown = |wake: &Wake| (wake.entries, wake.to_entry_ns) == (0, None);
    assert!(probe.wakes.iter().all(is_unknown));
    assert!(probe.stages.iter().all(|it| it.stage != Stage::SipiToReal));
}

#[test]
fn an_ap_that_is_missing_shows_from_outside() {
    let (seen, ended) = marks(
        Machine::new(4).append("probe=1 fault=2:silent"),
        "marks-missing",
    );
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{}",
        ended.explain()
    );
    assert_eq!(seen, [ENTRY, KICK, INCOMPLETE, FAILED]);
    // It is measured with those that are there.
    let probe = ended.records.probe().expect("there is a record");
    assert_eq!(deeds(&probe), ALL);
    // The second attempt is the one in which the last AP is alive.
    let late = "probe=1 fault=2:late=550 alive-timeout=500 attempts=2";
    let machine = Machine::new(4).accel(Accel::Icount);
    let (seen, ended) = marks(machine.append(late), "marks-late");
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(seen, [ENTRY, KICK, ALIVE, ONLINE, OK]);
}

#[test]
fn an_ap_that_is_tried_again_does_not_stand_for_one_that_is_missing() {
    let line = "probe=1 attempts=2 fault=1:step=join fault=2:silent";
    let (seen, ended) = marks(Machine::new(4).append(line), "marks-again");
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{}",
        ended.explain()
    );
    let tried_again = ended.records.bringup_of_attempt(1);
    assert!(tried_again.is_ok(), "{}", ended.console);
    assert_eq!(seen, [ENTRY, KICK, INCOMPLETE, FAILED]);
}

#[test]
fn a_panic_is_the_last_mark() {
    let (seen, ended) = marks(
        Machine::new(2).append("probe=1 test=panic-ap"),
        "marks-panic",
    );
    assert!(!matches!(ended.outcome, Outcome::Ok), "{}", ended.explain());
    assert_eq!(seen, [ENTRY, KICK, ALIVE, ONLINE, FAILED]);
}

#[test]
fn rounds_and_cycles_behind_the_boot_leave_no_marks() {
    let (seen, ended) = marks(
        Machine::new(3).append("probe=1 bench=2 cycle=2"),
        "marks-rounds",
    );
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(seen, [ENTRY, KICK, ALIVE, ONLINE, OK]);
}

#[test]
fn whoever_does_not_ask_gets_no_marks_and_no_record() {
    for line in ["", "probe=0"] {
        let (seen, ended) = marks(Machine::new(2).append(line), "marks-off");
        assert_eq!(ended.outcome, Outcome::Ok);
        assert!(seen.is_empty(), "{seen:x?}");
        assert!(ended.records.probe().is_err());
        assert!(!ended.console.contains("probe:"));
    }
}

/// Where Firecracker has its boot timer, this machine has memory of a device, which is a file. With 512 MiB there
/// is one place for it that the firmware of a PC finds below 4 GiB: the first quarter of the fourth gigabyte.
struct BootTimer(Scratch);

impl BootTimer {
    const SIZE: u64 = 512 << 20;

    fn new(name: &str) -> Self {
        let file = Scratch::new(name);
        let made = File::create(file.path()).expect("a file can be made");
        made.set_len(Self::SIZE).expect("a file can have holes");
        Self(file)
    }

    /// A machine with this device, which says of itself that this OEM made it.
    fn machine(&self, oem: &str) -> Machine {
        let mut machine = Machine::new(2);
        let path = self.0.path().display();
        machine.further.extend([
            "-machine".to_owned(),
            format!("x-oem-id={oem}"),
            "-object".to_owned(),
            format!(
                "memory-backend-file,id=timer,size={},share=on,mem-path={path}",
                Self::SIZE
            ),
            "-device".to_owned(),
            "ivshmem-plain,memdev=timer".to_owned(),
        ]);
        machine
    }

    /// What was written to its first byte.
    fn byte(&self) -> u8 {
        let mut byte = [0];
        let mut file = File::open(self.0.path()).expect("it is there");
        file.read_exact(&mut byte).expect("it has a byte");
        byte[0]
    }
}

/// Boots, and gives what the boot timer was told, and when by the kernel's account.
fn told(oem: &str, line: &str) -> (u8, Option<u64>, Outcome) {
    let timer = BootTimer::new("boot-timer");
    let ended = boot(&timer.machine(oem).append(line));
    let probe = ended.records.probe();
    let at = probe.ok().and_then(|probe| probe.boot_timer_ns);
    (timer.byte(), at, ended.outcome)
}

#[test]
fn firecrackers_boot_timer_is_told_where_the_tables_name_it_or_a_person_does() {
    for (oem, line) in [("FIRECK", "probe=1"), ("BOCHS", "probe=firecracker")] {
        let (byte, at, outcome) = told(oem, line);
        assert_eq!((byte, outcome), (123, Outcome::Ok), "{oem} {line}");
        assert!(at.is_some());
    }
    for (oem, line) in [
        ("BOCHS", "probe=1"),
        ("FIRECK", "probe=0"),
        ("FIRECK", ""),
        // Not all APs are online: the boot is not complete.
        ("FIRECK", "probe=1 fault=1:silent require=any"),
    ] {
        let (byte, at, outcome) = told(oem, line);
        assert_eq!((byte, at), (0, None), "{oem} {line}");
        assert!(matches!(outcome, Outcome::Ok), "{outcome:?}");
    }
}

#[test]
fn memory_where_firecracker_has_its_boot_timer_is_left_alone() {
    // A PC with PIIX has all of its RAM below 3.5 GiB if that is less.
    let mut machine = Machine::new(2).chipset(Chipset::Pc);
    machine.memory = Some("3400M".to_owned());
    let ended = boot(&machine.clone().append("probe=firecracker"));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    assert!(reason.contains("no boot timer at 0xc0000000"), "{reason}");
    machine
        .further
        .extend(["-machine".to_owned(), "x-oem-id=FIRECK".to_owned()]);
    let ended = boot(&machine.append("probe=1"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let probe = ended.records.probe().expect("there is a record");
    assert_eq!(probe.boot_timer_ns, None);
}
