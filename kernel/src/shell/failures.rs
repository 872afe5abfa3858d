//! What went wrong in a script, for its verdict: the first, and how many there were.

#![forbid(unsafe_code)]

use alloc::string::String;
use core::fmt;

/// Characters of the first that are told: enough to know it by.
const TOLD: usize = 40;

/// At least one line that was refused, or command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    first: String,
    count: usize,
}

impl Failures {
    /// Adds one; `text` is what was asked for.
    pub fn add(failures: &mut Option<Self>, text: &str) {
        match failures {
            Some(failures) => failures.count += 1,
            None => {
                let mut first: String = text.chars().take(TOLD).collect();
                if first.len() < text.len() {
                    first.push('…');
                }
                *failures = Some(Self { first, count: 1 });
            }
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, count } = self;
        match count {
            1 => write!(f, "`{first}` went wrong"),
            _ => write!(f, "{count} commands went wrong, `{first}` first"),
        }
    }
}

impl core::error::Error for Failures {}

#[cfg(test)]
mod tests {
    use std::{format, string::ToString};

    use super::*;

    #[test]
    fn the_first_is_named_and_all_are_counted() {
        let mut failures = None;
        Failures::add(&mut failures, "oflnie 1");
        assert_eq!(
            failures.clone().unwrap().to_string(),
            "`oflnie 1` went wrong"
        );
        Failures::add(&mut failures, "online 99");
        let told = failures.unwrap().to_string();
        assert_eq!(told, "2 commands went wrong, `oflnie 1` first");
    }

    #[test]
    fn of_a_long_one_the_beginning_is_told() {
        let told = |text: &str| {
            let mut failures = None;
            Failures::add(&mut failures, text);
            failures.unwrap().to_string()
        };
        assert_eq!(
            told(&"ä".repeat(40)),
            format!("`{}` went wrong", "ä".repeat(40))
        );
        assert_eq!(
            told(&"ä".repeat(41)),
            format!("`{}…` went wrong", "ä".repeat(40))
        );
    }
}
