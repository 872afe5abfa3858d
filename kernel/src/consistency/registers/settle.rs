//! Memory types set right, and the account of all registers.
//!
//! After the manual's procedure (SDM volume 3, "MTRR Considerations in MP Systems" and "Programming the
//! PAT"), in a rendezvous of all that run, if there is an AP that differs at all. It is done behind
//! each way up of APs, as INIT may have changed them: the first time is told.
//!
//! In one thing it is not the manual's, where every processor enters the no-fill mode, flushes its
//! translations and writes the MTRRs. Here all write their caches back and empty them, but only
//! those that differ do the rest. The registers of the others do not change, so neither do the
//! types by which they cache, nor is anything in their translations out of date. Behind the
//! write-back they run the few lines of the handler in which they halt, and what they cache of
//! those is coherent as ever: a CPU in no-fill mode still finds in theirs what it reads and writes
//! (SDM volume 3, "Cache Operating Modes"). Should a differing CPU have memory for uncached that
//! they cache, that was so since it came up, and ends with this.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering, fence},
};

use reveille_smp::{
    cpu::CpuIndex,
    record::{self, Difference, Remedy},
    state::Stage,
};
use x86_64::{
    instructions::tlb,
    registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags},
};

use super::{
    COMPARED, CONTROL, REFERENCE, Reference,
    account::Account,
    control,
    memory_types::Plan,
    msr,
    register::{Register, Set},
};
use crate::{
    bench::Bench,
    cpus::rendezvous::{RendezvousError, meet_with_empty_caches, write_back_and_invalidate},
    percpu::{self, PerCpu},
    protection,
};

/// An AP that has looked, with what it found, and what is to be done about its memory types.
struct Case {
    area: &'static PerCpu,
    found: Vec<(Register, u64)>,
    plan: Plan,
    /// Whether it can do anything about it now.
    runs: bool,
}

/// The registers of all APs, set right as far as that can be.
pub struct Settling {
    cases: Vec<Case>,
    met: Result<(), RendezvousError>,
}

impl Settling {
    /// Sets memory types right on the APs that have looked since the last time and found a difference.
    pub fn settle(bench: &Bench<'_>) -> Self {
        let Ok(reference) = REFERENCE.try_get() else {
            return Self {
                cases: Vec::new(),
                met: Ok(()),
            };
        };
        let (running, stuck) = those_that_may_run(bench);
        let aps = percpu::all().iter().skip(1);
        let looked = aps.filter(|area| !area.registers().is_settled());
        let cases: Vec<_> = looked
            .map(|area| {
                let runs = running.iter().any(|it| it.index() == area.index());
                Case::of(reference, area, runs)
            })
            .collect();
        for case in &cases {
            case.area.registers().ask(case.plan.set);
        }
        let has_work = |area: &PerCpu| !area.registers().to_set().is_empty();
        let met = if running.iter().any(|area| has_work(area)) {
            // To wait for one that is known not to come would hold up everybody for nothing.
            let known = if stuck.is_empty() {
                still_missing(bench)
            } else {
                stuck
            };
            let met = if known.is_empty() {
                meet_with_empty_caches(has_work, &set_right)
            } else {
                Err(RendezvousError::Missing(known))
            };
            remember(bench, &met);
            met
        } else {
            Ok(())
        };
        for case in &cases {
            let account = case.area.registers();
            account.take_back();
            // One that is down looks again when it comes.
            if !case.runs || account.done() == case.plan.set {
                account.settle();
            }
        }
        Self { cases, met }
    }

    /// The account of an AP.
    pub fn account(&self, area: &PerCpu) -> record::Registers {
        let case = self
            .cases
            .iter()
            .find(|case| case.area.index() == area.index());
        let account = area.registers();
        let (Some(case), Ok(reference), true) = (case, REFERENCE.try_get(), account.has_looked())
        else {
            return record::Registers::default();
        };
        // What is left as it is has been told.
        account.settle();
        record::Registers {
            differences: case.differences(reference, &self.met),
            ..of_control(account.control())
        }
    }
}

/// The account of the BSP, which is the measure.
pub fn of_bsp() -> record::Registers {
    let reference = REFERENCE.try_get();
    reference.map_or_else(
        |_| record::Registers::default(),
        |it| of_control(it.control),
    )
}

/// What could not be set right on an AP that was down since the account, and came back.
pub fn again(area: &'static PerCpu) -> Vec<Difference> {
    let Ok(reference) = REFERENCE.try_get() else {
        return Vec::new();
    };
    if area.registers().is_settled() {
        return Vec::new();
    }
    let found = Case::of(reference, area, false).found;
    let memory_types = found
        .iter()
        .filter(|(register, _)| register.is_memory_type());
    memory_types
        .map(|&(register, value)| Difference {
            register: register.name(),
            bsp: hex(reference.memory_types.value(register)),
            found: hex(value),
            now: hex(value),
            remedy: Remedy::Reported,
            reason: Some(match last_error() {
                Some(error) => format!("the CPU came back with it, and {error}"),
                None => "the CPU came back with it".into(),
            }),
        })
        .collect()
}

