//! The APIC through memory: one page of registers, at the same address for every CPU.
//!
//! Sending takes two writes, destination and command, and whoever runs between them and sends too
//! would redirect the interrupt. So [`Registers::send`] keeps interrupts off around the pair, and,
//! for an NMI falls between the writes all the same, it always leaves the destination as it found
//! it and no interrupt pending: a send that it interrupted goes where it was meant to go. Every
//! sender pays for two more accesses; in return none needs to know in which context it runs.

use core::{hint, ptr};

use reveille_smp::cpu::ApicId;
use x86_64::instructions::interrupts::without_interrupts;

use super::{ApicError, register::Register};

/// The id that means all CPUs; the highest one that a CPU may have is one below.
pub(super) const BROADCAST_ID: u32 = 0xff;

/// Where an id lies in the id register and in the upper half of the command register.
pub(super) const ID_SHIFT: u32 = 24;

const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;

/// Command register, bit 12: the APIC has not yet sent the last interrupt.
const DELIVERY_PENDING: u32 = 1 << 12;

/// How often [`DELIVERY_PENDING`] is read before a send is given up: 10 ms at the least, with
/// 0.1 µs or more for an uncached read. An APIC takes a few microseconds.
const MOST_STATUS_READS: u32 = 100_000;

/// The page of registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    base: usize,
}

impl Registers {
    /// The registers at a virtual address, which stays mapped, uncached, for good.
    pub(super) const fn at(base: usize) -> Self {
        Self { base }
    }

    pub(super) fn read(self, register: Register) -> u32 {
        self.read_at(register as usize)
    }

    pub(super) fn write(self, register: Register, value: u32) {
        self.write_at(register as usize, value);
    }

    /// Sends, and asks `now` as [`send_between_others`](Self::send_between_others) does.
    pub(super) fn send<T>(
        self,
        destination: ApicId,
        command: u32,
        now: impl FnMut() -> T,
    ) -> Result<[T; 3], ApicError> {
        without_interrupts(|| self.send_between_others(destination, command, now))
    }

    /// With interrupts off; an NMI may come at any point, and may itself have come between the two
    /// writes of another send. `now` is asked before the two, behind them, and once the interrupt is sent.
    pub(super) fn send_between_others<T>(
        self,
        destination: ApicId,
        command: u32,
        mut now: impl FnMut() -> T,
    ) -> Result<[T; 3], ApicError> {
        self.wait_until_sent()?;
        let interrupted = self.read_at(COMMAND_HIGH);
        let begun = now();
        self.write_at(COMMAND_HIGH, destination.0 << ID_SHIFT);
        self.write_at(COMMAND_LOW, command);
        let written = now();
        let sent = self.wait_until_sent();
        let accepted = now();
        self.write_at(COMMAND_HIGH, interrupted);
        sent.map(|()| [begun, written, accepted])
    }

    fn wait_until_sent(self) -> Result<(), ApicError> {
        for _ in 0..MOST_STATUS_READS {
            if self.read_at(COMMAND_LOW) & DELIVERY_PENDING == 0 {
                return Ok(());
            }
            hint::spin_loop();
        }
        Err(ApicError::DeliveryPending)
    }

    fn read_at(self, offset: usize) -> u32 {
        // SAFETY: `base` is the mapped page of registers and `offset` one of them; reading an APIC
        // register touches no memory.
        unsafe { ptr::with_exposed_provenance::<u32>(self.base + offset).read_volatile() }
    }

    fn write_at(self, offset: usize, value: u32) {
        // SAFETY: as in `read_at`; what a write may cause, an interrupt, an INIT or a SIPI, is up
        // to the safe functions of the parent module.
        unsafe {
            ptr::with_exposed_provenance_mut::<u32>(self.base + offset).write_volatile(value)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that holds what is written to it, as an APIC's does but for the pending bit.
    #[repr(align(4096))]
    struct Page([u32; 1024]);

    impl Page {
        fn registers(&mut self) -> Registers {
            Registers::at(self.0.as_mut_ptr().expose_provenance())
        }
    }

    #[test]
    fn a_send_leaves_the_destination_of_the_send_that_it_interrupted() {
        let mut page = Page([0; 1024]);
        let registers = page.registers();
        registers.write_at(COMMAND_HIGH, 7 << ID_SHIFT);
        registers
            .send_between_others(ApicId(3), 0x4041, || ())
            .unwrap();
        assert_eq!(registers.read_at(COMMAND_LOW), 0x4041);
        assert_eq!(registers.read_at(COMMAND_HIGH), 7 << ID_SHIFT);
    }

    #[test]
    fn a_send_that_is_never_accepted_ends_in_an_error() {
        let mut page = Page([0; 1024]);
        let registers = page.registers();
        let stuck = 0x4500 | DELIVERY_PENDING;
        let sent = registers.send_between_others(ApicId(3), stuck, || ());
        assert_eq!(sent, Err(ApicError::DeliveryPending));
        // And while it hangs, no other one overwrites it.
        let next = registers.send_between_others(ApicId(4), 0x4041, || ());
        assert_eq!(next, Err(ApicError::DeliveryPending));
        assert_eq!(registers.read_at(COMMAND_LOW), stuck);
    }
}
