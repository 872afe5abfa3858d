//! Where the interrupts of devices are wired to: the I/O APICs, and what the firmware says of the 16 ISA
//! interrupts (MADT entries of types 1 and 2; ACPI 6.5, sections 5.2.12.3 and 5.2.12.5).
//!
//! Every ISA interrupt has an answer: where no entry speaks of it, it is wired to the input of its own number.

use alloc::vec::Vec;
use core::fmt;

use crate::entries::{field, u32_at};

/// The number of an input among those of all I/O APICs: a "global system interrupt".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gsi(pub u32);

/// The number of an ISA interrupt, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaIrq(u8);

/// When a device wants to interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As its signal becomes active.
    Edge,
    /// As long as its signal is active.
    Level,
}

/// What its active signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// The higher voltage.
    High,
    /// The lower one.
    Low,
}

/// Where an interrupt is wired to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The input.
    pub gsi: Gsi,
    /// When it interrupts.
    pub trigger: Trigger,
    /// What is active.
    pub polarity: Polarity,
}

/// One I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its id.
    pub id: u8,
    /// Physical address of its registers, which may be anything.
    pub address: u32,
    /// Its first input.
    pub first: Gsi,
}

/// What the firmware says of the interrupts of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    io_apics: Vec<IoApic>,
    isa: [Option<Override>; IsaIrq::COUNT],
}

/// One entry of type 2. What it leaves to the bus is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Override {
    gsi: Gsi,
    trigger: Option<Trigger>,
    polarity: Option<Polarity>,
}

impl IsaIrq {
    const COUNT: usize = 16;

    /// The first serial port's.
    pub const COM1: Self = Self(4);

    /// The interrupt of this number, if it is one.
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT {
            Some(Self(number))
        } else {
            None
        }
    }
}

impl Wiring {
    /// The I/O APICs in the table's order, no id twice.
    pub fn io_apics(&self) -> &[IoApic] {
        &self.io_apics
    }

    /// The one that would have an input: of those that do not begin behind it, the last. How many inputs an
    /// I/O APIC has it says itself.
    pub fn io_apic_of(&self, gsi: Gsi) -> Option<IoApic> {
        let begun = self.io_apics.iter().filter(|it| it.first <= gsi);
        begun.copied().max_by_key(|it| it.first)
    }

    /// Where an ISA interrupt is wired to: if nobody says otherwise, as that bus has it.
    pub fn isa(&self, irq: IsaIrq) -> Wire {
        self.wire(irq, Trigger::Edge, Polarity::High)
    }

    /// Where the SCI is wired to, of which the FADT tells the number: an ISA interrupt's, or where there is no
    /// such, an input. It is level triggered and active low if nobody says otherwise (ACPI 6.5, section 5.2.9,
    /// SCI_INT).
    pub fn sci(&self, number: u16) -> Wire {
        let (trigger, polarity) = (Trigger::Level, Polarity::Low);
        match u8::try_from(number).ok().and_then(IsaIrq::new) {
            Some(irq) => self.wire(irq, trigger, polarity),
            None => Wire {
                gsi: Gsi(number.into()),
                trigger,
                polarity,
            },
        }
    }

    fn wire(&self, irq: IsaIrq, trigger: Trigger, polarity: Polarity) -> Wire {
        let told = self.isa[usize::from(irq.0)];
        Wire {
            gsi: told.map_or(Gsi(irq.0.into()), |told| told.gsi),
            trigger: told.and_then(|told| told.trigger).unwrap_or(trigger),
            polarity: told.and_then(|told| told.polarity).unwrap_or(polarity),
        }
    }

    /// Takes an entry of type 1; `None` if it is too short. Of two with one id the first counts.
    pub(crate) fn take_io_apic(&mut self, entry: &[u8]) -> Option<()> {
        let found = IoApic {
            id: *entry.get(2)?,
            address: u32_at(entry, 4)?,
            first: Gsi(u32_at(entry, 8)?),
        };
        if self.io_apics.iter().all(|known| known.id != found.id) {
            self.io_apics.push(found);
        }
        Some(())
    }

    /// Takes an entry of type 2; `None` if it is too short. Of two for one interrupt the first counts; one
    /// for another bus than ISA, or for no interrupt of it, says nothing.
    pub(crate) fn take_override(&mut self, entry: &[u8]) -> Option<()> {
        const ISA: u8 = 0;
        let [bus, irq] = field(entry, 2)?;
        let gsi = Gsi(u32_at(entry, 4)?);
        let flags = u16::from_le_bytes(field(entry, 8)?);
        let told = Override {
            gsi,
            polarity: polarity(flags),
            trigger: trigger(flags),
        };
        if let Some(IsaIrq(irq)) = IsaIrq::new(irq).filter(|_| bus == ISA) {
            self.isa[usize::from(irq)].get_or_insert(told);
        }
        Some(())
    }
}

/// Bits 0 and 1 of an entry's flags (ACPI 6.5, table 5.26). The reserved value is taken for "as the bus has
/// it".
fn polarity(flags: u16) -> Option<Polarity> {
    match flags & 0b11 {
        0b01 => Some(Polarity::High),
        0b11 => Some(Polarity::Low),
        _ => None,
    }
}

/// Bits 2 and 3 of them.
fn trigger(flags: u16) -> Option<Trigger> {
    match flags >> 2 & 0b11 {
        0b01 => Some(Trigger::Edge),
        0b11 => Some(Trigger::Level),
        _ => None,
    }
}

