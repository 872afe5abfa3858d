//! The registers of the general-purpose events, and what is done to them when the SCI comes.
//!
//! **An event that has interrupted is disabled until somebody has taken note of it.** So no device can keep a
//! CPU in its handler: each event interrupts once for each time that its owner asks for the next one.
//!
//! An event's status bit is set by the device and cleared by writing a one; the SCI is active while any event
//! has both its bits set (ACPI 6.5, section 4.8.4.1). Registers are read and written one byte at a time, as
//! the standard has it.

#![forbid(unsafe_code)]

use crate::acpi::fixed_hardware::{FixedHardware, Ports};

/// I/O ports.
pub(super) trait Port {
    fn read(&self, port: u16) -> u8;
    fn write(&self, port: u16, value: u8);
    /// PM1's registers are to be written as words.
    fn write_word(&self, port: u16, value: u16);
    fn read_word(&self, port: u16) -> u16;
}

/// Status and enable registers of all events.
#[derive(Clone, Debug)]
pub(super) struct EventRegisters {
    pm1: [Option<Ports>; 2],
    gpe0: Ports,
    gpe1: Ports,
}

/// Where one event's bit is.
struct Bit {
    status: u16,
    enable: u16,
    mask: u8,
}

/// Registers of status whose events have a number in 8 bits.
const MOST_REGISTERS: usize = 256 / 8;

/// How often an event may come back while it is being acknowledged before it is called stuck.
const MOST_ACKNOWLEDGEMENTS: u32 = 8;

impl EventRegisters {
    pub(super) fn new(hardware: &FixedHardware) -> Self {
        Self {
            pm1: hardware.pm1_events.clone(),
            gpe0: hardware.gpe0.clone(),
            gpe1: hardware.gpe1.clone(),
        }
    }

    /// How many events GPE0 has: they are numbered from 0 on.
    pub(super) fn events(&self) -> u32 {
        // Half of the registers, of eight bits each.
        (self.gpe0.len() / 2).min(MOST_REGISTERS) as u32 * 8
    }

    /// Disables all that could raise the SCI, and clears what firmware or a kernel before this one left.
    pub(super) fn silence(&self, port: &impl Port) {
        self.disable_pm1(port);
        for block in self.pm1.iter().flatten() {
            port.write_word(block.start, u16::MAX);
        }
        for block in [&self.gpe0, &self.gpe1] {
            let (status, enable) = halves(block);
            enable.for_each(|register| port.write(register, 0));
            status.for_each(|register| port.write(register, u8::MAX));
        }
    }

    /// Disables each event of GPE0 that has happened and is enabled, and tells which. Gives whether there was
    /// one.
    ///
    /// Whatever else may raise the SCI was disabled by [`silence`](Self::silence), and is again, as nobody
    /// but firmware can have enabled it.
    pub(super) fn take(&self, port: &impl Port, mut happened: impl FnMut(u8)) -> bool {
        let mut has_any = false;
        let (status, enable) = halves(&self.gpe0);
        let registers = status.zip(enable).take(MOST_REGISTERS);
        for (number, (status, enable)) in registers.enumerate() {
            let enabled = port.read(enable);
            let pending = port.read(status) & enabled;
            if pending == 0 {
                continue;
            }
            has_any = true;
            port.write(enable, enabled & !pending);
            for bit in (0..8).filter(|bit| pending & 1 << bit != 0) {
                happened(number as u8 * 8 + bit);
            }
        }
        if !has_any {
            self.disable_pm1(port);
            let (_, enable) = halves(&self.gpe1);
            enable.for_each(|register| port.write(register, 0));
        }
        has_any
    }

    /// Acknowledges an event and enables it. What the device does from here on is told, so whoever looks at
    /// it behind this misses nothing. `false`, and the event stays disabled, if it cannot be acknowledged.
    pub(super) fn arm(&self, port: &impl Port, gpe: u8) -> bool {
        let bit = self.bit(gpe);
        for _ in 0..MOST_ACKNOWLEDGEMENTS {
            port.write(bit.status, bit.mask);
            if port.read(bit.status) & bit.mask == 0 {
                let enabled = port.read(bit.enable);
                port.write(bit.enable, enabled | bit.mask);
                return true;
            }
        }
        self.disarm(port, gpe);
        false
    }

    /// Disables an event.
    pub(super) fn disarm(&self, port: &impl Port, gpe: u8) {
        let bit = self.bit(gpe);
        let enabled = port.read(bit.enable);
        port.write(bit.enable, enabled & !bit.mask);
    }

    fn disable_pm1(&self, port: &impl Port) {
        /// Bytes from the status word to the enable word.
        const ENABLE: u16 = 2;
        for block in self.pm1.iter().flatten() {
            port.write_word(block.start + ENABLE, 0);
        }
    }

    fn bit(&self, gpe: u8) -> Bit {
        let status = self.gpe0.start + u16::from(gpe / 8);
        Bit {
            status,
            enable: status + self.gpe0.len() as u16 / 2,
            mask: 1 << (gpe % 8),
        }
    }
}

