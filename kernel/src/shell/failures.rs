//! What went wrong in a script, for its verdict: the first, and how many there were.

#![forbid(unsafe_code)]

use alloc::string::String;
use core::fmt;

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
                *failures = Some(Self {
                    first: String::from(text),
                    count: 1,
                });
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
    use std::string::ToString;

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
}
