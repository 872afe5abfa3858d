//! The kernel's last words about a crash, with the names of the code that its addresses are in.
//!
//! The kernel prints numbers, as it has no names: the RIP of an exception, and the return
//! addresses up its stack, one a line. The names are in its image, and so on this side.

use crate::kernel::Kernel;

/// How the kernel's line about the interrupted code begins.
const RIP: &str = "RIP ";

/// How its line about a frame begins.
const CALLED_FROM: &str = "called from ";

/// An AP starts below this address (SDM volume 3, "MP Initialization"): code there is the
/// trampoline's.
const LOW_MEMORY_END: u64 = 1 << 20;

/// The frames that `console` shows, innermost first, named and with equal ones together.
pub fn named(console: &str, kernel: &Kernel) -> Vec<String> {
    let frames = console.lines().filter_map(|line| Frame::read(line.trim()));
    let frames: Vec<Frame> = frames.collect();
    frames
        .chunk_by(PartialEq::eq)
        .map(|equal| {
            let text = equal[0].name(kernel);
            match equal.len() {
                1 => text,
                times => format!("{text} ({times} times)"),
            }
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// The instruction that raised the exception.
    At(u64),
    /// The instruction after a call.
    CalledFrom(u64),
}

impl Frame {
    fn read(line: &str) -> Option<Self> {
        let number = |text: &str| {
            let word = text.split_whitespace().next()?;
            u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
        };
        if let Some(rest) = line.strip_prefix(RIP) {
            Some(Self::At(number(rest)?))
        } else {
            Some(Self::CalledFrom(number(line.strip_prefix(CALLED_FROM)?)?))
        }
    }

    fn name(self, kernel: &Kernel) -> String {
        match self {
            Self::At(address) => format!("at {}", kernel.place(address)),
            Self::CalledFrom(address) if address < LOW_MEMORY_END => {
                format!("{CALLED_FROM}{address:#x} in the trampoline")
            }
            Self::CalledFrom(address) => {
                format!("{CALLED_FROM}{}", kernel.place_of_call(address))
            }
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
        assert_eq!(Frame::read(call), Some(Frame::CalledFrom(0x9d152)));
        assert_eq!(Frame::read("RSI 0000000000000000"), None);
        assert_eq!(Frame::read("called from nowhere"), None);
    }
}
