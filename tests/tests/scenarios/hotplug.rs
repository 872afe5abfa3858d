//! CPUs that are added while the kernel runs, and removed, by QEMU's monitor.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use reveille_smp::{
    outcome::Outcome as CpuOutcome,
    record::{Hotplug, HotplugEvent, HotplugOutcome, HotplugSource, Record, Removal},
    step::StepError,
};
use reveille_tests::{
    guest::Guest,
    qemu::{
        machine::{Chipset, Machine},
        slots::Slot,
        smp::Smp,
        vcpu::Vcpu,
    },
};
use serde_json::json;

use crate::boot::{LIMIT, kernel, patient, slot};

/// ACPI's numbers: what is reported of, and some of what is reported.
const DEVICE_CHECK: u64 = 1;
const EJECT_REQUEST: u64 = 3;
const SUCCESS: u64 = 0;
const FAILURE: u64 = 1;
const BUSY: u64 = 0x82;
const NOT_SUPPORTED: u64 = 0x82;

const ADDED: HotplugOutcome = HotplugOutcome::Added(CpuOutcome::Online);
const REMOVED: HotplugOutcome = HotplugOutcome::Removal(Removal::Removed);
const REFUSED: HotplugOutcome = HotplugOutcome::Removal(Removal::Refused);

/// Torture lets one operation in some fail. That so many in turn are the one that removes a CPU is beyond chance.
const MOST_FAILURES: u32 = 10;

/// A kernel that stays, on a machine to which CPUs are added. Bays have the numbers that their CPUs get.
struct Plugged {
    guest: Guest<'static>,
    /// How many hot-plug records have been looked at.
    seen: usize,
    _slot: Slot,
}

impl Plugged {
    /// Boots `machine`, and waits for nothing.
    fn start(machine: Machine) -> Self {
        let machine = patient(machine.append("after=halt"));
        let slot = slot(&machine);
        Self {
            guest: Guest::start(kernel(), &machine).expect("QEMU starts"),
            seen: 0,
            _slot: slot,
        }
    }

    /// Boots `machine`, and waits for its verdict.
    fn idle(machine: Machine) -> Self {
        let mut plugged = Self::start(machine);
        plugged.is_ok();
        plugged
    }

    fn says(&mut self, line: &str) {
        let said = self.guest.wait_for_line(line, LIMIT);
        said.expect("the kernel says so");
    }

    fn is_ok(&mut self) {
        let ok = self.guest.wait_for_line("reveille: ok", LIMIT);
        ok.expect("the run is a success");
    }

    /// The bring-up is over, and what was asked for behind it has begun: its CPUs run in the kernel.
    fn guest_shows_that_it_runs(&mut self) {
        let text = kernel().text().expect("the kernel has code");
        let deadline = Instant::now() + LIMIT;
        loop {
            let vcpus = self.guest.vcpus().expect("the monitor answers");
            let runs = |vcpu: &Vcpu| vcpu.long_mode && text.contains(&vcpu.rip);
            if vcpus.iter().all(runs) {
                return;
            }
            assert!(Instant::now() < deadline, "it never runs");
        }
    }

    /// Plugs CPUs while the machine stands, so that the kernel finds all of them at once.
    fn plug_together(&mut self, bays: Range<usize>) {
        let stopped = self.guest.execute("stop", json!({}));
        stopped.expect("the machine stands");
        bays.for_each(|bay| self.plug(bay));
        let continued = self.guest.execute("cont", json!({}));
        continued.expect("the machine goes on");
    }

