//! What an I/O APIC is told of an input: one entry of its redirection table (82093AA datasheet, section
//! 3.2.4, and Intel's ICH9 datasheet, section 13.5.7).

#![forbid(unsafe_code)]

use reveille_smp::{
    cpu::ApicId,
    wiring::{Polarity, Trigger, Wire},
};

use super::IoApicError;
use crate::interrupts::vectors::Vector;

/// The two registers of an entry, with the input masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Vector, delivery mode "fixed", destination mode "physical", polarity, trigger mode, mask.
    pub(super) low: u32,
    /// The destination.
    pub(super) high: u32,
}

pub(super) const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

/// A destination has 8 bits; all ones mean everybody.
const EVERYBODY: u32 = 0xff;
const DESTINATION_SHIFT: u32 = 24;

impl Entry {
    /// The entry of an input that is wired like this.
    ///
    /// # Errors
    ///
    /// [`IoApicError::Unreachable`] if it cannot name the CPU.
    pub(super) fn new(wire: Wire, vector: Vector, to: ApicId) -> Result<Self, IoApicError> {
        if to.0 >= EVERYBODY {
            return Err(IoApicError::Unreachable { destination: to });
        }
        let trigger = match wire.trigger {
            Trigger::Edge => 0,
            Trigger::Level => LEVEL,
        };
        let polarity = match wire.polarity {
            Polarity::High => 0,
            Polarity::Low => ACTIVE_LOW,
        };
        Ok(Self {
            low: vector.as_u32() | trigger | polarity | MASKED,
            high: to.0 << DESTINATION_SHIFT,
        })
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::wiring::Gsi;

    use super::*;

    fn entry(trigger: Trigger, polarity: Polarity, to: u32) -> Result<Entry, IoApicError> {
        let wire = Wire {
            gsi: Gsi(4),
            trigger,
            polarity,
        };
        Entry::new(wire, Vector::UART, ApicId(to))
    }

    #[test]
    fn an_entry_says_vector_trigger_polarity_and_whom_and_is_masked() {
        let vector = Vector::UART.as_u32();
        let of = |trigger, polarity| entry(trigger, polarity, 0xfe).unwrap();
        let edge = of(Trigger::Edge, Polarity::High);
        assert_eq!((edge.low, edge.high), (vector | 0x1_0000, 0xfe00_0000));
        assert_eq!(of(Trigger::Level, Polarity::High).low, vector | 0x1_8000);
        assert_eq!(of(Trigger::Level, Polarity::Low).low, vector | 0x1_a000);
    }

    #[test]
    fn a_cpu_whose_id_has_more_than_8_bits_or_means_everybody_cannot_be_named() {
        for id in [0xff, 0x100, u32::MAX] {
            let destination = ApicId(id);
            assert_eq!(
                entry(Trigger::Edge, Polarity::High, id),
                Err(IoApicError::Unreachable { destination })
            );
        }
    }
}
