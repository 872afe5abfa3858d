//! A stack filled with a pattern, to show that nobody has used it.

use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::percpu::StackBounds;

/// What an untouched stack holds: no address, no small number.
pub(super) const PATTERN: u64 = 0x5eed_a5a5_5a5a_deed;

/// A stack that nobody may use, full of a pattern.
pub struct Untouched {
    stack: StackBounds,
}

impl Untouched {
    /// Fills a stack.
    ///
    /// # Safety
    ///
    /// The stack is mapped and writable for good, and nothing on it is in use.
    pub unsafe fn fill(stack: StackBounds) -> Self {
        let filled = Self { stack };
        for word in filled.words() {
            word.store(PATTERN, Ordering::Relaxed);
        }
        filled
    }

    /// The address of the highest word that is not as it was filled, if there is one.
    pub fn first_touched(&self) -> Option<u64> {
        let touched = |word: &&AtomicU64| word.load(Ordering::Relaxed) != PATTERN;
        let word = self.words().rev().find(touched)?;
        Some(ptr::from_ref(word).addr() as u64)
    }

    /// All words, as atomics: whoever touches them wrongly may do so right now.
    fn words(&self) -> impl DoubleEndedIterator<Item = &AtomicU64> {
        let addresses = self.stack.bottom as usize..self.stack.top as usize;
        let addresses = addresses.step_by(size_of::<AtomicU64>());
        addresses.map(|address| {
            // SAFETY: `fill`'s caller vouches for the memory; a stack's bounds are multiples of 16;
            // nobody but us may look at it otherwise.
            unsafe { word(address as u64) }
        })
    }
}

/// The word at this address, as an atomic.
///
/// # Safety
///
/// It lies on a stack, which is mapped and writable for good, on a multiple of 8, and nobody uses it
/// but by this function.
pub(super) unsafe fn word(address: u64) -> &'static AtomicU64 {
    let word = ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: as promised to us.
    unsafe { AtomicU64::from_ptr(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(words: &mut [u64]) -> StackBounds {
        let range = words.as_mut_ptr_range();
        StackBounds {
            bottom: range.start.expose_provenance() as u64,
            top: range.end.expose_provenance() as u64,
        }
    }

    #[test]
    fn a_word_that_changes_anywhere_on_the_stack_is_found_the_highest_first() {
        let words: &mut [u64] = Box::leak(vec![0; 64].into_boxed_slice());
        let stack = stack(words);
        // SAFETY: the words are this test's alone and are never freed.
        let untouched = unsafe { Untouched::fill(stack) };
        assert_eq!(untouched.first_touched(), None);
        for at in [stack.bottom, stack.bottom + 8 * 40, stack.top - 8] {
            // SAFETY: a word of the stack, as above.
            unsafe { word(at) }.store(1, Ordering::Relaxed);
            assert_eq!(untouched.first_touched(), Some(at));
        }
    }
}