    /// Waits until the CPU in a bay has been started; it halts in real mode then.
    fn is_kicked(&mut self, bay: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let vcpus = self.guest.vcpus().expect("the monitor answers");
            // Out of reset it waits at the reset vector.
            let vcpu = vcpus.iter().find(|vcpu| vcpu.index as usize == bay);
            if vcpu.is_some_and(|vcpu| vcpu.halted && vcpu.rip < 0xfff0) {
                return;
            }
            assert!(Instant::now() < deadline, "it is never kicked");
        }
    }

    fn plug(&mut self, bay: usize) {
        let name = format!("cpu{bay}");
        self.guest.plug(bay, &name).expect("the bay takes a CPU");
    }

    /// A CPU that lacks a feature.
    fn plug_without(&mut self, bay: usize, feature: &str) {
        let lacks = [(feature.to_owned(), false.into())];
        let plugged = self
            .guest
            .plug_with(bay, &format!("cpu{bay}"), lacks.into_iter().collect());
        plugged.expect("the bay takes a CPU");
    }

    /// Waits for that many accounts of the CPU in a bay, and gives what it lacks by the last.
    fn lacks(&mut self, bay: usize, accounts: usize) -> Vec<String> {
        let states = self.guest.wait_for_records(LIMIT, |records| {
            let mut states = records.cpu_states().expect("all records are whole");
            states.retain(|state| state.cpu.0 as usize == bay);
            (states.len() >= accounts).then_some(states)
        });
        let mut states = states.expect("the kernel tells of it");
        assert_eq!(states.len(), accounts);
        let last = states.pop().expect("there is one");
        assert!(last.features.compared && last.registers.checked, "{last:?}");
        assert!(last.clock.offset_ns.is_some(), "{last:?}");
        last.features.missing
    }

    fn ask_back(&mut self, bay: usize) {
        self.guest.ask_back(bay).expect("QEMU asks the guest");
    }

    /// Waits for the next record.
    fn next(&mut self) -> Hotplug {
        let at = self.seen;
        self.seen += 1;
        let record = self.guest.wait_for_records(LIMIT, |records| {
            let hotplugs = records.hotplugs().expect("all records are whole");
            hotplugs.into_iter().nth(at)
        });
        let record = record.expect("the kernel notices");
        println!("{record:?}");
        record
    }

    /// The CPU in a bay has been added, this came of it, and the machine was told so.
    fn comes(&mut self, bay: usize, outcome: HotplugOutcome, status: u64) -> Hotplug {
        self.becomes(bay, HotplugEvent::Add, outcome, (DEVICE_CHECK, status))
    }

    /// The CPU in a bay was to be removed, the same.
    fn goes(&mut self, bay: usize, outcome: HotplugOutcome, status: u64) -> Hotplug {
        self.becomes(bay, HotplugEvent::Remove, outcome, (EJECT_REQUEST, status))
    }

    fn becomes(
        &mut self,
        bay: usize,
        event: HotplugEvent,
        outcome: HotplugOutcome,
        report: (u64, u64),
    ) -> Hotplug {
        let record = self.next();
        assert_eq!((record.event, record.outcome), (event, outcome));
        assert_eq!(record.cpu.map(|cpu| cpu.0), Some(bay as u32));
        let told = self.guest.wait_for_report(bay, LIMIT);
        assert_eq!(told.expect("QEMU is told"), report);
        record
    }

    /// The CPU in a bay is taken out, whole.
    fn is_removed(&mut self, bay: usize) {
        self.ask_back(bay);
        self.goes(bay, REMOVED, SUCCESS);
        let bays = self.guest.bays().expect("the monitor answers");
        assert!(!bays[bay].is_taken(), "QEMU has it still");
    }

    /// The same of a CPU that is tortured: what it was told to fail at may be on its way down. It fails once.
    fn is_removed_in_the_end(&mut self, bay: usize) {
        for _ in 0..MOST_FAILURES {
            self.ask_back(bay);
            if !self.must_fail_first(bay) {
                let bays = self.guest.bays().expect("the monitor answers");
                assert!(!bays[bay].is_taken(), "QEMU has it still");
                return;
            }
        }
        panic!("it was told to fail {MOST_FAILURES} times");
    }

    /// Whether the CPU in a bay that was asked for stays, for it was told to fail. Otherwise it has gone.
    fn must_fail_first(&mut self, bay: usize) -> bool {
        let record = self.next();
        assert_eq!(record.cpu.map(|cpu| cpu.0), Some(bay as u32));
        let is_refused = record.outcome == REFUSED;
        let (outcome, status) = match is_refused {
            true => (REFUSED, BUSY),
            false => (REMOVED, SUCCESS),
        };
        assert_eq!(
            (record.event, record.outcome),
            (HotplugEvent::Remove, outcome)
        );
        if is_refused {
            let reason = record.reason.expect("a reason");
            assert!(reason.contains(StepError::Injected.reason()), "{reason}");
        }
        let told = self.guest.wait_for_report(bay, LIMIT);
        assert_eq!(told.expect("QEMU is told"), (EJECT_REQUEST, status));
        is_refused
    }

    /// How many CPUs the machine has, all of which halt in the kernel by now.
    fn cpus(&mut self) -> usize {
        self.guest.vcpus().expect("the monitor answers").len()
    }
}

