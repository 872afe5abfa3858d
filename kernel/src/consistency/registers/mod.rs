//! Registers in line: CR0, CR4, EFER, PAT and the MTRRs of every AP are the BSP's.
//!
//! The BSP's are read once, before the first kick. An AP compares its own on its way up, each time that
//! it comes. What concerns it alone it sets right at once; memory types it only notes, because they are
//! never changed on one CPU while others use memory. Those are set right behind the bring-up, in a
//! rendezvous of all CPUs that run.

mod account;
mod control;
mod memory_types;
mod msr;
mod register;
#[cfg(target_os = "none")]
mod settle;

use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_smp::step::{Run, Section, Site, Step, StepError};
use x86_64::registers::control::Cr4Flags;

pub use self::account::Account;
#[cfg(target_os = "none")]
pub use self::settle::{Settling, again, of_bsp, panic_at_work, set_right_now};
use self::{
    control::{CR0_COMPARED, CR4_COMPARED, EFER_COMPARED, Own},
    memory_types::{Cap, Kind},
    register::{Register, Set},
};
use super::CHECKS;
use crate::{
    cpuid::{Cpuid, ThisCpu},
    faults::FaultKind,
    percpu::PerCpu,
};

#[distributed_slice(CHECKS)]
static REGISTERS: &dyn Step = &CheckRegisters;

/// The AP's registers are the BSP's, or it has noted what is not.
struct CheckRegisters;

impl Step for CheckRegisters {
    fn name(&self) -> &'static str {
        "registers"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    /// Behind `tables`, so that an exception is told, and behind `apic`, so that the AP can rest here.
    fn rank(&self) -> u16 {
        22
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let reference = REFERENCE.try_get().map_err(|_| StepError::Unsupported);
        reference.map(|it| look(it, PerCpu::current())).into()
    }
}

/// The BSP's registers.
#[derive(Debug)]
struct Reference {
    /// CR0, CR4 and EFER.
    control: [u64; 3],
    memory_types: memory_types::Reference,
}

static REFERENCE: OnceCell<Reference> = OnceCell::uninit();

/// The registers that a CPU sets by itself, in the order in which it does: CR4.CET asks for CR0.WP (SDM
/// volume 3, "Control Registers").
const CONTROL: [Register; 3] = [Register::CR0, Register::CR4, Register::EFER];

/// The bits of each that are compared.
const COMPARED: [u64; 3] = [CR0_COMPARED, CR4_COMPARED, EFER_COMPARED];

/// Takes the registers of the CPU that calls, the BSP, for the measure of all others. To be called once
/// they are as they are to be, and before any AP is woken.
pub fn capture() {
    REFERENCE.init_once(|| {
        let kind = kind_of(&Own::of(&ThisCpu));
        Reference {
            control: CONTROL.map(msr::read),
            memory_types: memory_types::Reference::read(kind, physical_bits(), msr::read),
        }
    });
}

/// Why a fault on demand that concerns a register cannot be shown by a CPU like the BSP, if it cannot.
pub fn refusal(kind: &FaultKind) -> Option<&'static str> {
    let memory_types = &REFERENCE.try_get().ok()?.memory_types;
    match kind {
        FaultKind::Pat if !memory_types.kind.has_pat => Some("the CPUs have no PAT"),
        FaultKind::Mtrr if memory_types.kind.cap.is_none() => Some("the CPUs have no MTRRs"),
        FaultKind::Mtrr if memory_types.flaw().is_none() => {
            Some("no MTRR can be changed that does no harm")
        }
        _ => None,
    }
}

/// What the AP does: looks, sets right what concerns it alone, and notes what it found.
fn look(reference: &Reference, area: &PerCpu) {
    let account = area.registers();
    let noted = area.identity().features();
    let own = noted.map_or_else(|| Own::of(&ThisCpu), |noted| Own::noted(&noted));
    let cr4_settable = own.cr4_settable();

    // Whatever the BSP has turned on is turned on on every CPU: it is no difference that an AP comes
    // without, as all do.
    let [_, bsp_cr4, _] = reference.control;
    let cr4 = msr::read(Register::CR4);
    let turned_on = cr4 | bsp_cr4 & CR4_COMPARED & cr4_settable;
    set_control(Register::CR4, cr4, turned_on);
    if account.takes_flaws() {
        area.flaws().iter().for_each(|flaw| make(reference, flaw));
    }

    let (mut differs, mut lacks) = (Set::default(), Set::default());
    let mut found = |register, value| {
        account.note(register, value);
        differs.insert(register);
    };
    let mut now = CONTROL.map(msr::read);
    for (index, compared) in COMPARED.into_iter().enumerate() {
        let (register, bsp, value) = (CONTROL[index], reference.control[index], now[index]);
        if (value ^ bsp) & compared == 0 {
            continue;
        }
        found(register, value);
        let settable = match register {
            Register::CR4 => cr4_settable,
            Register::EFER => control::efer_settable(&ThisCpu),
            _ => u64::MAX,
        };
        set_control(
            register,
            value,
            control::aim(value, bsp, compared, settable),
        );
        now[index] = msr::read(register);
    }

    let noted_cap = account.noted_cap();
    let kind = match noted_cap {
        None => kind_of(&own),
        Some(cap) => Kind {
            has_pat: own.has_pat(),
            cap,
        },
    };
    let types = &reference.memory_types;
    types.compare(kind, msr::read, found, |register| lacks.insert(register));
    let is_to_tell = differs.iter().any(Register::is_memory_type) || !lacks.is_empty();
    if is_to_tell && noted_cap.is_none() {
        account.note_limits(kind.cap, physical_bits());
    }
    account.close(differs, lacks, now);
}

fn set_control(register: Register, found: u64, wanted: u64) {
    if wanted != found {
        // SAFETY: what is added to the register is on on the BSP, whose page tables and code this CPU
        // shares, and this CPU's CPUID has it; what is taken away is off there.
        unsafe { msr::write(register, wanted) };
    }
}

/// Makes this CPU differ from the BSP.
fn make(reference: &Reference, flaw: &FaultKind) {
    // SAFETY: the change is one that nothing notices: debugging extensions that nobody uses, an entry
    // of the PAT that no page uses, a memory type where there is no memory.
    let write = |register, value| unsafe { msr::write(register, value) };
    match flaw {
        FaultKind::Cr4 => {
            let debugging_extensions = Cr4Flags::DEBUGGING_EXTENSIONS.bits();
            write(
                Register::CR4,
                msr::read(Register::CR4) ^ debugging_extensions,
            );
        }
        FaultKind::Pat => write(
            Register::PAT,
            memory_types::flawed_pat(msr::read(Register::PAT)),
        ),
        FaultKind::Mtrr => {
            let changes = reference.memory_types.flaw().into_iter().flatten();
            changes
                .flatten()
                .for_each(|(register, value)| write(register, value));
        }
        _ => {}
    }
}

/// What this CPU, which says this of itself, has of PAT and MTRRs.
fn kind_of(own: &Own) -> Kind {
    Kind {
        has_pat: own.has_pat(),
        cap: own.has_mtrrs().then(|| Cap(msr::read_number(Cap::MSR))),
    }
}

/// The width of this CPU's physical addresses (SDM volume 2, CPUID.80000008H).
fn physical_bits() -> u8 {
    const UNTOLD: u8 = 36;
    match ThisCpu.extended(0x8000_0008, 0).eax as u8 {
        0 => UNTOLD,
        bits => bits,
    }
}
