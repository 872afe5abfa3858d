//! All CPUs stop, some of them do their work meanwhile, and all go on (`smp/src/rendezvous.rs`).
//!
//! A CPU stands in the handler of the interrupt that called it, before the APIC hears that the
//! interrupt is handled. So its APIC lets in only what has a higher class, which is the release alone:
//! the CPU halts until then, and uses no memory but when it is woken: the words of the rendezvous and its
//! stack. NMIs and machine checks come through, and so a panic elsewhere finds it.
//!
//! Everybody who is called writes its caches back and empties them before it is counted, and the
//! caller before it calls, as the manual asks of all processors before memory types change (SDM
//! volume 3, "MTRR Considerations in MP Systems"). That costs up to some milliseconds on a CPU with
//! large caches, and more under a hypervisor that has to do it for the guest; `ARRIVAL` has room
//! for it. It is for this rendezvous alone: no other interrupt pays for it.
//!
//! Called is whoever may be running. A CPU that is parked, or was never seen, is not: it halts on the
//! trampoline's page, or may yet come there, and uses no memory but that and the word by which it comes;
//! or it is in the firmware's loop, which is the firmware's own.
//! One that was abandoned is called as any other, for it may run: if it does not come, nothing is done.

use alloc::{format, string::String, vec::Vec};
use core::{
    arch::asm,
    fmt, ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
    time::Duration,
};

use reveille_executor::Clock;
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    ranges::Ranges,
    rendezvous::{Rendezvous, Stage},
};
use x86_64::instructions::interrupts;

use crate::{apic::LocalApic, interrupts::vectors::Vector, percpu::PerCpu, platform::CpuPlatform};

/// Until when all must have come. A CPU comes within microseconds, but a hypervisor may have to find
/// time for each of hundreds, and each writes its caches back.
const ARRIVAL: Duration = Duration::from_millis(500);

/// How long the work may take after that.
const WORK: Duration = Duration::from_millis(500);

/// What a CPU does while all others stand.
pub struct Work(pub fn(&'static PerCpu));

/// Where they meet.
struct Place {
    rendezvous: Rendezvous,
    /// The id of the caller.
    caller: AtomicU32,
    /// The work of those who have some; never null while somebody is called.
    work: AtomicPtr<Work>,
}

/// For tests: the CPU with this number is interrupted only when the meeting is over.
static LATE: AtomicU32 = AtomicU32::new(NOBODY);

/// No CPU has this number.
const NOBODY: u32 = u32::MAX;

/// Lets a CPU come too late to the next meeting, for tests.
pub fn make_late(cpu: CpuIndex) {
    LATE.store(cpu.0, Ordering::Relaxed);
}

static PLACE: Place = Place {
    rendezvous: Rendezvous::new(),
    caller: AtomicU32::new(0),
    work: AtomicPtr::new(ptr::null_mut()),
};

/// Why the work was not done, or not by all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RendezvousError {
    /// These CPUs did not come. Nothing was done. The list is empty if the last one was about to be
    /// counted when the time was over.
    Missing(Vec<CpuIndex>),
    /// All came, and not all were done in time. Some may still be at it.
    NotDone,
}

impl fmt::Display for RendezvousError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(cpus) if cpus.is_empty() => {
                f.write_str("a CPU came too late to the rendezvous")
            }
            Self::Missing(cpus) => {
                let numbers: Ranges = cpus.iter().map(|cpu| cpu.0).collect();
                let name: String = match cpus[..] {
                    [_] => format!("CPU {numbers}"),
                    _ => format!("CPUs {numbers}"),
                };
                write!(f, "{name} did not come to the rendezvous")
            }
            Self::NotDone => f.write_str("it was not done in time in the rendezvous"),
        }
    }
}

impl core::error::Error for RendezvousError {}

