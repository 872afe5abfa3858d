//! The kernel's words about a crash, or about a CPU that does not answer, with the names of the code that
//! its addresses are in.
//!
//! The kernel prints numbers, as it has no names: the RIP of an exception, and the return
//! addresses up its stack, one a line, with a count where there are several equal ones. The names
//! are in its image, and so on this side.

use crate::kernel::Kernel;

/// How the kernel's line about the interrupted code begins.
const RIP: &str = "RIP ";

/// How its line about a frame begins.
const CALLED_FROM: &str = "called from ";

/// An AP starts below this address (SDM volume 3, "MP Initialization"): code there is the
/// trampoline's.
const LOW_MEMORY_END: u64 = 1 << 20;

/// The frames that `console` shows, innermost first, named.
pub fn named(console: &str, kernel: &Kernel) -> Vec<String> {
    let frames = console.lines().filter_map(|line| Frame::read(line.trim()));
    frames.map(|frame| frame.name(kernel)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// The instruction that raised the exception.
    At(u64),
    /// The instruction after a call, in so many frames behind each other.
    CalledFrom(u64, u32),
}

impl Frame {
    fn read(line: &str) -> Option<Self> {
        let address = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
        if let Some(rest) = line.strip_prefix(RIP) {
            return Some(Self::At(address(rest.split_whitespace().next()?)?));
        }
        let rest = line.strip_prefix(CALLED_FROM)?;
        let (word, times) = match rest.split_once(" (") {
            Some((word, count)) => (word, count.strip_suffix(" times)")?.parse().ok()?),
            None => (rest, 1),
        };
        Some(Self::CalledFrom(address(word)?, times))
    }

    fn name(self, kernel: &Kernel) -> String {
        let (address, times) = match self {
            Self::At(address) => return format!("at {}", kernel.place(address)),
            Self::CalledFrom(address, times) => (address, times),
        };
        let place = if address < LOW_MEMORY_END {
            format!("{address:#x} in the trampoline")
        } else {
            kernel.place_of_call(address)
        };
        match times {
            1 => format!("{CALLED_FROM}{place}"),
            times => format!("{CALLED_FROM}{place} ({times} times)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_from_other_lines() {
        let rip = "RIP 00000000002218d4  RSP ffff80000019fc70";
        assert_eq!(Frame::read(rip), Some(Frame::At(0x2218d4)));
        let call = "called from 0x000000000009d152";
        assert_eq!(Frame::read(call), Some(Frame::CalledFrom(0x9d152, 1)));
        let calls = "called from 0x000000000021f5b1 (117 times)";
        assert_eq!(Frame::read(calls), Some(Frame::CalledFrom(0x21f5b1, 117)));
        for other in [
            "RSI 0000000000000000",
            "called from nowhere",
            "called from 0x000000000021f5b1 (many times)",
            "called from 0x000000000021f5b1 (117",
        ] {
            assert_eq!(Frame::read(other), None, "{other}");
        }
    }
}
