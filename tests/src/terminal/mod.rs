//! A person, or a script, at the kernel's shell: `cargo xtask run --shell`.
//!
//! ```text
//! standard input ─▶ keyboard ─▶ the guest's console ─▶ screen ─▶ standard output
//!                     keys: which bytes are ours
//!                     typed: which of them the guest may have
//! ```
//!
//! Where both ends are a terminal, it is in raw mode while the guest runs ([`raw`]): the kernel edits the
//! line, and every key is its own, but Ctrl-]. However the run ends, the terminal is as it was before:
//! its settings, and what the guest had switched on ([`screen`]). Where one end is a pipe or a file, the
//! bytes go through as they are, and the end of the input is Ctrl-D. What follows a `reboot` there is for the
//! guest that comes next ([`typed`]).
//!
//! Nothing is typed before the guest shows its prompt: what a UART receives while it is set up may be
//! gone.

pub mod keyboard;
pub mod keys;
pub mod look;
pub mod raw;
pub mod screen;
pub mod text;
pub mod typed;

use std::io::{self, IsTerminal};

/// What the shell shows when it reads a line.
pub const PROMPT: &str = "reveille> ";

/// What is at the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// A person at a terminal.
    Terminal,
    /// At least one of them is a pipe or a file: no escape sequences, and every byte is the guest's.
    Plain,
}

impl Ends {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            Self::Terminal
        } else {
            Self::Plain
        }
    }
}
