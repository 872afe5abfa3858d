//! QEMU's registers of CPU hot-plug (QEMU, `docs/specs/acpi_cpu_hotplug.rst`, `hw/acpi/cpu.c`).
//!
//! A bay is selected, and all other registers are then that bay's. So each access here begins with the
//! selection, and nobody else uses the registers: they belong to one task of the BSP.

#![forbid(unsafe_code)]

use reveille_smp::{
    cpu::ApicId,
    hotplug::{Bay, Controller, Notification, Status, Verdict},
};

/// How the registers are reached.
pub trait Ports {
    /// Reads one byte.
    fn read_u8(&self, register: Register) -> u8;
    /// Reads four.
    fn read_u32(&self, register: Register) -> u32;
    /// Writes one byte.
    fn write_u8(&self, register: Register, value: u8);
    /// Writes four.
    fn write_u32(&self, register: Register, value: u32);
}

/// A register. The value is its offset from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Register {
    /// Written: the bay that is selected. Read, behind the command for an id: the upper half of it; behind
    /// that which finds what is pending it is 0. Four bytes.
    Selector = 0,
    /// The status of the bay, and its control. One byte.
    Status = 4,
    /// What the data is. One byte.
    Command = 5,
    /// Four bytes.
    Data = 8,
}

/// As it is read.
const DATA_2: Register = Register::Selector;
const SELECTOR: Register = Register::Selector;
const STATUS: Register = Register::Status;
const COMMAND: Register = Register::Command;
const DATA: Register = Register::Data;

mod command {
    /// Selects the next bay with something pending, from the selected one on and around, if there is one; the
    /// data is the bay that is selected.
    pub(super) const FIND_PENDING: u8 = 0;
    /// The data is what an `_OST` reports of.
    pub(super) const OST_EVENT: u8 = 1;
    /// The data is the status that it reports; writing it sends the report.
    pub(super) const OST_STATUS: u8 = 2;
    /// The data is the lower half of the id.
    pub(super) const ID: u8 = 3;
}

mod status {
    /// A CPU is there.
    pub(super) const PRESENT: u8 = 1 << 0;
    /// It was added. Writing it acknowledges that.
    pub(super) const ADDED: u8 = 1 << 1;
    /// It is to go. Writing it acknowledges that.
    pub(super) const TO_GO: u8 = 1 << 2;
    /// Writing it ejects the CPU.
    pub(super) const EJECT: u8 = 1 << 3;
}

/// The registers of QEMU from 5.0 on, which has all of these commands.
#[derive(Debug)]
pub struct Registers<P> {
    ports: P,
}

impl<P: Ports> Registers<P> {
    /// The registers behind these ports, if they are there. An old interface that may be there in their place
    /// is switched over: writing 0 to its map of CPUs does that, and its first bit, which is CPU 0's, is
    /// always set otherwise. Where there is nothing at all, all bits are. Of CPUs that were added before the
    /// switch it is only seen that they are there.
    pub fn find(ports: P) -> Option<Self> {
        ports.write_u32(SELECTOR, 0);
        // The first of the two may have been the switch, and no selection.
        ports.write_u32(SELECTOR, 0);
        ports.write_u8(COMMAND, command::FIND_PENDING);
        (ports.read_u32(DATA_2) == 0).then_some(Self { ports })
    }

    fn select(&self, bay: Bay) -> &P {
        self.ports.write_u32(SELECTOR, bay.0);
        &self.ports
    }
}

impl<P: Ports> Controller for Registers<P> {
    fn find_pending(&self) -> Option<(Bay, Status)> {
        let ports = self.select(Bay(0));
        ports.write_u8(COMMAND, command::FIND_PENDING);
        let status = of_byte(ports.read_u8(STATUS));
        status
            .is_pending()
            .then(|| (Bay(ports.read_u32(DATA)), status))
    }

    fn has(&self, bay: Bay) -> bool {
        // The command is kept as another bay is selected, and is only carried out as it is written.
        self.select(Bay(0)).write_u8(COMMAND, command::FIND_PENDING);
        let ports = self.select(bay);
        // Of a bay that is not there all registers are 0, and bay 0 is the boot processor's.
        bay == Bay(0) || ports.read_u32(DATA) == bay.0
    }

    fn status(&self, bay: Bay) -> Status {
        of_byte(self.select(bay).read_u8(STATUS))
    }

