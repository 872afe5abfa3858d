//! The words of a line, each read as what stands in its place.

use alloc::borrow::ToOwned;
use core::{iter::Peekable, num::NonZero, str::SplitWhitespace};

use reveille_smp::{cpu::CpuIndex, selection::Smt, step::Direction, strategy::Strategy};

use super::{Argument, Entry, JobNumber, Pair, Problem, TraceAsked, Verdict};
use crate::{command_line::number, operations::op::Which};

/// What is left of a line.
pub(super) struct Words<'a>(Peekable<SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self(line.split_whitespace().peekable())
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next word, which must be there and be what `read` takes.
    fn required<T>(
        &mut self,
        argument: Argument,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Problem> {
        let word = self.next().ok_or(Problem::Missing(argument))?;
        read(word).ok_or_else(|| Problem::Unsuitable {
            word: word.to_owned(),
            argument,
        })
    }

    /// The next word, if there is one and `read` takes it.
    fn optional<T>(&mut self, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let value = read(self.0.peek()?)?;
        self.0.next();
        Some(value)
    }

    pub(super) fn list(&mut self) -> Result<Which, Problem> {
        self.required(Argument::List, |word| word.parse().ok())
    }

    /// The name of a state or of a step; the machine knows which there are.
    pub(super) fn name(&mut self, argument: Argument) -> Result<&'a str, Problem> {
        self.required(argument, Some)
    }

    pub(super) fn direction(&mut self) -> Direction {
        let direction = self.optional(|word| match word {
            "up" => Some(Direction::Up),
            "down" => Some(Direction::Down),
            _ => None,
        });
        direction.unwrap_or(Direction::Up)
    }

    pub(super) fn smt(&mut self) -> Result<Smt, Problem> {
        self.required(Argument::Words("on|off"), |word| word.parse().ok())
    }

    pub(super) fn strategy(&mut self) -> Option<Strategy> {
        self.optional(|word| word.parse().ok())
    }

    /// A number from 1, or the one that stands for none.
    pub(super) fn count_or(&mut self, default: NonZero<u32>) -> NonZero<u32> {
        self.optional(positive).unwrap_or(default)
    }

    /// One pair, or none.
    pub(super) fn pair(&mut self) -> Result<Option<Pair>, Problem> {
        if self.0.peek().is_none() {
            return Ok(None);
        }
        let from = self.required(Argument::From, cpu)?;
        let to = self.required(Argument::To, cpu)?;
        if from == to {
            return Err(Problem::SameCpu(from));
        }
        let samples = self.optional(positive);
        Ok(Some(Pair { from, to, samples }))
    }

    pub(super) fn trace(&mut self) -> Result<TraceAsked, Problem> {
        self.required(Argument::Words("on|off|show"), |word| match word {
            "on" => Some(TraceAsked::On),
            "off" => Some(TraceAsked::Off),
            "show" => Some(TraceAsked::Show),
            _ => None,
        })
    }

    pub(super) fn job(&mut self) -> Option<JobNumber> {
        self.optional(|word| number(word).map(JobNumber))
    }

    pub(super) fn verdict(&mut self) -> Option<Verdict> {
        self.optional(|word| match word {
            "ok" => Some(Verdict::Ok),
            "failed" => Some(Verdict::Failed),
            _ => None,
        })
    }

    pub(super) fn command(&mut self) -> Result<Option<&'static Entry>, Problem> {
        match self.next() {
            None => Ok(None),
            Some(name) => match Entry::find(name) {
                Some(entry) => Ok(Some(entry)),
                None => Err(Problem::UnknownCommand(name.to_owned())),
            },
        }
    }
}

fn positive(word: &str) -> Option<NonZero<u32>> {
    number(word).and_then(NonZero::new)
}

fn cpu(word: &str) -> Option<CpuIndex> {
    number(word).map(CpuIndex)
}

pub(super) fn smt_name(smt: Smt) -> &'static str {
    match smt {
        Smt::On => "on",
        Smt::Off => "off",
    }
}
