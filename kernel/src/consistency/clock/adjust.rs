//! `IA32_TSC_ADJUST`, and the step `clock`: what software has added to an AP's TSC is what it has added
//! to the BSP's.
//!
//! The register holds the sum of all that was ever written to a TSC, so it tells what firmware did to
//! it, and a write moves the TSC by the difference (SDM volume 3, "IA32_TSC_ADJUST MSR"). The TSCs of a
//! package start together; where two of its CPUs differ in the register, somebody has set them apart,
//! and writing the BSP's value takes that back exactly, which no measured offset can. In another package
//! a difference may be what makes its TSCs fit: one that was powered on later is set forward by
//! firmware. There it stays, and the measured offset counts.

use core::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use alloc::{format, string::String};
use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_smp::{
    cpu::CpuIndex,
    record::{Difference, Remedy},
    step::{Run, Section, Site, Step},
};
use x86_64::registers::model_specific::Msr;

use super::ticks_asked_for;
use crate::{
    consistency::{CHECKS, features::Feature},
    cpuid::{Cpuid, ThisCpu},
    percpu::PerCpu,
    topology::Topology,
};

#[distributed_slice(CHECKS)]
static CLOCK: &dyn Step = &AdjustClock;

/// The AP's TSC is where the BSP's is, as far as the register tells.
struct AdjustClock;

impl Step for AdjustClock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    /// Before the first rung on which a CPU can rest: no alarm is set while its clock moves.
    fn rank(&self) -> u16 {
        18
    }

    /// Nothing wakes a CPU whose APIC is off.
    fn can_rest(&self) -> bool {
        false
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        if let Some(bsp) = bsps() {
            set_right(PerCpu::current(), bsp);
        }
        Run::Now(Ok(()))
    }
}

const TSC_ADJUST: Msr = Msr::new(0x3b);

/// The BSP's, where it has the register; set before the first AP starts.
static BSPS: OnceCell<Option<i64>> = OnceCell::uninit();

/// Notes the BSP's value, on the BSP.
pub fn note_bsps() {
    BSPS.init_once(|| is_there(&ThisCpu).then(read));
}

fn bsps() -> Option<i64> {
    BSPS.try_get().ok().copied().flatten()
}

/// Whether a CPU has the register (SDM volume 2, CPUID, leaf 7: EBX, bit 1).
pub fn is_there(cpu: &impl Cpuid) -> bool {
    cpu.basic(7, 0).ebx & 1 << 1 != 0
}

/// On a CPU that has the register.
fn read() -> i64 {
    // SAFETY: the MSR is there, and reading it changes nothing.
    unsafe { TSC_ADJUST.read() }.cast_signed()
}

/// On a CPU that has the register.
fn write(value: i64) {
    let mut register = TSC_ADJUST;
    // SAFETY: the MSR is there. It moves the TSC, of which nothing depends that is safe or not.
    unsafe { register.write(value.cast_unsigned()) };
}

/// Brings about what `fault=CPU:tsc=` asks for, on that CPU, and says by how many counts its TSC has
/// moved. It strikes on each way up, before the step can look.
pub fn strike(area: &PerCpu) -> i64 {
    let (Some(ticks), Some(bsp)) = (ticks_asked_for(area.flaws()), bsps()) else {
        return 0;
    };
    if !is_there(&ThisCpu) {
        return 0;
    }
    let before = read();
    write(bsp.wrapping_add(ticks));
    let moved = read().wrapping_sub(before);
    note(area, moved);
    moved
}

/// The counter of this CPU has just moved by so many counts.
fn note(area: &PerCpu, counts: i64) {
    if counts != 0
        && let Some(track) = area.trace().noting()
    {
        track.clock_moved(counts);
    }
}

/// On an AP: compares its value with the BSP's, and sets it right where that is right.
fn set_right(area: &PerCpu, bsp: i64) {
    // What the BSP has and this CPU lacks is for others to tell.
    let own = area.identity().features();
    if !own.is_some_and(|own| own.has(Feature::TSC_ADJUST)) {
        return;
    }
    let found = read();
    let mut now = found;
    if found != bsp {
        let topology = Topology::of(&ThisCpu);
        let package = |area: &PerCpu| topology.place(area.apic_id()).package;
        let is_neighbour = PerCpu::of(CpuIndex::BSP).is_some_and(|it| package(it) == package(area));
        if is_neighbour {
            write(bsp);
            now = read();
            note(area, now.wrapping_sub(found));
        }
    }
    area.clock().adjustment.note(found, now, bsp);
}

