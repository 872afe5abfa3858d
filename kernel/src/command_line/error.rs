//! Why a command line is not taken, in words that say what would be.

#![forbid(unsafe_code)]

use alloc::string::String;
use core::fmt;

use super::keys::KEYS;

/// A word of the command line that cannot be taken. Its text says what can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The word as it stands on the command line.
    pub word: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a word of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has no `=`.
    NoValue,
    /// Its key is none of the known ones.
    UnknownKey,
    /// Its key was given before, and may be given once.
    GivenTwice,
    /// Its value is not what the key takes.
    BadValue,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::NoValue => "has no value",
            Problem::UnknownKey => "has an unknown key",
            Problem::GivenTwice => "gives a key again that may be given once",
            Problem::BadValue => "has a value that its key does not take",
        };
        write!(f, "command line: `{}` {problem}; ", self.word)?;
        let name = self.word.split('=').next();
        if let Some(key) = KEYS.iter().find(|key| Some(key.name) == name) {
            return write!(f, "it is {key}");
        }
        write!(f, "the keys are")?;
        KEYS.iter().try_for_each(|key| write!(f, " {key}"))
    }
}

impl core::error::Error for OptionError {}
