//! What the words of a syntax stand for.
//!
//! How a command is written is told once, in the table: what is completed, and what an error says of it,
//! is read from there.

use alloc::vec::Vec;
use core::fmt;

use reveille_smp::strategy::Strategy;
use strum::VariantNames;

/// What stands in a place of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// CPUs, of those that can go and come.
    List,
    /// A state in which a CPU can be left, by its name.
    State,
    /// A step of the ladder, by its name.
    Step,
    /// A way of bringing CPUs up, by its name.
    Strategy,
    /// How often, from 1.
    N,
    /// How long, from 1.
    Seconds,
    /// The CPU that calls.
    From,
    /// The CPU that is called.
    To,
    /// What runs behind, by its number.
    Job,
    /// The name of a command.
    Command,
    /// One of these words, with a `|` between them.
    Words(&'static str),
}

impl Argument {
    /// The arguments of a syntax, in their order, those that can be left out too.
    pub fn of(syntax: &'static str) -> impl Iterator<Item = Self> {
        let words = syntax.split(' ').skip(1);
        words.map(|word| Self::named(word.trim_matches(['[', ']'])))
    }

    /// The one that is written so in a syntax. What is no name there is the words themselves.
    fn named(name: &'static str) -> Self {
        match name {
            "LIST" => Self::List,
            "STATE" => Self::State,
            "STEP" => Self::Step,
            "STRATEGY" => Self::Strategy,
            "N" => Self::N,
            "SECONDS" => Self::Seconds,
            "FROM" => Self::From,
            "TO" => Self::To,
            "JOB" => Self::Job,
            "COMMAND" => Self::Command,
            words => Self::Words(words),
        }
    }

    /// What can be written in its place, where its name does not say it.
    pub fn meaning(self) -> Option<Meaning> {
        (!matches!(self, Self::Words(_))).then_some(Meaning(self))
    }

    /// The words that can stand in its place, as far as they are the same on every machine.
    pub fn words(self) -> Vec<&'static str> {
        match self {
            Self::Strategy => Strategy::VARIANTS.to_vec(),
            Self::Words(words) => words.split('|').collect(),
            _ => Vec::new(),
        }
    }
}

/// As in a syntax.
impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "LIST",
            Self::State => "STATE",
            Self::Step => "STEP",
            Self::Strategy => "STRATEGY",
            Self::N => "N",
            Self::Seconds => "SECONDS",
            Self::From => "FROM",
            Self::To => "TO",
            Self::Job => "JOB",
            Self::Command => "COMMAND",
            Self::Words(words) => words,
        })
    }
}

/// What an argument is, in words.
#[derive(Clone, Copy, Debug)]
pub struct Meaning(Argument);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(argument) = self;
        write!(f, "{argument} is ")?;
        match argument {
            Argument::List => f.write_str("CPUs as in `1-3,5`, or `all`"),
            Argument::State => f.write_str("a state that `states` lists"),
            Argument::Step => f.write_str("a step that `states` lists"),
            Argument::Strategy => f.write_str(&Strategy::VARIANTS.join("|")),
            Argument::N => f.write_str("a number from 1"),
            Argument::Seconds => f.write_str("a number from 1"),
            Argument::From | Argument::To => f.write_str("the number of a CPU"),
            Argument::Job => f.write_str("a number that `jobs` lists"),
            Argument::Command => f.write_str("a command that `help` lists"),
            Argument::Words(words) => f.write_str(words),
        }
    }
}
