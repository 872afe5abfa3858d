//! A Linux that is not up in time. That is a result: how long it took at least. It costs the whole limit, so it is
//! not tried again on that machine, not even by a session that goes on with the results of another.
//!
//! It is told by how the reason of a failure begins, so that results need no field for it. A boot that was not made
//! for it says so, and counts for nothing.

use std::{cell::RefCell, time::Duration};

use super::plan::{Subject, View};
use crate::bench::{
    cell::Machine,
    results::{Key, Outcome, Results, Run},
};

/// How the reason begins where a Linux was not up in time.
const LATE: &str = "late: ";

/// And where it was not booted, as an earlier boot was late.
const NOT_TRIED: &str = "not tried: ";

/// What came of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it was for.
    Ok,
    /// It was not up in time.
    Late,
    /// It was not made, as another was late.
    NotTried,
    /// It broke.
    Failed,
}

impl Fate {
    /// Of a line of results.
    pub fn of(run: &Run) -> Self {
        match &run.outcome {
            Outcome::Ok => Self::Ok,
            // A boot that was made took some time.
            Outcome::Failed(why) if why.starts_with(LATE) && run.elapsed_ns > 0 => Self::Late,
            Outcome::Failed(why) if why.starts_with(LATE) || why.starts_with(NOT_TRIED) => {
                Self::NotTried
            }
            Outcome::Failed(_) => Self::Failed,
        }
    }
}

/// Why a boot is late.
pub(super) fn late(within: Duration, begun: bool) -> Outcome {
    let begun = if begun { "had begun, and was " } else { "" };
    Outcome::Failed(format!("{LATE}{begun}not up in {} s", within.as_secs_f64()))
}

/// Those that are known not to be up in time.
pub struct Late {
    limit: Duration,
    known: RefCell<Vec<(String, Machine, u32)>>,
}

impl Late {
    /// Those of earlier boots, of which each had at least `limit`.
    pub fn known(runs: &[Run], limit: Duration) -> Self {
        let late = Self {
            limit,
            known: RefCell::default(),
        };
        for run in runs {
            late.learn(run);
        }
        late
    }

    /// Takes a boot into account. One with a trace takes longer, and says nothing of the others.
    pub(super) fn learn(&self, run: &Run) {
        let had_all = Duration::from_nanos(run.elapsed_ns) >= self.limit;
        let is_plain = Subject::named(&run.system).is_some_and(|it| it.view == View::Plain);
        if Fate::of(run) == Fate::Late && had_all && is_plain {
            let this = (run.system.clone(), run.machine.clone(), run.run);
            self.known.borrow_mut().push(this);
        }
    }

    /// Why a Linux need not be booted on a machine, from whatever side.
    pub(super) fn why_not(&self, key: Key<'_>) -> Option<Outcome> {
        let plain = Subject::named(key.system)?.seen(View::Plain).to_string();
        let known = self.known.borrow();
        let mut known = known.iter();
        let (.., run) = known.find(|it| it.0 == plain && it.1 == *key.machine)?;
        let why = format!("{NOT_TRIED}it was late in boot {run}");
        Some(Outcome::Failed(why))
    }

    /// Whether a boot needs not be made, with what is there: it did what it was for, or it is late and had as long
    /// as it would have now, or it would not be tried in any case and that is written down.
    pub fn is_settled(&self, results: &Results, key: Key<'_>) -> bool {
        results.find(key).is_some_and(|run| match Fate::of(run) {
            Fate::Ok => true,
            Fate::Late => Duration::from_nanos(run.elapsed_ns) >= self.limit,
            Fate::NotTried => self.why_not(key).is_some(),
            Fate::Failed => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::report::tests::{self, linux},
        *,
    };
    use crate::bench::results::tests::header;

    const LIMIT: Duration = Duration::from_secs(60);
    const SYSTEM: &str = "linux-6.12.95 parallel";

    fn boot(system: &str, number: u32, outcome: Outcome, took: Duration) -> Run {
        Run {
            run: number,
            outcome,
            elapsed_ns: took.as_nanos() as u64,
            ..linux(system, false, 1)
        }
    }

    #[test]
    fn a_session_that_goes_on_does_not_try_again_what_was_late_with_as_long_a_limit() {
        let mut results = Results::new(header());
        let late_one = tests::late(SYSTEM, 1);
        results.add(late_one.clone());
        results.add(boot(SYSTEM, 2, Outcome::Failed("QEMU".to_owned()), LIMIT));
        let late = Late::known(&results.runs, LIMIT);
        assert!(late.is_settled(&results, late_one.key()));
        assert_eq!(results.find(late_one.key()), Some(&late_one));
        let key = |run, system: &'static str| Key {
            run,
            system,
            machine: &late_one.machine,
        };
        // What broke is tried again, or told not to be.
        assert!(!late.is_settled(&results, key(2, SYSTEM)));
        assert!(!late.is_settled(&results, key(3, SYSTEM)));
        let why = late.why_not(key(2, SYSTEM)).expect("it was late");
        assert_eq!(
            why,
            Outcome::Failed("not tried: it was late in boot 1".to_owned())
        );
        results.add(boot(SYSTEM, 2, why, Duration::ZERO));
        assert!(late.is_settled(&results, key(2, SYSTEM)));
        assert!(
            late.why_not(key(1, "linux-6.12.95 parallel, traced by itself"))
                .is_some()
        );
        assert_eq!(late.why_not(key(1, "linux-6.12.95 serial")), None);
        // With more time it may be up.
        let longer = Late::known(&results.runs, LIMIT * 2);
        assert_eq!(longer.why_not(key(2, SYSTEM)), None);
        assert!(!longer.is_settled(&results, key(1, SYSTEM)));
        assert!(!longer.is_settled(&results, key(2, SYSTEM)));
    }

    #[test]
    fn a_trace_that_is_late_says_nothing_of_boots_without() {
        let traced = tests::late("linux-6.12.95 parallel, traced by QEMU", 1);
        let late = Late::known(std::slice::from_ref(&traced), LIMIT);
        let plain = Key {
            system: SYSTEM,
            ..traced.key()
        };
        assert_eq!(late.why_not(plain), None);
        let mut results = Results::new(header());
        results.add(traced.clone());
        assert!(late.is_settled(&results, traced.key()));
    }

    #[test]
    fn what_came_of_a_boot_is_told_by_its_line() {
        let fate = |why: &str, took| {
            let outcome = Outcome::Failed(why.to_owned());
            Fate::of(&boot(SYSTEM, 1, outcome, took))
        };
        assert_eq!(Fate::of(&tests::late(SYSTEM, 1)), Fate::Late);
        assert_eq!(fate("late: not up in 60 s", LIMIT), Fate::Late);
        // A line of a boot that was never made may have the reason of the one that was.
        assert_eq!(fate("late: not up in 60 s", Duration::ZERO), Fate::NotTried);
        assert_eq!(
            fate("not tried: it was late", Duration::ZERO),
            Fate::NotTried
        );
        assert_eq!(fate("Kernel panic", LIMIT), Fate::Failed);
        assert_eq!(Fate::of(&linux(SYSTEM, false, 1)), Fate::Ok);
    }
}
