//! The figures that were measured beside those that are committed.
//!
//! The gate is shut by a rise of more than 2 %, and by whatever would let a later rise pass: a fall of more than
//! 2 % that is not committed, a figure that is not committed at all, and one that nobody measures any more.
//! Smaller moves pass; they are measured from what is committed, so many of them add up to a rise.

use super::figures::{Figures, MadeWith};

/// By how many hundredths of what is committed a figure may move.
pub(super) const TOLERANCE: u64 = 2;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Figures that are both measured and committed.
    pub compared: usize,
    /// Those of them that moved, but by no more than is let pass.
    pub moved: usize,
    /// What keeps the gate shut, in the order of what was measured; what is gone comes last.
    pub findings: Vec<Finding>,
    /// What both were made with, where that differs.
    pub made_with: Option<Differently>,
}

/// Figures are made with something else than the committed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differently {
    /// The committed ones.
    pub was: MadeWith,
    /// Those measured.
    pub is: MadeWith,
}

/// A figure that keeps the gate shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which machine.
    pub section: String,
    /// Which figure.
    pub figure: String,
    /// What became of it.
    pub kind: Kind,
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is worse by more than is let pass.
    Rise {
        /// What is committed.
        was: u64,
        /// What was measured.
        is: u64,
    },
    /// It is better by as much.
    Fall {
        /// What is committed.
        was: u64,
        /// What was measured.
        is: u64,
    },
    /// It is not committed.
    New {
        /// What was measured.
        is: u64,
    },
    /// It is committed, and was not measured.
    Gone {
        /// What is committed.
        was: u64,
    },
}

impl Comparison {
    /// Compares what was measured with what is committed.
    pub fn of(committed: &Figures, measured: &Figures) -> Self {
        let (mut compared, mut moved, mut findings) = (0, 0, Vec::new());
        let mut find = |section: &str, figure: &str, kind| {
            findings.push(Finding {
                section: section.to_owned(),
                figure: figure.to_owned(),
                kind,
            });
        };
        for (section, figure) in measured.iter() {
            let is = figure.value;
            let Some(was) = committed.get(section, &figure.name) else {
                find(section, &figure.name, Kind::New { is });
                continue;
            };
            compared += 1;
            if !exceeds(is.abs_diff(was), was) {
                moved += usize::from(is != was);
            } else if is > was {
                find(section, &figure.name, Kind::Rise { was, is });
            } else {
                find(section, &figure.name, Kind::Fall { was, is });
            }
        }
        for (section, figure) in committed.iter() {
            if measured.get(section, &figure.name).is_none() {
                let was = figure.value;
                find(section, &figure.name, Kind::Gone { was });
            }
        }
        let (was, is) = (committed.made_with.clone(), measured.made_with.clone());
        Self {
            compared,
            moved,
            findings,
            made_with: (was != is).then_some(Differently { was, is }),
        }
    }

    /// Whether a change may pass.
    pub fn is_open(&self) -> bool {
        self.findings.is_empty()
    }

    /// Those that are worse.
    pub fn rises(&self) -> impl Iterator<Item = &Finding> {
        let is_rise = |it: &&Finding| matches!(it.kind, Kind::Rise { .. });
        self.findings.iter().filter(is_rise)
    }
}

/// Whether a difference is more than is let pass; where nothing is committed, each one is.
fn exceeds(difference: u64, was: u64) -> bool {
    u128::from(difference) * 100 > u128::from(was) * u128::from(TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::{super::figures::tests::figures, *};

    fn found(was: u64, is: u64) -> Option<Kind> {
        let of = |value| figures(&[("a machine", &[("polls", value)])]);
        let comparison = Comparison::of(&of(was), &of(is));
        assert_eq!(comparison.compared, 1);
        assert_eq!(comparison.is_open(), comparison.findings.is_empty());
        comparison.findings.first().map(|finding| finding.kind)
    }

    #[test]
    fn two_per_cent_pass_and_one_more_does_not() {
        assert_eq!(found(100, 100), None);
        assert_eq!(found(100, 102), None);
        assert_eq!(found(100, 98), None);
        assert_eq!(found(100, 103), Some(Kind::Rise { was: 100, is: 103 }));
        assert_eq!(found(100, 97), Some(Kind::Fall { was: 100, is: 97 }));
        assert_eq!(found(49, 50), Some(Kind::Rise { was: 49, is: 50 }));
        assert_eq!(found(50, 51), None);
        let (was, is) = (u64::MAX / 100 * 98, u64::MAX);
        assert_eq!(found(was, is), Some(Kind::Rise { was, is }));
    }

    #[test]
    fn from_nothing_every_rise_is_one() {
        assert_eq!(found(0, 0), None);
        assert_eq!(found(0, 1), Some(Kind::Rise { was: 0, is: 1 }));
        assert_eq!(found(1, 0), Some(Kind::Fall { was: 1, is: 0 }));
    }

    #[test]
    fn small_rises_add_up_to_one_that_is_seen() {
        let committed = 1000;
        let shut = (1..).find(|changes| found(committed, committed + 15 * changes).is_some());
        assert_eq!(shut, Some(2));
    }

    #[test]
    fn a_figure_that_is_new_or_gone_keeps_the_gate_shut() {
        let committed = figures(&[("one", &[("a", 1), ("b", 2)]), ("two", &[("a", 3)])]);
        let measured = figures(&[("one", &[("a", 1), ("c", 4)]), ("three", &[("a", 3)])]);
        let comparison = Comparison::of(&committed, &measured);
        assert!(!comparison.is_open());
        assert_eq!(comparison.compared, 1);
        let finding = |section: &str, figure: &str, kind| Finding {
            section: section.to_owned(),
            figure: figure.to_owned(),
            kind,
        };
        assert_eq!(
            comparison.findings,
            [
                finding("one", "c", Kind::New { is: 4 }),
                finding("three", "a", Kind::New { is: 3 }),
                finding("one", "b", Kind::Gone { was: 2 }),
                finding("two", "a", Kind::Gone { was: 3 }),
            ]
        );
    }
}
