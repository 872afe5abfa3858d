//! The step `stack`: whether the main stack of a CPU was large enough, and how deep it is used.
//!
//! A canary at the low end tells of a stack that was full, short of its guard page. It is all that
//! the way up has time for: each page that is touched for each CPU is felt where there are hundreds.
//! When the CPU goes down, marks are left all along its stack, and the next time it goes down one
//! sees which of them are gone.

use core::sync::atomic::{AtomicU64, Ordering};

use linkme::distributed_slice;
use reveille_smp::step::{Run, Section, Site, Step, StepError};

use super::untouched::{self, PATTERN};
use crate::{
    ladder::STEPS,
    percpu::{PerCpu, StackBounds},
};

/// How many marks a stack has, the canary among them: one a page.
const MARKS: u64 = 16;

#[distributed_slice(STEPS)]
static STACK: &dyn Step = &GuardStack;

/// The stack has its canary, and had it still when the CPU went.
struct GuardStack;

impl Step for GuardStack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    fn rank(&self) -> u16 {
        10
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.map(|area| put(area.stacks().main.bottom)).into()
    }

    fn down<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.and_then(|area| area.stack_use().note(area.stacks().main))
            .into()
    }
}

/// How deep a CPU has ever used its main stack.
///
/// Relaxed: a statistic of whoever drives the CPU.
#[derive(Debug)]
pub struct StackUse(AtomicU64);

/// The stack has no marks yet.
const NO_MARKS: u64 = u64::MAX;

impl StackUse {
    /// Not known.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NO_MARKS))
    }

    /// Bytes, rounded up to whole distances of marks, as of when the CPU last went down; `None`
    /// before it has done so twice.
    ///
    /// A frame that leaves room for what it does not write may lie across a mark and spare it.
    pub fn bytes(&self) -> Option<u64> {
        let bytes = self.0.load(Ordering::Relaxed);
        (bytes > 0 && bytes != NO_MARKS).then_some(bytes)
    }

    /// To be called when nobody is on the stack any more.
    fn note(&self, stack: StackBounds) -> Result<(), StepError> {
        if !is_whole(&stack.bottom) {
            // Told once: else the CPU could never go down again.
            put(stack.bottom);
            return Err(StepError::Corrupted);
        }
        let before = match self.0.load(Ordering::Relaxed) {
            NO_MARKS => 0,
            before => before.max(depth(stack)),
        };
        self.0.store(before, Ordering::Relaxed);
        marks(stack).for_each(put);
        Ok(())
    }
}

/// How deep the stack was used since it was marked, at most: as far as to the mark below the lowest
/// one that is gone.
fn depth(stack: StackBounds) -> u64 {
    let untouched = marks(stack).take_while(is_whole).last();
    stack.top - untouched.unwrap_or(stack.bottom)
}

/// Where the marks are, lowest first.
fn marks(stack: StackBounds) -> impl Iterator<Item = u64> {
    let distance = (stack.top - stack.bottom) / MARKS;
    (0..MARKS).map(move |number| stack.bottom + number * distance)
}

fn put(mark: u64) {
    word(mark).store(PATTERN, Ordering::Relaxed);
}

fn is_whole(mark: &u64) -> bool {
    word(*mark).load(Ordering::Relaxed) == PATTERN
}

fn word(mark: u64) -> &'static AtomicU64 {
    // SAFETY: stacks are whole pages, mapped and writable for good, and so are their marks; whoever
    // is to be on the stack is down, for only then are steps of the first section run.
    unsafe { untouched::word(mark) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 words, and so a mark each 32 bytes.
    fn stack() -> StackBounds {
        let words: &mut [u64] = Box::leak(vec![0; 64].into_boxed_slice());
        let range = words.as_mut_ptr_range();
        StackBounds {
            bottom: range.start.expose_provenance() as u64,
            top: range.end.expose_provenance() as u64,
        }
    }

    /// Uses the stack down to so many bytes.
    fn push(stack: StackBounds, bytes: u64) {
        for address in (stack.top - bytes..stack.top).step_by(8) {
            word(address).store(7, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_depth_is_told_to_the_next_mark_from_the_second_way_down_on() {
        let (stack, stack_use) = (stack(), StackUse::new());
        put(stack.bottom);
        push(stack, 200);
        stack_use.note(stack).unwrap();
        assert_eq!(stack_use.bytes(), None);
        for (used, told) in [(24, 32), (40, 64), (8, 64), (456, 480)] {
            put(stack.bottom);
            push(stack, used);
            stack_use.note(stack).unwrap();
            assert_eq!(stack_use.bytes(), Some(told), "{used} bytes used");
        }
    }

    #[test]
    fn a_stack_that_was_used_to_its_end_is_found_damaged_once() {
        let (stack, stack_use) = (stack(), StackUse::new());
        put(stack.bottom);
        push(stack, 512);
        assert_eq!(stack_use.note(stack), Err(StepError::Corrupted));
        assert_eq!(stack_use.note(stack), Ok(()));
    }
}
