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

/// What Tab does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proposal {
    /// Nothing: no word is known that begins so.
    Nothing,
    /// All words go on with this.
    More {
        /// May be empty, where the only word is typed already.
        text: String,
        /// There is one word only, and nothing goes on behind it.
        is_whole: bool,
    },
    /// They go on differently.
    Candidates(Vec<String>),
}

impl Completion {
    /// What it means behind `before`.
    pub(super) fn proposal(self, before: &str) -> Proposal {
        let Some(word) = before.get(self.start..) else {
            return Proposal::Nothing;
        };
        let mut candidates = self.candidates;
        candidates.retain(|candidate| candidate.starts_with(word));
        let Some(text) = common_prefix(&candidates).and_then(|it| it.strip_prefix(word)) else {
            return Proposal::Nothing;
        };
        if text.is_empty() && candidates.len() > 1 {
            return Proposal::Candidates(candidates);
        }
        Proposal::More {
            text: String::from(text),
            is_whole: candidates.len() == 1 && !self.goes_on,
        }
    }
}

/// What all words begin with, if there are any.
fn common_prefix(words: &[String]) -> Option<&str> {
    let (first, others) = words.split_first()?;
    let common = |other: &String| {
        let pairs = first.char_indices().zip(other.chars());
        let same = pairs.take_while(|((_, a), b)| a == b);
        same.last().map_or(0, |((at, a), _)| at + a.len_utf8())
    };
    let length = others.iter().map(common).min().unwrap_or(first.len());
    Some(&first[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(before: &str, start: usize, candidates: &[&str]) -> Proposal {
        let completion = Completion {
            start,
            candidates: candidates.iter().map(|&it| it.into()).collect(),
            goes_on: false,
        };
        completion.proposal(before)
    }

    fn more(text: &str, is_whole: bool) -> Proposal {
        Proposal::More {
            text: text.into(),
            is_whole,
        }
    }

    #[test]
    fn what_all_words_go_on_with_is_proposed_in_whole_characters() {
        assert_eq!(proposal("t", 0, &["torture"]), more("orture", true));
        assert_eq!(proposal("tr", 0, &["trace", "track"]), more("ac", false));
        assert_eq!(proposal("jobs", 0, &["jobs"]), more("", true));
        // These go on with the same byte, and not with the same character.
        assert_eq!(proposal("", 0, &["né", "nè"]), more("n", false));
        let both = Proposal::Candidates(vec!["né".into(), "nè".into()]);
        assert_eq!(proposal("n", 0, &["né", "nè"]), both);
    }

    #[test]
    fn what_does_not_begin_with_what_is_typed_is_not_proposed() {
        assert_eq!(proposal("smt of", 4, &["on", "off"]), more("f", true));
        assert_eq!(proposal("smt x", 4, &["on", "off"]), Proposal::Nothing);
        assert_eq!(proposal("x", 0, &[]), Proposal::Nothing);
        // Nothing begins there.
        for nowhere in [6, 1] {
            assert_eq!(proposal("é on", nowhere, &["on"]), Proposal::Nothing);
        }
    }

    #[test]
    fn a_list_may_go_on_behind_its_only_candidate() {
        let completion = Completion {
            start: 0,
            candidates: vec!["12".into()],
            goes_on: true,
        };
        assert_eq!(completion.proposal("1"), more("2", false));
    }
}
