//! The errors that the local APICs notice: counted where they come, told at the end of the run.

#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

/// What the error vector saw, on all CPUs. Relaxed: two statistics that nothing else depends on.
static COUNT: AtomicU32 = AtomicU32::new(0);
static KINDS: AtomicU32 = AtomicU32::new(0);

/// Takes note of an error interrupt and the bits that its error status register had.
pub(super) fn record(kinds: u32) {
    KINDS.fetch_or(kinds, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// The errors of the APICs since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApicErrors {
    /// How many error interrupts came.
    pub count: u32,
    /// Every bit that any of them found in the error status register.
    pub kinds: u32,
}

/// The errors that the APICs of all CPUs noticed so far; `None` if there were none.
pub fn apic_errors() -> Option<ApicErrors> {
    let count = COUNT.load(Ordering::Relaxed);
    (count > 0).then(|| ApicErrors {
        count,
        kinds: KINDS.load(Ordering::Relaxed),
    })
}

/// The bits of the error status register, lowest first (SDM volume 3, "Error Status Register").
const NAMES: [&str; 8] = [
    "send checksum",
    "receive checksum",
    "send accept",
    "receive accept",
    "redirectable IPI",
    "send illegal vector",
    "receive illegal vector",
    "illegal register address",
];

/// Such as `APIC errors: 3 (send accept, send illegal vector)`.
impl fmt::Display for ApicErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "APIC errors: {} (", self.count)?;
        let mut separator = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.kinds & 1 << bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        f.write_str(if separator.is_empty() {
            "of no known kind)"
        } else {
            ")"
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn errors_are_told_by_number_and_kind() {
        let told = |count, kinds| ApicErrors { count, kinds }.to_string();
        assert_eq!(
            told(3, 0b10_0100),
            "APIC errors: 3 (send accept, send illegal vector)"
        );
        assert_eq!(told(1, 0x80), "APIC errors: 1 (illegal register address)");
        assert_eq!(told(1, 0), "APIC errors: 1 (of no known kind)");
    }

    #[test]
    fn errors_of_all_cpus_add_up() {
        assert_eq!(apic_errors(), None);
        record(0x40);
        record(0x01);
        assert_eq!(
            apic_errors(),
            Some(ApicErrors {
                count: 2,
                kinds: 0x41
            })
        );
    }
}