/// Stops `called`, which are all CPUs that may run but the one that calls; lets those that `has_work`
/// names do `work` while all others stand; and lets all go on. The caller halts meanwhile.
///
/// # Errors
///
/// [`RendezvousError`].
pub fn meet(
    platform: &CpuPlatform,
    apic: LocalApic,
    called: &[&'static PerCpu],
    has_work: impl Fn(&PerCpu) -> bool,
    work: &'static Work,
) -> Result<(), RendezvousError> {
    let place = &PLACE;
    let rendezvous = &place.rendezvous;
    place
        .caller
        .store(PerCpu::current().apic_id().0, Ordering::Relaxed);
    place
        .work
        .store(ptr::from_ref(work).cast_mut(), Ordering::Relaxed);
    let generation = rendezvous.next();
    for cpu in called {
        cpu.seat().call(generation, has_work(cpu));
    }
    let workers = called.iter().filter(|cpu| has_work(cpu)).count();
    // All of the above is released by this, and acquired by who arrives.
    rendezvous.open(generation, called.len() as u16, workers as u16);

    // One that cannot be interrupted does not come, and is named.
    let late = LATE.swap(NOBODY, Ordering::Relaxed);
    let is_late = |cpu: &&&PerCpu| cpu.index().0 == late;
    let interrupt = |cpu: &PerCpu, vector| {
        let _ = apic.send_fixed(cpu.apic_id(), vector);
    };
    let stage = || rendezvous.stage(generation);
    // The caller is not counted: before anybody can come, and so before anybody can work.
    write_back_and_invalidate();
    for cpu in called.iter().filter(|cpu| !is_late(cpu)) {
        interrupt(cpu, Vector::STOP);
    }
    let deadline = platform.now().saturating_add(ARRIVAL);
    if platform.halt_until(deadline, || stage() != Stage::Gathering) {
        for cpu in called.iter().filter(|cpu| has_work(cpu)) {
            interrupt(cpu, Vector::RELEASE);
        }
        // What ends this halt is the last who is done, or the deadline: all that could send anything
        // else stands.
        let deadline = platform.now().saturating_add(WORK);
        platform.halt_until(deadline, || stage() == Stage::Over);
    }
    let was = rendezvous.end(generation);
    for cpu in called {
        interrupt(cpu, Vector::RELEASE);
    }
    if let Some(cpu) = called.iter().find(is_late) {
        interrupt(cpu, Vector::STOP);
    }
    match was {
        Stage::Over => Ok(()),
        Stage::Working => Err(RendezvousError::NotDone),
        Stage::Gathering => {
            let missing = called
                .iter()
                .filter(|cpu| !cpu.seat().has_arrived(generation));
            Err(RendezvousError::Missing(
                missing.map(|cpu| cpu.index()).collect(),
            ))
        }
    }
}

/// What the interrupt does that calls a CPU: it stands here until it may go on. Interrupts are off.
pub fn stand(apic: LocalApic) {
    let place = &PLACE;
    let rendezvous = &place.rendezvous;
    let area = PerCpu::current();
    // Before it is counted: nobody works until all have done it.
    write_back_and_invalidate();
    let Some(arrival) = rendezvous.arrive(area.seat()) else {
        return;
    };
    let tell_caller = || {
        let caller = ApicId(place.caller.load(Ordering::Relaxed));
        // The caller has its deadlines, should this not reach it.
        let _ = apic.send_fixed(caller, Vector::DOORBELL);
    };
    if arrival.stage != Stage::Gathering {
        tell_caller();
    }
    let stage = || rendezvous.stage(arrival.generation);
    if arrival.has_work {
        halt_until(|| stage() != Stage::Gathering);
        if stage() == Stage::Working {
            // SAFETY: whoever opened this meeting stored a reference to work that lives for ever, and
            // the arrival acquired that.
            let work = unsafe { &*place.work.load(Ordering::Relaxed) };
            (work.0)(area);
            rendezvous.done(arrival.generation);
            tell_caller();
        }
    }
    halt_until(|| stage() == Stage::Over);
}

/// Halts until the condition holds. No deadline is needed here, as the caller has one, at which it ends
/// the meeting and wakes all.
fn halt_until(condition: impl Fn() -> bool) {
    while !condition() {
        // With interrupts off, a release that comes behind the look stays pending, and ends the halt.
        interrupts::enable_and_hlt();
        interrupts::disable();
    }
}

/// Writes all caches of this CPU back to memory and empties them.
pub fn write_back_and_invalidate() {
    // SAFETY: the instruction changes nothing that a program sees. As the compiler is told that memory
    // is used, what was written before it is not held back.
    unsafe { asm!("wbinvd", options(nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn whoever_did_not_come_is_named() {
        let missing = |cpus: &[u32]| {
            let cpus = cpus.iter().copied().map(CpuIndex);
            RendezvousError::Missing(cpus.collect()).to_string()
        };
        assert_eq!(missing(&[3]), "CPU 3 did not come to the rendezvous");
        assert_eq!(
            missing(&[1, 2, 5]),
            "CPUs 1-2,5 did not come to the rendezvous"
        );
        assert_eq!(missing(&[]), "a CPU came too late to the rendezvous");
    }
}
