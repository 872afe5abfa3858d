//! What is said of a call that does not come to an end.

#![forbid(unsafe_code)]

use core::fmt;

use reveille_smp::cpu::CpuIndex;

/// A caller gets no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standstill(pub CpuIndex);

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cpu) = self;
        write!(f, "a call of CPU {cpu} did not come to an end")
    }
}

impl core::error::Error for Standstill {}