fn smp(text: &str) -> Smp {
    text.parse().expect("it is good")
}

/// Two CPUs, and others that may be added. Under TCG, QEMU has translation contexts for as many as are possible
/// and gives none back, so with fewer it would end where CPUs are added again (10.0, `tcg/tcg.c`,
/// `tcg_register_thread`).
fn machine(chipset: Chipset) -> Machine {
    Machine::new(smp("2,maxcpus=16")).chipset(chipset)
}

fn four_come_one_by_one_go_and_come_again(chipset: Chipset, line: &str) {
    let mut plugged = Plugged::idle(machine(chipset));
    plugged.says(line);
    for bay in 2..6 {
        plugged.plug(bay);
        let added = plugged.comes(bay, ADDED, SUCCESS);
        assert_eq!((added.step, added.reason), (None, None));
        assert_eq!(added.source, HotplugSource::Sci);
    }
    assert_eq!(plugged.cpus(), 6);
    for bay in [3, 5, 2] {
        plugged.is_removed(bay);
    }
    assert_eq!(plugged.cpus(), 3);
    for bay in [2, 3] {
        plugged.plug(bay);
        plugged.comes(bay, ADDED, SUCCESS);
    }
    assert_eq!(plugged.cpus(), 5);
}

#[test]
fn four_cpus_come_one_by_one_go_and_come_again_on_q35() {
    let line = "hotplug: ICH9, told by its interrupt";
    four_come_one_by_one_go_and_come_again(Chipset::Q35, line);
}

#[test]
fn four_cpus_come_one_by_one_go_and_come_again_on_pc() {
    let line = "hotplug: PIIX4, told by its interrupt";
    four_come_one_by_one_go_and_come_again(Chipset::Pc, line);
}

#[test]
fn four_cpus_that_are_added_together_come_up_together_on_q35() {
    four_come_together_and_go_together(Chipset::Q35);
}

#[test]
fn four_cpus_that_are_added_together_come_up_together_on_pc() {
    four_come_together_and_go_together(Chipset::Pc);
}

fn four_come_together_and_go_together(chipset: Chipset) {
    let mut plugged = Plugged::idle(machine(chipset));
    plugged.plug_together(2..6);
    let mut bays: Vec<_> = (2..6)
        .map(|_| {
            let record = plugged.next();
            assert_eq!((record.event, record.outcome), (HotplugEvent::Add, ADDED));
            record.cpu.expect("it has a slot").0
        })
        .collect();
    bays.sort_unstable();
    assert_eq!(bays, [2, 3, 4, 5]);
    assert_eq!(plugged.cpus(), 6);
    // They go together, too.
    (2..6).for_each(|bay| plugged.ask_back(bay));
    (2..6).for_each(|_| assert_eq!(plugged.next().outcome, REMOVED));
    assert_eq!(plugged.cpus(), 2);
}

#[test]
fn cpus_that_the_machine_had_from_the_start_go_too_and_the_boot_cpu_stays() {
    let mut plugged = Plugged::idle(Machine::new(smp("4,maxcpus=8")));
    plugged.is_removed(2);
    assert_eq!(plugged.cpus(), 3);
    plugged.plug(2);
    plugged.comes(2, ADDED, SUCCESS);
    // QEMU itself does not even ask.
    assert!(plugged.guest.ask_back(0).is_err());
}

