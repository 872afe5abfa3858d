//! Faults on demand: an AP that is told to fails at a stage of its way here, so that a kernel can
//! try how it copes with a processor that does. The SIPI is sent as ever; the fault is the AP's.
//!
//! An AP in real mode knows no more of itself than a hint at its id, and finds nothing by it but
//! its byte of evidence; so faults that strike there are bits of that byte, beside the evidence.
//! All others stand in the AP's landing. Zero, in both, is an AP that does not fail.
//!
//! **Until they claim, APs that fail keep the rule of all others:** they write to the mailbox page
//! and to their state word and nothing else. The one that comes twice claims, and uses nothing of
//! what it won.

use core::fmt;

/// How an AP fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It halts before it leaves evidence, in real mode if it comes by SIPI.
    Silent,
    /// It halts in real mode, behind its evidence.
    RealMode,
    /// It halts in long mode, before it claims its slot.
    LongMode,
    /// It claims its slot only when this much time has passed since it came to long mode.
    Late {
        /// The delay in counts of the time stamp counter, rounded up to a multiple of 2^16; at most
        /// [`Fault::LONGEST_DELAY`].
        tsc: u64,
    },
    /// It claims its slot, comes to the claim a second time, loses and parks.
    Twice,
    /// It takes the complement of its id for its id.
    WrongId,
}

/// Bits of the byte of evidence. The low ones are the evidence.
pub(crate) const SILENT: u8 = 1 << 6;
pub(crate) const REAL_MODE: u8 = 1 << 7;
/// Both.
pub(crate) const IN_REAL_MODE: u8 = SILENT | REAL_MODE;

/// Kinds in the lowest bits of a landing's word. Above them stands the delay.
pub(crate) const LONG_MODE: u32 = 1;
pub(crate) const TWICE: u32 = 2;
pub(crate) const WRONG_ID: u32 = 3;
pub(crate) const LATE: u32 = 4;
/// The width of the kind.
pub(crate) const KIND_BITS: u32 = 8;
/// The unit of the delay is two to this power, in counts of the time stamp counter.
pub(crate) const DELAY_SHIFT: u32 = 16;
/// Turns of an empty loop, some microseconds, between two looks at the clock.
pub(crate) const TURNS_A_LOOK: u32 = 4096;

impl Fault {
    /// The longest delay that a landing can tell, in counts of the time stamp counter: six minutes
    /// at 3 GHz.
    pub const LONGEST_DELAY: u64 = (u32::MAX >> KIND_BITS) as u64 * (1 << DELAY_SHIFT);

    /// What it adds to the byte of evidence.
    pub(crate) const fn in_real_mode(self) -> u8 {
        match self {
            Self::Silent => SILENT,
            Self::RealMode => REAL_MODE,
            Self::LongMode | Self::Late { .. } | Self::Twice | Self::WrongId => 0,
        }
    }

    /// What stands in the landing.
    pub(crate) fn in_long_mode(self) -> u32 {
        match self {
            Self::Silent | Self::RealMode => 0,
            Self::LongMode => LONG_MODE,
            Self::Late { tsc } => {
                let delay = tsc.min(Self::LONGEST_DELAY).div_ceil(1 << DELAY_SHIFT);
                (delay as u32) << KIND_BITS | LATE
            }
            Self::Twice => TWICE,
            Self::WrongId => WRONG_ID,
        }
    }
}

/// Why an AP cannot fail as it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultError {
    /// No landing has this id.
    NoLanding {
        /// The id.
        apic_id: u32,
    },
    /// Another landing has the complement of this id, so it is not a wrong one.
    ComplementIsTaken {
        /// The id.
        apic_id: u32,
    },
    /// The firmware lets the AP go in long mode.
    NoRealMode {
        /// The id.
        apic_id: u32,
    },
    /// In real mode the AP is not told from another one that has a landing.
    SharesItsByte {
        /// The id.
        apic_id: u32,
    },
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLanding { apic_id } => write!(f, "APIC {apic_id} has no landing to fail at"),
            Self::ComplementIsTaken { apic_id } => write!(
                f,
                "APIC {apic_id} cannot take {} for its id: another CPU has that one",
                !apic_id
            ),
            Self::NoRealMode { apic_id } => write!(
                f,
                "APIC {apic_id} is let go by the firmware in long mode, and sees no real mode to halt in"
            ),
            Self::SharesItsByte { apic_id } => write!(
                f,
                "APIC {apic_id} shares its byte of evidence with another CPU, which would fail, too"
            ),
        }
    }
}

impl core::error::Error for FaultError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{code, mailbox};

    const ALL: [Fault; 6] = [
        Fault::Silent,
        Fault::RealMode,
        Fault::LongMode,
        Fault::Late { tsc: 1 },
        Fault::Twice,
        Fault::WrongId,
    ];

    #[test]
    fn every_fault_strikes_in_one_place_and_no_two_are_alike() {
        for (index, fault) in ALL.iter().enumerate() {
            let place = |fault: &Fault| (fault.in_real_mode(), fault.in_long_mode());
            let (byte, word) = place(fault);
            assert_ne!(byte == 0, word == 0, "{fault:?}");
            assert!(
                ALL[..index]
                    .iter()
                    .all(|other| place(other) != (byte, word))
            );
        }
    }

    #[test]
    fn faults_in_real_mode_share_no_bit_with_the_evidence() {
        assert_eq!(IN_REAL_MODE & (code::EVIDENCE | mailbox::SHARED), 0);
    }

    #[test]
    fn a_delay_is_never_shorter_than_asked_for_and_never_changes_the_kind() {
        for tsc in [
            0,
            1,
            0x1_0000,
            0x1_0001,
            3_000_000_000,
            Fault::LONGEST_DELAY,
        ] {
            let word = Fault::Late { tsc }.in_long_mode();
            assert_eq!(word & ((1 << KIND_BITS) - 1), LATE);
            let delay = u64::from(word >> KIND_BITS) << DELAY_SHIFT;
            assert!(
                (tsc..tsc + (1 << DELAY_SHIFT)).contains(&delay),
                "{tsc}: {delay}"
            );
        }
    }

    #[test]
    fn a_delay_that_is_too_long_becomes_the_longest() {
        let longest = Fault::Late {
            tsc: Fault::LONGEST_DELAY,
        };
        let longer = Fault::Late { tsc: u64::MAX };
        assert_eq!(longer.in_long_mode(), longest.in_long_mode());
    }
}