/// The registers of status, and those of enable.
fn halves(block: &Ports) -> (Ports, Ports) {
    let middle = block.start + block.len() as u16 / 2;
    (block.start..middle, middle..block.end)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap, vec, vec::Vec};

    use super::*;

    const PM1: u16 = 0x600;
    const GPE0: u16 = 0x620;
    const HALF: u16 = 8;

    /// The ports of a q35, whose status bits are cleared by writing ones; `stuck` are set again at once.
    #[derive(Default)]
    struct Q35 {
        ports: RefCell<BTreeMap<u16, u8>>,
        stuck: u8,
    }

    impl Q35 {
        fn get(&self, port: u16) -> u8 {
            self.ports.borrow().get(&port).copied().unwrap_or_default()
        }

        fn set(&self, port: u16, value: u8) {
            self.ports.borrow_mut().insert(port, value);
        }

        fn raise(&self, gpe: u8) {
            let port = GPE0 + u16::from(gpe / 8);
            self.set(port, self.get(port) | 1 << (gpe % 8));
        }

        fn is_sci_active(&self) -> bool {
            (0..HALF).any(|at| self.get(GPE0 + at) & self.get(GPE0 + HALF + at) != 0)
                || self.get(PM1) & self.get(PM1 + 2) != 0
        }
    }

    impl Port for Q35 {
        fn read(&self, port: u16) -> u8 {
            self.get(port)
        }

        fn write(&self, port: u16, value: u8) {
            let is_status = (GPE0..GPE0 + HALF).contains(&port) || (PM1..PM1 + 2).contains(&port);
            match is_status {
                true => self.set(port, self.get(port) & !value | self.stuck),
                false => self.set(port, value),
            }
        }

        fn write_word(&self, port: u16, value: u16) {
            let [low, high] = value.to_le_bytes();
            self.write(port, low);
            self.write(port + 1, high);
        }

        fn read_word(&self, port: u16) -> u16 {
            u16::from_le_bytes([self.get(port), self.get(port + 1)])
        }
    }

    fn registers() -> EventRegisters {
        EventRegisters {
            pm1: [Some(PM1..PM1 + 4), None],
            gpe0: GPE0..GPE0 + 2 * HALF,
            gpe1: 0..0,
        }
    }

    fn taken(port: &Q35) -> Vec<u8> {
        let mut events = Vec::new();
        let has_any = registers().take(port, |gpe| events.push(gpe));
        assert_eq!(has_any, !events.is_empty());
        events
    }

    #[test]
    fn what_was_left_enabled_raises_nothing_once_it_is_silenced() {
        let port = Q35::default();
        for register in (PM1..PM1 + 4).chain(GPE0..GPE0 + 2 * HALF) {
            port.set(register, 0xff);
        }
        assert!(port.is_sci_active());
        registers().silence(&port);
        assert!(!port.is_sci_active());
        assert!(
            (GPE0..GPE0 + HALF).all(|at| port.get(at) == 0),
            "old events"
        );
    }

    #[test]
    fn an_event_is_told_once_and_keeps_the_sci_inactive_until_it_is_armed_again() {
        let port = Q35::default();
        let registers = registers();
        assert!(registers.arm(&port, 2));
        assert!(!port.is_sci_active());
        port.raise(2);
        assert!(port.is_sci_active());
        assert_eq!(taken(&port), [2]);
        assert!(!port.is_sci_active());
        assert_eq!(taken(&port), [0; 0], "it is disabled");
        // What the device does before the event is armed is for the owner to find, who looks behind that.
        port.raise(2);
        assert!(registers.arm(&port, 2));
        assert!(!port.is_sci_active());
        port.raise(2);
        assert_eq!(taken(&port), [2]);
    }

    #[test]
    fn events_of_several_registers_are_told_together_and_those_of_nobody_are_not() {
        let port = Q35::default();
        let registers = registers();
        for gpe in [0, 7, 63] {
            assert!(registers.arm(&port, gpe));
        }
        for gpe in [0, 1, 7, 63] {
            port.raise(gpe);
        }
        assert_eq!(taken(&port), [0, 7, 63]);
        assert!(registers.arm(&port, 7));
        registers.disarm(&port, 7);
        port.raise(7);
        assert_eq!(taken(&port), [0; 0]);
        assert_eq!(registers.events(), 64);
    }

    #[test]
    fn an_event_that_cannot_be_acknowledged_stays_disabled() {
        let port = Q35 {
            stuck: 1 << 2,
            ..Q35::default()
        };
        assert!(!registers().arm(&port, 2));
        assert!(!port.is_sci_active());
        assert!(registers().arm(&port, 3));
        assert_eq!(vec![port.get(GPE0 + HALF)], [1 << 3]);
    }

    #[test]
    fn what_firmware_has_enabled_behind_our_back_is_disabled_when_it_interrupts() {
        let port = Q35::default();
        port.set(PM1, 1);
        port.set(PM1 + 2, 1);
        assert!(port.is_sci_active());
        assert_eq!(taken(&port), [0; 0]);
        assert!(!port.is_sci_active());
    }
}