/// The memory types that were set right on an AP when it was last asked to, perhaps since the account, by
/// their names.
pub fn set_right_now(area: &PerCpu) -> Vec<String> {
    let Ok(reference) = REFERENCE.try_get() else {
        return Vec::new();
    };
    let account = area.registers();
    let is_right =
        |&register: &Register| account.value(register) == reference.memory_types.value(register);
    let done = account.done();
    done.iter()
        .filter(is_right)
        .map(|register| register.name())
        .collect()
}

/// The last rendezvous ended before all were done. Whoever was missing or not done has it in its account:
/// words that lie still, so that no operation leaves memory in use. The BSP alone touches it.
static NOT_DONE: AtomicBool = AtomicBool::new(false);

/// Notes how the last rendezvous ended.
fn remember(bench: &Bench<'_>, met: &Result<(), RendezvousError>) {
    let (missing, not_done) = match met {
        Err(RendezvousError::Missing(cpus)) => (&cpus[..], &[][..]),
        Err(RendezvousError::NotDone(cpus)) => (&[][..], &cpus[..]),
        _ => (&[][..], &[][..]),
    };
    // It may be that nobody is named.
    let is_not_done = matches!(met, Err(RendezvousError::NotDone(_)));
    NOT_DONE.store(is_not_done, Ordering::Relaxed);
    for ap in bench.cpus.aps.iter() {
        let Some(area) = PerCpu::of(ap.cpu) else {
            continue;
        };
        let is_missing = missing.contains(&ap.cpu);
        let word = is_missing.then(|| ap.slot.state().load().to_bits());
        area.registers().miss(word);
        area.registers().leave_at_work(not_done.contains(&ap.cpu));
    }
}

/// The CPUs that were missing in the last rendezvous and have not moved since. One that was kicked
/// again has another state word.
fn still_missing(bench: &Bench<'_>) -> Vec<CpuIndex> {
    let missed = |cpu| PerCpu::of(cpu)?.registers().missed();
    let aps = bench.cpus.aps.iter();
    aps.filter(|ap| missed(ap.cpu) == Some(ap.slot.state().load().to_bits()))
        .map(|ap| ap.cpu)
        .collect()
}

/// Why the last rendezvous failed, if it did.
fn last_error() -> Option<RendezvousError> {
    let those = |are_meant: fn(&Account) -> bool| -> Vec<_> {
        let areas = percpu::all().iter();
        let meant = areas.filter(|area| are_meant(area.registers()));
        meant.map(|area| area.index()).collect()
    };
    if NOT_DONE.load(Ordering::Relaxed) {
        return Some(RendezvousError::NotDone(those(Account::was_left_at_work)));
    }
    let missing = those(|account| account.missed().is_some());
    (!missing.is_empty()).then_some(RendezvousError::Missing(missing))
}

fn of_control([cr0, cr4, efer]: [u64; 3]) -> record::Registers {
    record::Registers {
        checked: true,
        differences: Vec::new(),
        protection: protection::names(cr0, cr4, efer),
        machine_checks: cr4 & Cr4Flags::MACHINE_CHECK_EXCEPTION.bits() != 0,
    }
}

/// The APs that may be running and can be called, and those that may run and cannot, as they fell silent
/// before they took interrupts. `cpus/rendezvous.rs` says why no other matters.
fn those_that_may_run(bench: &Bench<'_>) -> (Vec<&'static PerCpu>, Vec<CpuIndex>) {
    let (mut running, mut stuck) = (Vec::new(), Vec::new());
    for ap in bench.cpus.aps.iter() {
        match ap.slot.state().load().stage() {
            Stage::Claimed => stuck.push(ap.cpu),
            Stage::NotPresent => {}
            stage if stage.is_down() => {}
            _ => running.extend(PerCpu::of(ap.cpu)),
        }
    }
    (running, stuck)
}

impl Case {
    fn of(reference: &Reference, area: &'static PerCpu, runs: bool) -> Self {
        let account = area.registers();
        let differing = account.differing();
        let all = Set(differing.differs.0 | differing.lacks.0);
        let found = |register| match differing.differs.contains(register) {
            true => account.value(register),
            false => 0,
        };
        Self {
            area,
            found: all
                .iter()
                .map(|register| (register, found(register)))
                .collect(),
            plan: reference.memory_types.plan(&differing),
            runs,
        }
    }

    fn differences(
        &self,
        reference: &Reference,
        met: &Result<(), RendezvousError>,
    ) -> Vec<Difference> {
        let told = self.found.iter();
        told.map(|&(register, found)| self.difference(reference, met, register, found))
            .collect()
    }