/// What the step found on a CPU.
///
/// # Memory ordering
///
/// Relaxed: the CPU writes before it is alive, and others read once they have seen that it was.
#[derive(Debug)]
pub(super) struct Adjustment {
    /// Whether there ever was a difference.
    is_any: AtomicU8,
    /// The last difference: what was found, and what it is since.
    found: AtomicI64,
    now: AtomicI64,
    /// By how many counts the TSC was moved on the CPU's last way up.
    put_forward: AtomicI64,
}

impl Adjustment {
    pub(super) fn new() -> Self {
        Self {
            is_any: AtomicU8::new(0),
            found: AtomicI64::new(0),
            now: AtomicI64::new(0),
            put_forward: AtomicI64::new(0),
        }
    }

    fn note(&self, found: i64, now: i64, bsp: i64) {
        let moved = now.wrapping_sub(found);
        self.put_forward.store(moved, Ordering::Relaxed);
        if found != bsp {
            self.found.store(found, Ordering::Relaxed);
            self.now.store(now, Ordering::Relaxed);
            self.is_any.store(1, Ordering::Relaxed);
        }
    }

    /// What was found is another CPU's.
    pub(super) fn forget(&self) {
        self.put_forward.store(0, Ordering::Relaxed);
        self.is_any.store(0, Ordering::Relaxed);
    }

    pub(super) fn put_forward(&self) -> i64 {
        self.put_forward.load(Ordering::Relaxed)
    }

    /// The difference as a record; `None` where there was none.
    pub(super) fn difference(&self) -> Option<Difference> {
        let bsp = bsps()?;
        (self.is_any.load(Ordering::Relaxed) != 0).then(|| self.told(bsp))
    }

    fn told(&self, bsp: i64) -> Difference {
        let now = self.now.load(Ordering::Relaxed);
        let hex = |value: i64| format!("{value:#x}");
        let (remedy, reason) = match now == bsp {
            true => (Remedy::SetRight, None),
            false if now == self.found.load(Ordering::Relaxed) => (
                Remedy::Reported,
                Some("it sits in another package, whose clock may have started at another time"),
            ),
            false => (
                Remedy::Reported,
                Some("the CPU did not take the BSP's value"),
            ),
        };
        Difference {
            register: String::from("tsc-adjust"),
            bsp: hex(bsp),
            found: hex(self.found.load(Ordering::Relaxed)),
            now: hex(now),
            remedy,
            reason: reason.map(String::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Recorded;

    #[test]
    fn the_register_is_there_where_leaf_7_says_so() {
        let has = |ebx| is_there(&Recorded(&[(0, 0, [7, 0, 0, 0]), (7, 0, [0, ebx, 0, 0])]));
        assert!(has(1 << 1));
        assert!(!has(!(1 << 1)));
        assert!(!is_there(&Recorded(&[(7, 0, [0, 1 << 1, 0, 0])])));
    }

    #[test]
    fn a_difference_is_told_with_what_was_done_about_it() {
        let adjustment = Adjustment::new();
        adjustment.note(0x10, 0, 0);
        assert_eq!(adjustment.put_forward(), -0x10);
        let told = adjustment.told(0);
        assert_eq!((&*told.found, &*told.now), ("0x10", "0x0"));
        assert_eq!((told.remedy, told.reason), (Remedy::SetRight, None));
        // On its next way up it is as it was left: nothing moves, and the difference stays told.
        adjustment.note(0, 0, 0);
        assert_eq!(
            (adjustment.put_forward(), adjustment.told(0).found),
            (0, told.found)
        );
        adjustment.note(-1, -1, 0);
        let told = adjustment.told(0);
        assert_eq!(
            (&*told.found, told.remedy),
            ("0xffffffffffffffff", Remedy::Reported)
        );
        assert!(told.reason.unwrap().contains("another package"));
    }
}
