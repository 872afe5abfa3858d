//! Back traces by frame pointers, for when something has gone wrong already.
//!
//! The walk reads only what lies on a known stack of this CPU, only upwards, and only so many
//! frames: whatever the frame pointers have been overwritten with, it ends and never faults.

use core::{arch::asm, fmt, ptr};

use crate::percpu::{PerCpu, StackBounds};

/// No call of this kernel is that deep.
const MOST_FRAMES: usize = 32;

/// A frame: the caller's frame pointer, and the address that it goes on at.
const FRAME_BYTES: u64 = 16;

/// The return addresses up from a frame, printed one a line.
#[derive(Clone, Copy, Debug)]
pub struct Backtrace {
    frame_pointer: u64,
}

impl Backtrace {
    /// The callers of the function that calls this.
    #[inline(always)]
    pub fn here() -> Self {
        let frame_pointer;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, rbp", out(reg) frame_pointer, options(nomem, nostack)) };
        Self { frame_pointer }
    }

    /// The callers of the function whose frame pointer this is.
    pub fn from(frame_pointer: u64) -> Self {
        Self { frame_pointer }
    }
}

impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A CPU without area has no known stack, and so no back trace.
        let stacks = PerCpu::try_current().map_or([None; 4], |cpu| {
            cpu.stacks().all().map(|(_, stack)| Some(stack))
        });
        for address in walk(self.frame_pointer, &stacks).take(MOST_FRAMES) {
            writeln!(f, "  called from {address:#018x}")?;
        }
        Ok(())
    }
}

fn walk(frame_pointer: u64, stacks: &[Option<StackBounds>]) -> impl Iterator<Item = u64> {
    let stack = stacks
        .iter()
        .flatten()
        .copied()
        .find(|stack| stack.contains(frame_pointer, FRAME_BYTES));
    let mut frame_pointer = frame_pointer;
    core::iter::from_fn(move || {
        let stack = stack?;
        if !frame_pointer.is_multiple_of(8) || !stack.contains(frame_pointer, FRAME_BYTES) {
            return None;
        }
        let frame = ptr::with_exposed_provenance::<u64>(frame_pointer as usize);
        // SAFETY: both words are aligned and on a stack of this CPU, which is mapped for good.
        // Whatever they hold, it is only compared and printed.
        let (caller, return_address) =
            unsafe { (frame.read_volatile(), frame.add(1).read_volatile()) };
        // The outermost frame has no caller.
        if return_address == 0 {
            return None;
        }
        // A caller's frame lies above: anything else would be a loop, and ends the walk.
        frame_pointer = if caller > frame_pointer { caller } else { 0 };
        Some(return_address)
    })
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    /// A stack of words; frame pointers are given as indices of words and made into addresses.
    fn walk_over(words: &mut [u64], frames: &[(usize, usize)], start: usize) -> Vec<u64> {
        let bottom = words.as_mut_ptr().expose_provenance() as u64;
        for (at, caller) in frames {
            words[*at] = bottom + *caller as u64 * 8;
        }
        let stack = StackBounds {
            bottom,
            top: bottom + words.len() as u64 * 8,
        };
        walk(bottom + start as u64 * 8, &[None, Some(stack)])
            .take(MOST_FRAMES)
            .collect()
    }

    #[test]
    fn the_callers_come_innermost_first() {
        let mut words = vec![0; 16];
        (words[3], words[7], words[12]) = (0xaaa, 0xbbb, 0xccc);
        assert_eq!(
            walk_over(&mut words, &[(2, 6), (6, 11)], 2),
            [0xaaa, 0xbbb, 0xccc]
        );
    }

    #[test]
    fn a_zero_return_address_ends_the_walk() {
        let mut words = vec![0; 16];
        words[3] = 0xaaa;
        assert_eq!(walk_over(&mut words, &[(2, 6), (6, 11)], 2), [0xaaa]);
    }

    #[test]
    fn frame_pointers_that_lead_off_the_stack_or_back_end_the_walk() {
        for wild in [1 << 40, 14 * 8 + 4, 15] {
            let mut words = vec![0xaaa; 16];
            words[2] = words.as_ptr().addr() as u64 + wild;
            assert_eq!(walk_over(&mut words, &[], 2), [0xaaa], "{wild}");
        }
        // Two frames that call each other.
        let mut words = vec![0xaaa; 16];
        assert_eq!(walk_over(&mut words, &[(2, 6), (6, 2)], 2).len(), 2);
    }

    #[test]
    fn without_a_known_stack_nothing_is_read() {
        assert_eq!(walk(0x10, &[None; 4]).count(), 0);
        assert_eq!(
            walk(
                u64::MAX - 7,
                &[Some(StackBounds {
                    bottom: 0,
                    top: u64::MAX
                })]
            )
            .count(),
            0
        );
    }
}