    fn apic_id(&self, bay: Bay) -> Option<ApicId> {
        let ports = self.select(bay);
        ports.write_u8(COMMAND, command::ID);
        let (upper, id) = (ports.read_u32(DATA_2), ports.read_u32(DATA));
        // All ones mean everybody, and nobody's id has more bits.
        (upper == 0 && id != u32::MAX).then_some(ApicId(id))
    }

    fn acknowledge(&self, bay: Bay, heard: Notification) {
        // One at a time: of two bits that are written at once, QEMU looks at one.
        let bit = match heard {
            Notification::Added => status::ADDED,
            Notification::RemovalAsked => status::TO_GO,
        };
        self.select(bay).write_u8(STATUS, bit);
    }

    fn eject(&self, bay: Bay) {
        self.select(bay).write_u8(STATUS, status::EJECT);
    }

    fn report(&self, bay: Bay, heard: Notification, verdict: Verdict) {
        let ports = self.select(bay);
        for (what, value) in [
            (command::OST_EVENT, heard as u32),
            (command::OST_STATUS, verdict.status()),
        ] {
            ports.write_u8(COMMAND, what);
            ports.write_u32(DATA, value);
        }
    }
}

fn of_byte(byte: u8) -> Status {
    Status {
        is_present: byte & status::PRESENT != 0,
        was_added: byte & status::ADDED != 0,
        is_to_go: byte & status::TO_GO != 0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use reveille_smp::hotplug::{Event, Flaw, Found, scan, survey};

    use super::*;

    /// One of the bays of [`Qemu`].
    #[derive(Clone, Copy, Default)]
    struct Device {
        id: u64,
        is_there: bool,
        is_inserting: bool,
        is_removing: bool,
        ost: Option<(u32, u32)>,
    }

    /// The registers as QEMU 10 has them.
    #[derive(Default)]
    struct Qemu {
        devices: RefCell<Vec<Device>>,
        selector: Cell<u32>,
        command: Cell<u8>,
        ost_event: Cell<u32>,
        /// Whether the old interface is on.
        is_legacy: Cell<bool>,
    }

    impl Qemu {
        /// Bays for CPUs with these ids, the first of which is there.
        fn new(ids: &[u64]) -> Self {
            let devices = ids.iter().enumerate().map(|(at, &id)| Device {
                id,
                is_there: at == 0,
                ..Device::default()
            });
            Self {
                devices: RefCell::new(devices.collect()),
                ..Self::default()
            }
        }

        fn add(&self, at: usize) {
            let device = &mut self.devices.borrow_mut()[at];
            (device.is_there, device.is_inserting) = (true, true);
        }

        fn ask_to_remove(&self, at: usize) {
            self.devices.borrow_mut()[at].is_removing = true;
        }

        fn selected<T>(&self, look: impl FnOnce(&mut Device) -> T) -> Option<T> {
            let mut devices = self.devices.borrow_mut();
            devices.get_mut(self.selector.get() as usize).map(look)
        }
    }

    impl Ports for &Qemu {
        fn read_u8(&self, register: Register) -> u8 {
            assert_eq!(register, Register::Status);
            let status = |device: &mut Device| {
                u8::from(device.is_there)
                    | u8::from(device.is_inserting) << 1
                    | u8::from(device.is_removing) << 2
            };
            self.selected(status).unwrap_or(0)
        }

        fn read_u32(&self, register: Register) -> u32 {
            let offset = register as u16;
            if self.is_legacy.get() {
                return 1;
            }
            let (selector, command) = (self.selector.get(), self.command.get());
            let data = |device: &mut Device| match (offset, command) {
                (0, 3) => (device.id >> 32) as u32,
                (8, 0) => selector,
                (8, 3) => device.id as u32,
                (0 | 8, _) => 0,
                _ => panic!("no register of four bytes at {offset}"),
            };
            self.selected(data).unwrap_or(0)
        }

        fn write_u8(&self, register: Register, value: u8) {
            let offset = register as u16;
            match offset {
                4 => {
                    self.selected(|device| match value {
                        _ if value & 2 != 0 => device.is_inserting = false,
                        _ if value & 4 != 0 => device.is_removing = false,
                        _ if value & 8 != 0 => device.is_there = false,
                        _ => {}
                    });
                }
                5 if value <= 3 => {
                    if self.selected(|_| ()).is_none() {
                        return;
                    }
                    self.command.set(value);
                    if value == 0 {
                        let devices = self.devices.borrow();
                        let first = self.selector.get() as usize;
                        let mut around = (first..devices.len()).chain(0..first);
                        let is_pending =
                            |&at: &usize| devices[at].is_inserting || devices[at].is_removing;
                        if let Some(at) = around.find(is_pending) {
                            self.selector.set(at as u32);
                        }
                    }
                }
                _ => panic!("no register of one byte at {offset} takes {value}"),
            }
        }

        fn write_u32(&self, register: Register, value: u32) {
            let offset = register as u16;
            match (offset, self.command.get()) {
                (0, _) if self.is_legacy.get() => self.is_legacy.set(value != 0),
                (0, _) => self.selector.set(value),
                (8, 1) => self.ost_event.set(value),
                (8, 2) => {
                    let event = self.ost_event.get();
                    self.selected(|device| device.ost = Some((event, value)));
                }
                _ => panic!("nobody takes {value} at {offset}"),
            }
        }
    }

    fn found(bay: u32, event: Event) -> Found {
        Found {
            bay: Bay(bay),
            event,
        }
    }

    #[test]
    fn what_qemu_adds_and_wants_back_is_found_with_its_id_and_acknowledged() {
        let qemu = Qemu::new(&[0, 1, 8, 9]);
        let registers = Registers::find(&qemu).unwrap();
        qemu.add(2);
        qemu.add(1);
        qemu.ask_to_remove(2);
        let expected = [
            found(1, Event::Added(ApicId(1))),
            found(2, Event::Added(ApicId(8))),
            found(2, Event::RemovalAsked(ApicId(8))),
        ];
        let scanned = scan(&registers, 4);
        assert_eq!((&scanned.found[..], scanned.flaw), (&expected[..], None));
        assert_eq!(registers.find_pending(), None);
    }

    #[test]
    fn who_was_added_before_anybody_looked_is_there_and_bays_end_where_qemu_has_no_more() {
        let qemu = Qemu::new(&[0, 1, 8, 9]);
        let registers = Registers::find(&qemu).unwrap();
        qemu.add(1);
        qemu.devices.borrow_mut()[2].is_there = true;
        let awaited = |id| id != ApicId(0);
        let expected = [
            found(1, Event::Added(ApicId(1))),
            found(2, Event::Added(ApicId(8))),
        ];
        assert_eq!(survey(&registers, 100, awaited), expected);
        let has = |bay| registers.has(Bay(bay));
        assert_eq!(
            [0, 1, 3, 4, u32::MAX].map(has),
            [true, true, true, false, false]
        );
        assert_eq!(registers.find_pending(), None, "they have been heard of");
    }

    #[test]
    fn a_cpu_is_ejected_and_the_machine_is_told_what_came_of_it() {
        let qemu = Qemu::new(&[0, 1]);
        let registers = Registers::find(&qemu).unwrap();
        qemu.add(1);
        registers.report(Bay(1), Notification::RemovalAsked, Verdict::Busy);
        assert_eq!(qemu.devices.borrow()[1].ost, Some((3, 0x82)));
        assert!(registers.status(Bay(1)).is_present);
        registers.eject(Bay(1));
        assert!(!registers.status(Bay(1)).is_present);
        assert!(registers.status(Bay(0)).is_present);
    }

    #[test]
    fn an_old_interface_is_switched_over_and_one_that_cannot_be_is_none() {
        let qemu = Qemu::new(&[0, 1]);
        qemu.is_legacy.set(true);
        qemu.selector.set(7);
        let registers = Registers::find(&qemu).expect("it can be switched over");
        assert_eq!(registers.apic_id(Bay(1)), Some(ApicId(1)));
        /// The old one alone, in which CPU 0's bit is set; or nobody.
        struct Always(u32);
        impl Ports for Always {
            fn read_u8(&self, _: Register) -> u8 {
                self.0 as u8
            }
            fn read_u32(&self, _: Register) -> u32 {
                self.0
            }
            fn write_u8(&self, _: Register, _: u8) {}
            fn write_u32(&self, _: Register, _: u32) {}
        }
        for word in [1, u32::MAX] {
            assert!(Registers::find(Always(word)).is_none());
        }
    }

    #[test]
    fn an_id_that_no_apic_has_is_a_flaw() {
        for id in [u64::from(u32::MAX), 1 << 32] {
            let qemu = Qemu::new(&[0, id]);
            let registers = Registers::find(&qemu).unwrap();
            qemu.add(1);
            assert_eq!(scan(&registers, 2).flaw, Some(Flaw::NoId(Bay(1))));
        }
    }
}
