//! The step `stack`: marks on the main stack of a CPU that is down, by which one can tell how deep
//! the stack has been used, and whether it was too small.
//!
//! Marks are written and checked while nobody is on the stack. They are few, for they are on the way
//! of every bring-up: the lowest one is the canary that a stack which has run full must have killed,
//! short of its guard page; the others divide the stack evenly.

use core::sync::atomic::{AtomicU64, Ordering};

use linkme::distributed_slice;
use reveille_smp::{
    cpu::CpuIndex,
    step::{Run, Section, Step, StepError},
};

use super::untouched::{self, PATTERN};
use crate::{
    ladder::STEPS,
    percpu::{PerCpu, StackBounds},
};

/// How many marks a stack has.
const MARKS: u64 = 8;

#[distributed_slice(STEPS)]
static STACK: &dyn Step = &MarkStack;

/// The stack is marked, and looked at when nobody is on it any more.
struct MarkStack;

impl Step for MarkStack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    fn rank(&self) -> u16 {
        10
    }

    fn up(&self, cpu: CpuIndex) -> Run<'_> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.map(|area| mark(area.stacks().main)).into()
    }

    fn down(&self, cpu: CpuIndex) -> Run<'_> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.and_then(|area| area.stack_use().note(area.stacks().main))
            .into()
    }
}

/// How deep a CPU has ever used its main stack.
///
/// Relaxed: a statistic.
#[derive(Debug)]
pub struct StackUse(AtomicU64);

impl StackUse {
    /// Not at all.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Bytes, rounded up to the next mark, up to the CPU's last way down; 0 before the first.
    ///
    /// A frame that leaves room for what it does not write may lie across a mark and spare it.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, stack: StackBounds) -> Result<(), StepError> {
        self.0.fetch_max(depth(stack)?, Ordering::Relaxed);
        Ok(())
    }
}

/// To be called while nobody is on the stack.
fn mark(stack: StackBounds) {
    for mark in marks(stack) {
        word(mark).store(PATTERN, Ordering::Relaxed);
    }
}

/// How deep the stack was used since it was marked, when nobody is on it any more: as far as to the mark below the lowest one that
/// is gone.
fn depth(stack: StackBounds) -> Result<u64, StepError> {
    let is_whole = |&mark: &u64| word(mark).load(Ordering::Relaxed) == PATTERN;
    let untouched = marks(stack).take_while(is_whole).last();
    let untouched = untouched.ok_or(StepError::Corrupted)?;
    Ok(stack.top - untouched)
}

fn word(mark: u64) -> &'static AtomicU64 {
    // SAFETY: stacks are whole pages, mapped and writable for good, and so are their marks; whoever
    // is to be on the stack is down, for only then are steps of the first section run.
    unsafe { untouched::word(mark) }
}

/// Where the marks are, lowest first.
fn marks(stack: StackBounds) -> impl Iterator<Item = u64> {
    let distance = (stack.top - stack.bottom) / MARKS;
    (0..MARKS).map(move |number| stack.bottom + number * distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked() -> StackBounds {
        let words: &mut [u64] = Box::leak(vec![0; 64].into_boxed_slice());
        let range = words.as_mut_ptr_range();
        let stack = StackBounds {
            bottom: range.start.expose_provenance() as u64,
            top: range.end.expose_provenance() as u64,
        };
        mark(stack);
        stack
    }

    /// Uses the stack down to so many bytes.
    fn push(stack: StackBounds, bytes: u64) {
        for address in (stack.top - bytes..stack.top).step_by(8) {
            word(address).store(7, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_depth_is_told_to_the_next_mark() {
        let stack = marked();
        assert_eq!(depth(stack), Ok(64));
        for (used, told) in [(56, 64), (64, 128), (120, 128), (448, 512)] {
            push(stack, used);
            assert_eq!(depth(stack), Ok(told), "{used} bytes used");
        }
    }

    #[test]
    fn a_stack_that_was_used_to_its_end_is_found_damaged_and_its_use_is_kept() {
        let stack = marked();
        let stack_use = StackUse::new();
        push(stack, 200);
        stack_use.note(stack).unwrap();
        assert_eq!(stack_use.bytes(), 256);
        push(stack, 512);
        assert_eq!(stack_use.note(stack), Err(StepError::Corrupted));
        mark(stack);
        stack_use.note(stack).unwrap();
        assert_eq!(stack_use.bytes(), 256);
    }
}
