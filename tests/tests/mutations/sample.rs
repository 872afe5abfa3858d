//! Which of the mutations are tried: all, or every N-th.

use std::env;

/// Every `step`-th mutation, from the one with the number `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    first: usize,
    step: usize,
}

/// What asks for a sample.
const VARIABLE: &str = "GUARDS_SAMPLE";

impl Sample {
    const ALL: Self = Self { first: 0, step: 1 };

    /// The one that the environment asks for, as `I/N`.
    pub(crate) fn asked_for() -> Self {
        match env::var(VARIABLE) {
            Ok(text) => Self::parse(&text)
                .unwrap_or_else(|| panic!("{VARIABLE}={text}: it is I/N, with I less than N")),
            Err(_) => Self::ALL,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, step) = text.split_once('/')?;
        let (first, step) = (first.parse().ok()?, step.parse().ok()?);
        (first < step).then_some(Self { first, step })
    }

    /// Its part of all these.
    pub(crate) fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.first).step_by(self.step)
    }
}

#[test]
fn the_samples_of_one_size_together_are_all_there_are() {
    let sample = |text| Sample::parse(text).unwrap().of(0..10).collect::<Vec<_>>();
    assert_eq!(sample("0/4"), [0, 4, 8]);
    assert_eq!(sample("3/4"), [3, 7]);
    let mut together: Vec<_> = ["0/4", "1/4", "2/4", "3/4"].map(sample).concat();
    together.sort_unstable();
    assert!(together.into_iter().eq(Sample::ALL.of(0..10)));
    for wrong in ["4/4", "0/0", "1", "a/b", "-1/2", "1/2/3"] {
        assert_eq!(Sample::parse(wrong), None, "{wrong}");
    }
}
