//! Back traces by frame pointers, for when something has gone wrong already.
//!
//! The walk reads only what lies on a known stack of this CPU, and only upwards: whatever the frame
//! pointers have been overwritten with, it ends and never faults. Frames with one return address
//! behind each other are one line, so that a recursion that filled the stack does not hide who
//! began it.

use core::{arch::asm, fmt, iter, ptr};

use crate::percpu::{PerCpu, StackBounds};

/// No chain of calls in this kernel has that many different links.
const MOST_LINES: usize = 32;

/// A frame: the caller's frame pointer, and the address that it goes on at.
const FRAME_BYTES: u64 = 16;

/// The return addresses up from a frame, printed one a line, equal ones together.
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
        write_lines(f, walk(self.frame_pointer, &known_stacks()))
    }
}

/// Where the functions return to whose frames lie up from a frame, innermost first. It neither
/// allocates nor waits, and may be asked in an NMI.
pub fn returns_from(frame_pointer: u64) -> impl Iterator<Item = u64> {
    walk(frame_pointer, &known_stacks())
}

/// Return addresses, innermost first, printed one a line, equal ones together: what another CPU told
/// of itself.
pub fn write_lines(
    f: &mut impl fmt::Write,
    return_addresses: impl Iterator<Item = u64>,
) -> fmt::Result {
    folded(return_addresses)
        .take(MOST_LINES)
        .try_for_each(|line| writeln!(f, "  {line}"))
}

/// The stacks of this CPU. One without area has no known stack, and so no back trace.
fn known_stacks() -> [Option<StackBounds>; 4] {
    PerCpu::try_current().map_or([None; 4], |cpu| {
        cpu.stacks().all().map(|(_, stack)| Some(stack))
    })
}

/// Frames behind each other that return to the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    return_address: u64,
    times: usize,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "called from {:#018x}", self.return_address)?;
        match self.times {
            1 => Ok(()),
            times => write!(f, " ({times} times)"),
        }
    }
}

fn folded(return_addresses: impl Iterator<Item = u64>) -> impl Iterator<Item = Line> {
    let mut return_addresses = return_addresses.peekable();
    iter::from_fn(move || {
        let return_address = return_addresses.next()?;
        let mut times = 1;
        while return_addresses.next_if_eq(&return_address).is_some() {
            times += 1;
        }
        Some(Line {
            return_address,
            times,
        })
    })
}

fn walk(frame_pointer: u64, stacks: &[Option<StackBounds>]) -> impl Iterator<Item = u64> + use<> {
    let stack = stacks
        .iter()
        .flatten()
        .copied()
        .find(|stack| stack.contains(frame_pointer, FRAME_BYTES));
    let mut frame_pointer = frame_pointer;
    iter::from_fn(move || {
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
    use std::{string::ToString, vec, vec::Vec};

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
        walk(bottom + start as u64 * 8, &[None, Some(stack)]).collect()
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
    fn equal_return_addresses_behind_each_other_are_one_line_with_their_number() {
        let lines = |addresses: &[u64]| -> Vec<_> {
            let lines = folded(addresses.iter().copied());
            lines
                .map(|line| (line.return_address, line.times))
                .collect()
        };
        assert_eq!(lines(&[]), []);
        assert_eq!(
            lines(&[0xa, 0xa, 0xa, 0xb, 0xa]),
            [(0xa, 3), (0xb, 1), (0xa, 1)]
        );
        let mut deep = vec![0xa; 100_000];
        deep.push(0xb);
        assert_eq!(lines(&deep), [(0xa, 100_000), (0xb, 1)]);
    }

    #[test]
    fn a_line_says_how_often_where_that_is_more_than_once() {
        let line = |times| {
            let return_address = 0x21_f5b1;
            Line {
                return_address,
                times,
            }
            .to_string()
        };
        assert_eq!(line(1), "called from 0x000000000021f5b1");
        assert_eq!(line(117), "called from 0x000000000021f5b1 (117 times)");
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
