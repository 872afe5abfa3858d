//! Who knows how a word may go on.

use alloc::{string::String, vec::Vec};

/// Completes a line.
pub trait Completer {
    /// How the last word of `before` may go on, which is all that is typed before the cursor.
    fn complete(&self, before: &str) -> Completion;
}

/// What a word may become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where it begins, in bytes.
    pub start: usize,
    /// What can stand there instead; what does not begin with what is typed is left out.
    pub candidates: Vec<String>,
    /// More may follow without a space, so none is put behind the only candidate.
    pub goes_on: bool,
}

impl Completion {
    /// The candidates for the word that is typed from [`start`](Self::start) on; none if nothing begins
    /// there.
    pub(super) fn of(self, before: &str) -> (&str, Vec<String>) {
        let Some(word) = before.get(self.start..) else {
            return ("", Vec::new());
        };
        let mut candidates = self.candidates;
        candidates.retain(|candidate| candidate.starts_with(word));
        (word, candidates)
    }
}

/// What all candidates begin with.
pub(super) fn common_prefix(candidates: &[String]) -> &str {
    let Some((first, others)) = candidates.split_first() else {
        return "";
    };
    let common = |other: &String| {
        let pairs = first.char_indices().zip(other.chars());
        let mut same = pairs.take_while(|((_, a), b)| a == b);
        same.by_ref()
            .last()
            .map_or(0, |((at, a), _)| at + a.len_utf8())
    };
    let length = others.iter().map(common).min().unwrap_or(first.len());
    &first[..length]
}

/// Knows nothing: for a terminal that does not edit, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCompletion;

impl Completer for NoCompletion {
    fn complete(&self, _: &str) -> Completion {
        Completion::default()
    }
}
