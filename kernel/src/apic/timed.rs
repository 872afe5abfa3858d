//! Sends of which is told how long they took: what a hypervisor makes of the interrupt command register.

use x86_64::instructions::interrupts::without_interrupts;

use reveille_smp::cpu::ApicId;

use super::{ApicError, Destination, LocalApic, Moments, StartPage, command};
use crate::{interrupts::vectors::Vector, time::read_tsc};

/// An interrupt that is sent to see how long that takes.
#[derive(Clone, Copy, Debug)]
pub enum Ipi {
    /// One with a vector.
    Fixed(Vector),
    /// An NMI; whoever gets it must expect it.
    Nmi,
    /// A reset, to a CPU that is down.
    Init,
    /// A start behind that.
    Sipi(StartPage),
}

impl Ipi {
    fn command(self) -> u32 {
        match self {
            Self::Fixed(vector) => command::FIXED | vector.as_u32(),
            Self::Nmi => command::NMI,
            Self::Init => command::INIT,
            Self::Sipi(page) => command::STARTUP | u32::from(page.0),
        }
    }
}

/// How long a send took, in counts of the TSC; in each of the two is one reading of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendTime {
    /// The writes to the interrupt command register, with what has to stand before them.
    pub written: u64,
    /// From then until the APIC said that it had sent the interrupt; `None` where it says nothing of that.
    pub accepted: Option<u64>,
}

impl LocalApic {
    /// Sends an interrupt, as the other sends do, and tells how long that took.
    ///
    /// # Errors
    ///
    /// As for all sends.
    pub fn time_send(&self, destination: ApicId, ipi: Ipi) -> Result<SendTime, ApicError> {
        // Before interrupts are off, as they need not be for somebody whom nobody reaches.
        self.check_reachable(destination)?;
        let to = Destination::One(destination);
        let Moments {
            begun,
            written,
            accepted,
        } = without_interrupts(|| self.send_between(to, ipi.command(), read_tsc))?;
        Ok(SendTime {
            written: written.saturating_sub(begun),
            accepted: accepted.map(|accepted| accepted.saturating_sub(written)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apic::{Access, xapic};

    #[test]
    fn a_timed_send_writes_what_an_ordinary_one_does() {
        let mut page = [0_u32; 1024];
        let registers = page.as_mut_ptr();
        let apic = LocalApic {
            access: Access::XApic(xapic::Registers::at(registers.expose_provenance())),
        };
        // SAFETY: the page is alive, and the register lies in it.
        let low = || unsafe { registers.byte_add(0x300).read_volatile() };
        let page = StartPage::at(0x8000).unwrap();
        for (ipi, command) in [
            (Ipi::Fixed(Vector::PING), 0x4000 | Vector::PING.as_u32()),
            (Ipi::Nmi, 0x4400),
            (Ipi::Init, 0x4500),
            (Ipi::Sipi(page), 0x4608),
        ] {
            // Interrupts cannot be switched in a program.
            let Access::XApic(registers) = apic.access else {
                unreachable!()
            };
            let mut moment = 0;
            let times = registers.send_between_others(ApicId(3), ipi.command(), || {
                moment += 1;
                moment
            });
            assert_eq!((times, low()), (Ok([1, 2, 3]), command));
        }
        let beyond = apic.time_send(ApicId(255), Ipi::Nmi);
        assert!(matches!(beyond, Err(ApicError::Unreachable { .. })));
    }
}
