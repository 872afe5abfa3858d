//! Joining results that several hosts, or several times, have measured of one plan.

use std::fmt;

use super::{Header, Results, Run};

/// Results of several files.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The header of the first, for the whole plan.
    pub header: Header,
    /// The boots of all, file by file. One from another host than the first file's names it.
    pub runs: Vec<Run>,
    /// Boots that are in several files: the first that is ok is kept.
    pub duplicates: Vec<String>,
    /// Boots of the plan that are in none, or in none as ok.
    pub missing: Vec<String>,
}

/// A header that does not go with the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Which of the files, from 0.
    pub file: usize,
    /// The field.
    pub field: &'static str,
    /// What the first file has there.
    pub first: String,
    /// What this one has.
    pub this: String,
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field, first, this, ..
        } = self;
        write!(f, "`{field}` is {this}, and {first} in the first file")
    }
}

impl std::error::Error for Differs {}

/// Joins files of which the headers agree but for time, command, host and shard.
///
/// # Errors
///
/// Two of them do not: what they measured is not to be compared.
pub fn merge(files: Vec<Results>) -> Result<Merged, Differs> {
    let _ = files;
    todo!()
}