#[test]
fn a_cpu_that_is_added_in_the_middle_of_a_measurement_comes_behind_it() {
    let mut plugged = Plugged::start(machine(Chipset::Q35).append("bench=40"));
    plugged.guest_shows_that_it_runs();
    plugged.plug(3);
    plugged.plug(2);
    plugged.is_ok();
    let records = plugged.guest.records().parse().expect("all are whole");
    let rounds = records.iter().filter_map(|record| match record {
        Record::Bringup(bringup) => Some((bringup.aps, bringup.online)),
        _ => None,
    });
    let rounds: Vec<_> = rounds.collect();
    assert_eq!(rounds.len(), 1 + 40 * 5);
    assert!(rounds.iter().all(|round| *round == (1, 1)), "{rounds:?}");
    // But a broadcast starts them too, so both came before the last, and none that was started once is missing
    // behind that.
    let floors = records.iter().filter_map(|record| match record {
        Record::Floor(floor) => Some(floor.aps),
        _ => None,
    });
    let floors: Vec<_> = floors.collect();
    assert!(floors.is_sorted(), "{floors:?}");
    assert_eq!(floors.last(), Some(&3), "{floors:?}");
    for _ in 0..2 {
        assert_eq!(plugged.next().outcome, ADDED);
    }
}

#[test]
fn cpus_come_and_go_in_the_middle_of_random_operations_and_no_rule_is_broken() {
    let keys = "torture=20 seed=7";
    let machine = Machine::new(smp("4,maxcpus=16")).append(keys);
    let mut plugged = Plugged::start(machine);
    plugged.guest_shows_that_it_runs();
    for bay in 4..8 {
        plugged.plug(bay);
        plugged.comes(bay, ADDED, SUCCESS);
    }
    // Some that are tortured, and some that are not; and again.
    for bay in [2, 5, 2, 6] {
        plugged.is_removed_in_the_end(bay);
        plugged.plug(bay);
        plugged.comes(bay, ADDED, SUCCESS);
    }
    let torture = plugged
        .guest
        .wait_for_records(LIMIT, |records| records.torture().ok());
    let torture = torture.expect("it ends");
    assert_eq!((torture.lost, torture.failed), (0, 0), "{torture:?}");
    assert!(torture.balance.disturbed, "{torture:?}");
    assert_eq!(torture.aps, 3);
    plugged.is_ok();
}

#[test]
fn a_cpu_that_is_added_and_never_answers_is_told_and_can_be_removed_and_added_again() {
    let keys = "fault=3:silent alive-timeout=3000";
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append(keys));
    for _ in 0..2 {
        plugged.plug(3);
        let never_started = HotplugOutcome::Added(CpuOutcome::NeverStarted);
        let added = plugged.comes(3, never_started, FAILURE);
        assert!(added.duration_ns >= 3_000_000_000, "before its deadline");
        plugged.is_removed(3);
    }
    // The others do not suffer from it.
    plugged.plug(3);
    plugged.plug(4);
    let mut outcomes =
        [plugged.next(), plugged.next()].map(|it| (it.cpu.map(|cpu| cpu.0), it.outcome));
    outcomes.sort_by_key(|(cpu, _)| *cpu);
    let never_started = HotplugOutcome::Added(CpuOutcome::NeverStarted);
    assert_eq!(outcomes, [(Some(3), never_started), (Some(4), ADDED)]);
}

#[test]
fn a_cpu_that_hangs_as_it_comes_up_is_not_let_go() {
    let keys = "fault=2:claimed alive-timeout=3000";
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append(keys));
    plugged.plug(2);
    let stuck = HotplugOutcome::Added(CpuOutcome::StuckLongMode);
    plugged.comes(2, stuck, FAILURE);
    plugged.ask_back(2);
    let refused = plugged.goes(2, REFUSED, BUSY);
    assert!(refused.reason.is_some(), "{refused:?}");
    assert!(plugged.guest.bays().expect("an answer")[2].is_taken());
}

#[test]
fn a_cpu_that_is_to_go_as_it_comes_up_comes_first_and_goes_then() {
    // Its deadline leaves time to ask for it.
    let keys = "fault=2:silent alive-timeout=3000";
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append(keys));
    plugged.plug(2);
    plugged.is_kicked(2);
    plugged.ask_back(2);
    let never_started = HotplugOutcome::Added(CpuOutcome::NeverStarted);
    plugged.comes(2, never_started, FAILURE);
    plugged.goes(2, REMOVED, SUCCESS);
    // And without a fault, at once.
    plugged.plug(3);
    plugged.ask_back(3);
    plugged.comes(3, ADDED, SUCCESS);
    plugged.goes(3, REMOVED, SUCCESS);
    assert_eq!(plugged.cpus(), 2);
}

