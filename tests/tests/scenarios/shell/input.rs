//! What is typed comes by the UART's interrupt, on every machine that has an I/O APIC, and where there is none
//! by looking.

use reveille_tests::{
    guest::Guest,
    madt::Madt,
    outcome::Outcome,
    qemu::machine::{Accel, Chipset, Machine},
};

use super::session::Session;
use crate::{
    boot::{LIMIT, kernel, last_line, slot},
    firmware::parked,
};

const BY_INTERRUPT: &str = "shell: typed by interrupt (GSI 4);";

/// Boots a machine whose shell says that it is fed by interrupts, and has a line answered: nobody looks at the
/// UART then but its handler.
fn is_fed_by_interrupts(machine: Machine) {
    let mut session = Session::start(machine);
    let before = &session.before;
    assert!(before.contains(BY_INTERRUPT), "{before}");
    assert_eq!(session.asks("jobs"), "nothing runs behind\n");
    // Whether all came up in time is not the question here.
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}

#[test]
fn on_every_chipset_with_and_without_virtual_time() {
    for chipset in [Chipset::Q35, Chipset::Pc, Chipset::Microvm] {
        for accel in [Accel::Tcg, Accel::Icount] {
            is_fed_by_interrupts(Machine::new(2).chipset(chipset).accel(accel));
        }
    }
}

#[test]
fn in_xapic_mode_too() {
    is_fed_by_interrupts(Machine::new(2).cpu("max,-x2apic"));
}

#[test]
fn behind_an_interrupt_remapping_unit_that_nobody_turns_on() {
    let mut machine = Machine::new(2);
    machine.further = ["-device", "intel-iommu,intremap=on,eim=on"]
        .map(str::to_owned)
        .to_vec();
    is_fed_by_interrupts(machine);
}

#[test]
fn the_handler_is_in_the_trace_of_what_was_typed() {
    let mut session = Session::start(Machine::new(1));
    session.asks("trace on");
    let shown = session.asks("trace show");
    for words in ["interrupt uart comes", "interrupt uart is handled"] {
        assert!(shown.contains(words), "no `{words}`");
    }
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn what_the_uart_holds_before_the_kernel_runs_is_not_lost() {
    // It holds one byte. A second one would come as soon as the first is fetched, and might find the FIFOs
    // being turned on.
    let mut session = Session::typed_at_once(Machine::new(1), b"j");
    session.types(b"obs\r");
    assert_eq!(session.answer_to("jobs"), "nothing runs behind\n");
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn the_io_apics_are_the_firmwares_whoever_lists_the_cpus() {
    // The module lists CPUs alone; an I/O APIC that it would list is where there is memory.
    let strange = Madt::of([0, 1]).entry(&[1, 12, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    for madt in [Madt::of([0, 1]), strange] {
        let module = madt.file().expect("a file can be written");
        let machine = Machine::new(2).module(module.path());
        is_fed_by_interrupts(machine.append("madt=module"));
    }
    is_fed_by_interrupts(parked(2).append("madt=module"));
}

#[test]
fn without_an_io_apic_somebody_looks() {
    let mut machine = Machine::new(1).chipset(Chipset::Microvm);
    machine.further = ["-machine", "acpi=off"].map(str::to_owned).to_vec();
    let mut session = Session::start(machine.append("require=any"));
    let told =
        "shell: typed by a look every 10 ms: the firmware lists no I/O APIC with interrupt 4;";
    let before = &session.before;
    assert!(before.contains(told), "{before}");
    // Many times what the UART holds, so that the other end must wait.
    let line = "x".repeat(200);
    let answer = session.asks(&line);
    assert!(answer.contains("is no command"), "{answer}");
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}

#[test]
fn a_run_that_fails_in_the_middle_of_a_view_gives_the_screen_back_first() {
    let machine = Machine::new(2).append("after=shell");
    let _slot = slot(&machine);
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    let sees = |guest: &mut Guest<'_>, text| guest.expect(text, LIMIT).expect("it is shown");
    sees(&mut guest, "reveille> ");
    guest.type_bytes(b"watch\r");
    sees(&mut guest, "\x1b[?1049h");
    guest.monitor("nmi").expect("the monitor takes it");
    let ended = guest.run(LIMIT).expect("QEMU can be followed");
    println!("{}", ended.explain());
    assert!(matches!(ended.outcome, Outcome::Panicked(_)));
    let (_, behind) = ended.console.split_once("\x1b[?1049h").expect("a view");
    let (_, behind) = behind.split_once("\x1b[?1049l").expect("it is over");
    assert!(behind.contains("\nexception on CPU 0 (APIC 0): NMI"));
    assert!(last_line(&ended).starts_with("reveille: failed: exception on CPU 0"));
}

/// On machines that are slow.
mod slow {
    use super::*;
    use crate::slow::kvm::works;

    #[test]
    fn under_kvm() {
        for chipset in [Chipset::Q35, Chipset::Pc, Chipset::Microvm] {
            if works(chipset) {
                is_fed_by_interrupts(Machine::new(2).chipset(chipset).accel(Accel::Kvm));
            }
        }
    }
}
