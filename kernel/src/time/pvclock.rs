//! kvmclock: KVM tells a guest the factor from TSC to nanoseconds (Linux,
//! `Documentation/virt/kvm/x86/msr.rst`).
//!
//! Only the factor is used. The page is given back at once: an address that KVM writes to must not
//! outlive the reason for it.

use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use x86_64::registers::model_specific::Msr;

use crate::cpuid::Cpuid;

/// What KVM writes: `struct pvclock_vcpu_time_info`. A version that is odd, or another one after
/// the reading, means that KVM was at it.
#[repr(C, align(32))]
struct TimeInfo {
    version: AtomicU32,
    _pad: AtomicU32,
    _tsc_timestamp: AtomicU64,
    _system_time: AtomicU64,
    tsc_to_system_mul: AtomicU32,
    tsc_shift: AtomicI8,
    _flags: [AtomicU8; 3],
}

/// Aligned to its size, so that it lies within one page, as KVM wants it.
const _: () = assert!(size_of::<TimeInfo>() == 32);

static TIME_INFO: TimeInfo = TimeInfo {
    version: AtomicU32::new(0),
    _pad: AtomicU32::new(0),
    _tsc_timestamp: AtomicU64::new(0),
    _system_time: AtomicU64::new(0),
    tsc_to_system_mul: AtomicU32::new(0),
    tsc_shift: AtomicI8::new(0),
    _flags: [AtomicU8::new(0), AtomicU8::new(0), AtomicU8::new(0)],
};

/// MSR_KVM_SYSTEM_TIME_NEW: where a CPU wants its time information.
const SYSTEM_TIME: Msr = Msr::new(0x4b56_4d01);

/// Readings before a page that never settles is given up. KVM writes it within a microsecond.
const MOST_READINGS: u32 = 1_000;

/// The TSC frequency by kvmclock; `None` where KVM does not offer it.
pub(super) fn tsc_hz(cpu: &impl Cpuid) -> Option<u64> {
    const FEATURES: u32 = 0x4000_0001;
    const HAS_SYSTEM_TIME: u32 = 1 << 3;
    let is_kvm = cpu.hypervisor_signature() == Some(*b"KVMKVMKVM\0\0\0");
    if !is_kvm || cpu.hypervisor(FEATURES).eax & HAS_SYSTEM_TIME == 0 {
        return None;
    }
    const ENABLE: u64 = 1 << 0;
    // The kernel's image is mapped by identity (kernel.ld), so this is the physical address too.
    let address = (&raw const TIME_INFO).expose_provenance() as u64;
    let mut register = SYSTEM_TIME;
    // SAFETY: the MSR is there, as the feature bit says. KVM writes `TIME_INFO`, which is made of
    // atomics, lies in RAM for good, and is used by this function alone.
    unsafe { register.write(address | ENABLE) };
    let factor = TIME_INFO.factor();
    // SAFETY: as above; this ends KVM's use of the page.
    unsafe { register.write(0) };
    let (multiplier, shift) = factor?;
    frequency(multiplier, shift)
}

impl TimeInfo {
    fn factor(&self) -> Option<(u32, i8)> {
        (0..MOST_READINGS).find_map(|_| {
            // The version is read before and after what it guards, and the fences keep it so:
            // Acquire holds the later reads back, the fence the second reading of the version.
            let before = self.version.load(Ordering::Acquire);
            let multiplier = self.tsc_to_system_mul.load(Ordering::Relaxed);
            let shift = self.tsc_shift.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            let after = self.version.load(Ordering::Relaxed);
            (before == after && before != 0 && before.is_multiple_of(2))
                .then_some((multiplier, shift))
        })
    }
}

/// KVM defines nanoseconds as `(counts << shift) * multiplier >> 32`, where a negative shift goes
/// to the right; solved for the counts of a second.
fn frequency(multiplier: u32, shift: i8) -> Option<u64> {
    let hz = (1_000_000_000_u128 << 32).checked_div(u128::from(multiplier))?;
    let distance = u32::from(shift.unsigned_abs());
    let hz = if shift < 0 {
        hz.checked_shl(distance)?
    } else {
        hz.checked_shr(distance)?
    };
    u64::try_from(hz).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvms_factor_is_turned_into_a_frequency() {
        // KVM's factors for 1 GHz, 2 GHz and 500 MHz.
        assert_eq!(frequency(1 << 31, 1), Some(1_000_000_000));
        assert_eq!(frequency(1 << 31, 0), Some(2_000_000_000));
        assert_eq!(frequency(1 << 31, 2), Some(500_000_000));
        // And one to the right: 4 GHz.
        assert_eq!(frequency(1 << 31, -1), Some(4_000_000_000));
    }

    #[test]
    fn nonsense_from_the_host_is_refused() {
        assert_eq!(frequency(0, 0), None);
        assert_eq!(frequency(1, -128), None);
    }

    #[test]
    fn a_page_that_nobody_wrote_gives_no_factor() {
        assert_eq!(TIME_INFO.factor(), None);
    }
}
