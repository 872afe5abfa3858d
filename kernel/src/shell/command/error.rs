//! A line that cannot be run, and what would be right.

use alloc::{string::String, vec::Vec};
use core::fmt;

use reveille_smp::cpu::CpuIndex;

use super::{Argument, COMMANDS, Entry};

/// Why a line is not run. Its text says what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The command, where it is one.
    pub entry: Option<&'static Entry>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such command.
    UnknownCommand(String),
    /// `&` has no command before it.
    NothingBehind,
    /// What must be there is not.
    Missing(Argument),
    /// A word is not what must be there.
    Unsuitable {
        /// The word.
        word: String,
        /// What must be there.
        argument: Argument,
    },
    /// A word has no place.
    Misplaced(String),
    /// A CPU would call itself.
    SameCpu(CpuIndex),
    /// It cannot run behind.
    NeedsTerminal,
}

impl CommandError {
    pub(super) fn unknown(name: &str) -> Self {
        Self {
            entry: None,
            problem: Problem::UnknownCommand(name.into()),
        }
    }

    pub(super) fn nothing_behind() -> Self {
        Self {
            entry: None,
            problem: Problem::NothingBehind,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = self.entry {
            write!(f, "{}: ", entry.name)?;
        }
        match &self.problem {
            Problem::UnknownCommand(name) => write!(f, "`{}` is no command", Shown(name))?,
            Problem::NothingBehind => {
                write!(f, "`&` stands behind a command, as in `torture 60 &`")?
            }
            Problem::Missing(argument) => write!(f, "{argument} is missing")?,
            Problem::Unsuitable { word, argument } => {
                write!(f, "`{}` stands where {argument} belongs", Shown(word))?;
            }
            Problem::Misplaced(word) => write!(f, "`{}` has no place here", Shown(word))?,
            Problem::SameCpu(cpu) => write!(f, "CPU {cpu} does not call itself")?,
            Problem::NeedsTerminal => write!(f, "it needs the screen and cannot run behind")?,
        }
        match (self.entry, &self.problem) {
            (None, _) | (_, Problem::UnknownCommand(_)) => {
                let names: Vec<_> = COMMANDS.iter().map(|entry| entry.name).collect();
                write!(f, "; the commands are {}", names.join(", "))
            }
            (Some(entry), _) => write!(f, "; it is {}", entry.usage()),
        }
    }
}

impl core::error::Error for CommandError {}

/// A word that somebody typed: no more of it than fits into a line.
struct Shown<'a>(&'a str);

/// As many characters of a word are shown.
const MOST_SHOWN: usize = 40;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for char in chars.by_ref().take(MOST_SHOWN) {
            let is_shown = !char.is_control();
            write!(
                f,
                "{}",
                if is_shown {
                    char
                } else {
                    char::REPLACEMENT_CHARACTER
                }
            )?;
        }
        match chars.next() {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}