    fn difference(
        &self,
        reference: &Reference,
        met: &Result<(), RendezvousError>,
        register: Register,
        found: u64,
    ) -> Difference {
        let account = self.area.registers();
        let control = CONTROL.iter().position(|&it| it == register);
        let (bsp, now, reason) = match control {
            Some(index) => {
                let (bsp, now) = (reference.control[index], account.control()[index]);
                let compared = COMPARED[index];
                let reason = ((bsp ^ now) & compared != 0).then(|| match register {
                    Register::CR4 => control::cr4_reason(now, bsp),
                    _ => "it cannot be set on this CPU".into(),
                });
                (bsp, now, reason)
            }
            None => {
                let bsp = reference.memory_types.value(register);
                // It was written, and read back, whatever came of the others.
                if account.done().contains(register) {
                    let now = account.value(register);
                    let refuses = || "it did not take what was written to it".into();
                    (bsp, now, (now != bsp).then(refuses))
                } else {
                    (bsp, found, Some(self.left(register, met)))
                }
            }
        };
        Difference {
            register: register.name(),
            bsp: hex(bsp),
            found: hex(found),
            now: hex(now),
            remedy: match reason {
                None => Remedy::SetRight,
                Some(_) => Remedy::Reported,
            },
            reason,
        }
    }

    /// Why a memory type was left as it was. Where the rendezvous ended with the CPU at work, it may be
    /// set yet.
    fn left(&self, register: Register, met: &Result<(), RendezvousError>) -> String {
        if self.area.registers().differing().lacks.contains(register) {
            let what = match register {
                Register::PAT => "this CPU has no PAT",
                _ => self
                    .plan
                    .refused
                    .as_deref()
                    .unwrap_or("this CPU does not have it"),
            };
            return what.into();
        }
        if let Some(refused) = self.plan.refusal(register) {
            return refused.into();
        }
        if !self.runs {
            return "the CPU does not run".into();
        }
        match met {
            Ok(()) => "it was not set".into(),
            Err(error) => error.to_string(),
        }
    }
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

/// For tests: whoever works panics.
static PANICS: AtomicBool = AtomicBool::new(false);

/// Lets the next CPU that sets memory types right panic, for tests.
pub fn panic_at_work() {
    PANICS.store(true, Ordering::Relaxed);
}

/// Sets this CPU's memory types right, while all other CPUs stand or do the same.
fn set_right(area: &'static PerCpu) {
    let Ok(reference) = REFERENCE.try_get() else {
        return;
    };
    let account = area.registers();
    let set = account.to_set();
    if set.is_empty() {
        // The rendezvous was ended as this CPU began.
        return;
    }
    // On this CPU's own stack, and not only so for as long as the compiler likes: what others wrote is read
    // before the caches are off and memory is, for a while, uncached.
    let values = black_box(reference.memory_types.values());
    let panics = black_box(PANICS.load(Ordering::Relaxed));
    without_caches(|| {
        let def_type = Register::DEF_TYPE;
        let has_mtrrs = set.iter().any(Register::is_mtrr);
        // The MTRRs are off while they change (SDM volume 3, "MemTypeSet() Function").
        const ON: u64 = 1 << 11;
        if has_mtrrs {
            let off = msr::read(def_type) & !ON;
            // SAFETY: the value is the CPU's own, with all memory uncached.
            unsafe { msr::write(def_type, off) };
        }
        assert!(!panics, "asked for by test=panic-rendezvous");
        for register in set.iter().filter(|&it| it != def_type) {
            // SAFETY: the plan has made sure that the CPU can take the BSP's value, under which all
            // memory is of the types that the BSP uses it by. All others stand or do the same, and the
            // caches of this CPU are off and empty.
            unsafe { msr::write(register, values[register.index()]) };
        }
        if has_mtrrs {
            // SAFETY: as above.
            unsafe { msr::write(def_type, values[def_type.index()]) };
        }
    });
    for register in set.iter() {
        account.note(register, msr::read(register));
    }
    account.finish(set);
}

/// Does something with the caches of this CPU empty and off, and no translation kept from before.
/// Interrupts are off. In the no-fill mode the caches stay coherent with those of other CPUs; what is read
/// with the MTRRs off is uncached, and so is to be of this CPU alone, or such as nobody writes.
fn without_caches(change: impl FnOnce()) {
    fence(Ordering::SeqCst);
    let (cr0, cr4) = (Cr0::read(), Cr4::read());
    // No-fill mode (SDM volume 3, "Cache Operating Modes").
    let off = (cr0 | Cr0Flags::CACHE_DISABLE) & !Cr0Flags::NOT_WRITE_THROUGH;
    // SAFETY: memory holds what it held, only slower; each register gets its old value in the end.
    unsafe {
        Cr0::write(off);
        write_back_and_invalidate();
        // Global translations outlive a change of CR3.
        Cr4::write(cr4 & !Cr4Flags::PAGE_GLOBAL);
        tlb::flush_all();
        change();
        write_back_and_invalidate();
        tlb::flush_all();
        Cr0::write(cr0);
        Cr4::write(cr4);
    }
}