#[test]
fn a_cpu_for_which_there_is_no_slot_is_left_alone_and_can_go() {
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append("possible=3"));
    plugged.plug(4);
    let record = plugged.next();
    assert_eq!(record.outcome, HotplugOutcome::Added(CpuOutcome::Skipped));
    assert!(record.reason.expect("a reason").contains("possible="));
    let told = plugged
        .guest
        .wait_for_report(4, LIMIT)
        .expect("QEMU is told");
    assert_eq!(told, (DEVICE_CHECK, NOT_SUPPORTED));
    plugged.ask_back(4);
    assert_eq!(plugged.next().outcome, REMOVED);
    plugged.plug(2);
    plugged.comes(2, ADDED, SUCCESS);
}

#[test]
fn without_smt_a_second_thread_that_is_added_stays_away() {
    let smp = smp("2,sockets=1,cores=8,threads=2,maxcpus=16");
    let mut plugged = Plugged::idle(Machine::new(smp).append("smt=off"));
    plugged.plug(2);
    plugged.comes(2, ADDED, SUCCESS);
    plugged.plug(3);
    let away = plugged.comes(3, HotplugOutcome::Added(CpuOutcome::Skipped), SUCCESS);
    assert!(away.reason.expect("a reason").contains("smt=off"));
    plugged.is_removed(3);
    // The one that was there from the start, and left out.
    plugged.is_removed(1);
    plugged.is_removed(2);
}

#[test]
fn a_cpu_in_the_place_of_another_is_asked_anew_and_told_of() {
    let mut plugged = Plugged::idle(machine(Chipset::Q35));
    plugged.plug(2);
    plugged.comes(2, ADDED, SUCCESS);
    // Behind the one of the boot, when it was not there.
    assert!(plugged.lacks(2, 2).is_empty());
    plugged.is_removed(2);
    // In none of the leaves that a CPU which comes again is asked for.
    plugged.plug_without(2, "xsaveopt");
    plugged.comes(2, ADDED, SUCCESS);
    assert_eq!(plugged.lacks(2, 3), ["xsaveopt"]);
    plugged.says("CPU 2: without xsaveopt");
    // At boot, and of each that was added.
    let compared = plugged.guest.wait_for_records(LIMIT, |records| {
        let records = records.parse().expect("all are whole");
        let checks = records.iter().filter(|it| matches!(it, Record::Clock(_)));
        // One that did not answer in time is asked once more.
        (checks.count() >= 3).then_some(())
    });
    compared.expect("the comparisons are told");
}

#[test]
fn a_machine_is_looked_at_where_it_does_not_tell() {
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append("test=hotplug-poll"));
    let line = "hotplug: ICH9, looked at every second: test=hotplug-poll";
    plugged
        .guest
        .wait_for_line(line, LIMIT)
        .expect("it says so");
    plugged.plug(2);
    let added = plugged.comes(2, ADDED, SUCCESS);
    assert_eq!(added.source, HotplugSource::Poll);
    plugged.is_removed(2);
}

#[test]
fn a_machine_without_hot_plug_says_that_it_has_none() {
    let machine = Machine::new(2).chipset(Chipset::Microvm);
    let mut plugged = Plugged::idle(machine);
    let line = "hotplug: none: this machine has neither QEMU's ICH9 nor its PIIX4";
    plugged
        .guest
        .wait_for_line(line, LIMIT)
        .expect("it says so");
}

#[test]
fn where_hot_plug_is_off_nobody_looks() {
    let mut plugged = Plugged::idle(machine(Chipset::Q35).append("hotplug=off"));
    plugged.plug(2);
    std::thread::sleep(Duration::from_secs(3));
    assert!(
        plugged
            .guest
            .records()
            .hotplugs()
            .expect("whole")
            .is_empty()
    );
    let ended = plugged
        .guest
        .run(Duration::ZERO)
        .expect("it can be followed");
    assert!(!ended.console.contains("hotplug"), "{}", ended.console);
}
