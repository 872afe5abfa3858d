//! The APs of this machine that are to fail, and the proof that those which fail before they may
//! use their stack have not.

use alloc::vec::Vec;
use core::fmt;

use reveille_smp::{bringup::Ap, cpu::CpuIndex, state::Stage};
use reveille_trampoline::Directory;

use super::{ap::ApContext, machine::Hardware, untouched::Untouched};
use crate::faults::{Fault, FaultError, FaultKind, Problem};

/// The APs that fail before they use their stack.
pub struct Faulty {
    aps: Vec<FaultyAp>,
    machine: Hardware,
    directory: Directory,
}

struct FaultyAp {
    ap: &'static Ap,
    kind: FaultKind,
    stack: Untouched,
}

impl Faulty {
    /// Tells the trampoline of the faults that strike there, and fills the stacks of their APs. To
    /// be called before any AP is kicked.
    pub(super) fn set_up(
        contexts: &'static [ApContext],
        machine: Hardware,
        directory: Directory,
    ) -> Result<Self, FaultError> {
        let mut aps = Vec::new();
        let tsc_hz = machine.clock.tsc_hz();
        for context in contexts {
            let ap = context.ap();
            let Some(kind) = &context.fault else { continue };
            let Some(fault) = kind.on_the_trampoline(tsc_hz) else {
                continue;
            };
            machine
                .trampoline
                .set_fault(directory, ap.apic_id.0, Some(fault))
                .map_err(|error| FaultError {
                    fault: Fault {
                        cpu: ap.cpu,
                        kind: kind.clone(),
                    },
                    problem: Problem::Trampoline(error),
                })?;
            aps.push(FaultyAp {
                ap,
                kind: kind.clone(),
                // SAFETY: stacks are never unmapped, and this one's AP was not kicked yet.
                stack: unsafe { Untouched::fill(context.area.stacks().main) },
            });
        }
        Ok(Self {
            aps,
            machine,
            directory,
        })
    }

    /// To be called after each attempt, the first of which has number 0, and before the next: looks
    /// whether an AP that had to leave its stack alone did so. Behind the first attempt, late APs
    /// are late no more.
    ///
    /// # Errors
    ///
    /// [`StackTouched`] names the first AP that did not.
    pub fn after_attempt(&self, attempt: u32) -> Result<(), StackTouched> {
        let checked = self
            .aps
            .iter()
            .filter(|faulty| faulty.must_leave_its_stack_alone(attempt))
            .try_for_each(FaultyAp::check);
        let is_late = |faulty: &&FaultyAp| matches!(faulty.kind, FaultKind::Late(_));
        for FaultyAp { ap, .. } in self.aps.iter().filter(is_late) {
            // It was accepted when it was set, so it can be taken back.
            let _ = self
                .machine
                .trampoline
                .set_fault(self.directory, ap.apic_id.0, None);
        }
        checked
    }
}

impl FaultyAp {
    /// A late AP may use its stack once it has claimed it: in its first attempt when it was not
    /// given up, and later in any case. All others never come so far.
    fn must_leave_its_stack_alone(&self, attempt: u32) -> bool {
        let was_given_up = || {
            let stage = self.ap.slot.state().load().stage();
            matches!(stage, Stage::GivenUp | Stage::Late)
        };
        !matches!(self.kind, FaultKind::Late(_)) || (attempt == 0 && was_given_up())
    }

    fn check(&self) -> Result<(), StackTouched> {
        match self.stack.first_touched() {
            None => Ok(()),
            Some(address) => Err(StackTouched {
                cpu: self.ap.cpu,
                address,
            }),
        }
    }
}

/// An AP wrote to a stack that was not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackTouched {
    /// The AP.
    pub cpu: CpuIndex,
    /// Where.
    pub address: u64,
}

impl fmt::Display for StackTouched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, address } = self;
        write!(
            f,
            "the stack of CPU {cpu} was touched at {address:#x}, though the CPU had to leave it alone"
        )
    }
}

impl core::error::Error for StackTouched {}