impl fmt::Display for Gsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn io_apic(id: u8, address: u32, first: u32) -> Vec<u8> {
        let mut entry = vec![1, 12, id, 0];
        entry.extend(address.to_le_bytes());
        entry.extend(first.to_le_bytes());
        entry
    }

    fn source(bus: u8, irq: u8, gsi: u32, flags: u16) -> Vec<u8> {
        let mut entry = vec![2, 10, bus, irq];
        entry.extend(gsi.to_le_bytes());
        entry.extend(flags.to_le_bytes());
        entry
    }

    fn wired(overrides: &[Vec<u8>]) -> Wiring {
        let mut wiring = Wiring::default();
        for entry in overrides {
            wiring.take_override(entry).unwrap();
        }
        wiring
    }

    #[test]
    fn without_an_entry_an_isa_interrupt_has_the_input_of_its_number_and_a_rising_edge() {
        let wire = Wiring::default().isa(IsaIrq::COM1);
        let expected = Wire {
            gsi: Gsi(4),
            trigger: Trigger::Edge,
            polarity: Polarity::High,
        };
        assert_eq!(wire, expected);
        assert_eq!(IsaIrq::new(16), None);
    }

    #[test]
    fn an_entry_says_where_an_interrupt_goes_and_leaves_the_rest_to_the_bus() {
        // What QEMU says of the timer and of the SCI.
        let wiring = wired(&[source(0, 0, 2, 0), source(0, 9, 9, 0xd)]);
        assert_eq!(wiring.isa(IsaIrq(0)).gsi, Gsi(2));
        assert_eq!(wiring.isa(IsaIrq(0)).trigger, Trigger::Edge);
        let sci = wiring.sci(9);
        assert_eq!((sci.gsi, sci.trigger), (Gsi(9), Trigger::Level));
        assert_eq!(sci.polarity, Polarity::High);
        let reserved = wired(&[source(0, 4, 20, 0b1010)]);
        assert_eq!(
            reserved.isa(IsaIrq::COM1),
            Wire {
                gsi: Gsi(20),
                ..Wiring::default().isa(IsaIrq::COM1)
            }
        );
    }

    #[test]
    fn the_sci_is_level_triggered_and_active_low_where_nobody_says_otherwise() {
        let of = |wiring: Wiring, number| {
            let wire = wiring.sci(number);
            (wire.gsi.0, wire.trigger, wire.polarity)
        };
        let (level, low) = (Trigger::Level, Polarity::Low);
        assert_eq!(of(Wiring::default(), 9), (9, level, low));
        assert_eq!(of(wired(&[source(0, 9, 20, 0)]), 9), (20, level, low));
        // Without 8259s it is an input's number, which no override concerns.
        for input in [16, 30, u16::MAX] {
            let wiring = wired(&[source(0, 9, 20, 0)]);
            assert_eq!(of(wiring, input), (input.into(), level, low));
        }
    }

    #[test]
    fn the_first_entry_counts_and_other_buses_do_not() {
        let entries = [
            source(1, 4, 99, 0),
            source(0, 4, 7, 0xf),
            source(0, 4, 8, 0),
            source(0, 16, 3, 0),
            source(0, 255, 3, 0),
        ];
        let wire = wired(&entries).isa(IsaIrq::COM1);
        assert_eq!((wire.gsi, wire.polarity), (Gsi(7), Polarity::Low));
        let mut wiring = Wiring::default();
        for entry in [io_apic(1, 0x1000, 0), io_apic(1, 0x2000, 24)] {
            wiring.take_io_apic(&entry).unwrap();
        }
        assert_eq!(wiring.io_apics().len(), 1);
        assert_eq!(wiring.io_apics()[0].address, 0x1000);
    }

    #[test]
    fn an_input_belongs_to_the_io_apic_that_begins_last_before_it() {
        let mut wiring = Wiring::default();
        for entry in [io_apic(2, 2, 24), io_apic(1, 1, 0), io_apic(3, 3, 48)] {
            wiring.take_io_apic(&entry).unwrap();
        }
        let of = |gsi| wiring.io_apic_of(Gsi(gsi)).map(|it| it.id);
        assert_eq!(
            [0, 23, 24, 47, 48, u32::MAX].map(of),
            [1, 1, 2, 2, 3, 3].map(Some)
        );
        assert_eq!(Wiring::default().io_apic_of(Gsi(0)), None);
    }

    proptest! {
        #[test]
        fn of_an_entry_that_is_cut_nothing_is_taken(cut in 0_usize..12) {
            let mut wiring = Wiring::default();
            let io_apic = &io_apic(0, 0xfec0_0000, 0)[..cut];
            let source = &source(0, 4, 3, 0xf)[..cut.min(9)];
            prop_assert_eq!(wiring.take_io_apic(io_apic), None);
            prop_assert_eq!(wiring.take_override(source), None);
            prop_assert_eq!(wiring, Wiring::default());
        }

        #[test]
        fn whatever_is_said_every_interrupt_has_a_wire(
            entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..14), 0..40),
            number: u16,
        ) {
            let mut wiring = Wiring::default();
            for entry in &entries {
                let _ = wiring.take_io_apic(entry);
                let _ = wiring.take_override(entry);
            }
            prop_assert!(wiring.io_apics().len() <= 256);
            let wire = wiring.sci(number);
            prop_assert!(number < 16 || wire.gsi == Gsi(number.into()));
            for irq in (0..=u8::MAX).filter_map(IsaIrq::new) {
                let gsi = wiring.isa(irq).gsi;
                let begins = wiring.io_apic_of(gsi).is_none_or(|it| it.first <= gsi);
                prop_assert!(begins);
            }
        }
    }
}
