//! The loop of every benchmark: a boot, its line on the disk, the next boot.
//!
//! **No end takes away what was measured.** A boot that fails is a line, and the others go on. One that
//! somebody ends proves nothing and leaves no line. A line that the disk does not take ends the loop, and
//! is handed back.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    estimate::Estimate,
    host::Load,
    results::{Key, Outcome, Results, Run, Unwritten, Writer},
};
use crate::interrupt::Interrupts;

/// A boot that is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What is booted.
    pub key: Key<'a>,
    /// What it is reckoned to take.
    pub cost: Duration,
}

/// Who is told how it goes.
pub trait Watch {
    /// A boot begins, and so many are behind; all will have ended by then, as far as can be told.
    fn begins(&mut self, key: Key<'_>, behind: usize, end: Instant);
    /// It has ended, and counts.
    fn ended(&mut self, run: &Run);
}

/// How the loop ended.
#[derive(Debug)]
pub enum End {
    /// Nothing is left to be done.
    Done,
    /// Somebody ended it, by this signal.
    Interrupted(i32),
    /// The disk does not take a line.
    Unwritten(Unwritten),
}

/// Boots one after the other, and adds what they give to `results` and its file. `boot` makes a run of a key;
/// where it cannot, that is a boot that failed.
///
/// Tasks that are among the results as ok are left out, so it can go on where an earlier one ended.
///
/// # Cancellation
///
/// `interrupts` end it behind the boot that runs. That one should hear of them too, and counts only if
/// it had done all before it did.
pub fn measure<'a>(
    tasks: impl IntoIterator<Item = Task<'a>>,
    results: &mut Results,
    writer: &mut Writer,
    interrupts: &Interrupts,
    watch: &mut impl Watch,
    mut boot: impl FnMut(Key<'a>) -> Result<Run>,
) -> End {
    let is_left = |task: &Task<'_>| !results.find(task.key).is_some_and(Run::is_ok);
    let tasks: Vec<_> = tasks.into_iter().filter(is_left).collect();
    let mut estimate = Estimate::default();
    for (behind, task) in tasks.iter().enumerate() {
        if let Some(signal) = interrupts.received() {
            return End::Interrupted(signal);
        }
        let begun = Instant::now();
        watch.begins(task.key, behind, begun + estimate.of(&tasks[behind..]));
        let run = boot(task.key).unwrap_or_else(|error| failed(task.key, &error, begun.elapsed()));
        if let Some(signal) = interrupts.received()
            && !run.is_ok()
        {
            return End::Interrupted(signal);
        }
        estimate.took(task, begun.elapsed());
        watch.ended(&run);
        let written = writer.add(&run);
        results.add(run);
        if let Err(unwritten) = written {
            return End::Unwritten(unwritten);
        }
    }
    End::Done
}

/// A boot that did not come to be one.
fn failed(key: Key<'_>, error: &anyhow::Error, elapsed: Duration) -> Run {
    Run {
        system: key.system.to_owned(),
        machine: key.machine.clone(),
        run: key.run,
        outcome: Outcome::Failed(format!("{error:#}")),
        elapsed_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        boot_online_ns: None,
        load: Load::default(),
        host: None,
        samples: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::results::tests::{header, run},
        *,
    };

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Watch for Seen {
        fn begins(&mut self, key: Key<'_>, behind: usize, end: Instant) {
            assert!(end > Instant::now() - Duration::from_secs(60));
            self.0.push(format!("{behind}: {key}"));
        }

        fn ended(&mut self, run: &Run) {
            self.0.push(format!("{:?}", run.outcome));
        }
    }

    /// What is measured when `boot` runs, and what comes of it.
    fn measured(
        results: &mut Results,
        writer: &mut Writer,
        interrupts: &Interrupts,
        boot: impl FnMut(Key<'_>) -> Result<Run>,
    ) -> (End, Vec<String>) {
        let header = header();
        let tasks = header.keys().map(|key| Task {
            key,
            cost: Duration::from_secs(1),
        });
        let mut seen = Seen::default();
        let end = measure(tasks, results, writer, interrupts, &mut seen, boot);
        (end, seen.0)
    }

    fn begun() -> (tempfile::TempDir, Results, Writer) {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = Writer::create(folder.path(), &header()).expect("it can be written");
        let results = Results::read(folder.path()).expect("it is whole");
        (folder, results, writer)
    }

    fn good(key: Key<'_>) -> Result<Run> {
        Ok(run(key.machine.smp.cpus(), key.run))
    }

    #[test]
    fn a_boot_that_fails_is_kept_the_others_go_on_and_it_is_tried_again_later() {
        let (folder, mut results, mut writer) = begun();
        let never = Interrupts::default();
        let boot = |key: Key<'_>| match (key.machine.smp.cpus(), key.run) {
            (8, 1) => anyhow::bail!("no QEMU"),
            _ => good(key),
        };
        let (end, seen) = measured(&mut results, &mut writer, &never, boot);
        assert!(matches!(end, End::Done));
        assert_eq!(seen.len(), 8);
        assert_eq!(seen[2..4], ["1: q35 tcg 8, run 1", r#"Failed("no QEMU")"#]);
        assert_eq!(results.ok_runs().count(), 3);
        assert_eq!(
            Results::read(folder.path()).expect("it is whole").runs,
            results.runs
        );
        let (end, seen) = measured(&mut results, &mut writer, &never, good);
        assert!(matches!(end, End::Done));
        assert_eq!(seen, ["0: q35 tcg 8, run 1", "Ok"]);
        assert_eq!(results.ok_runs().count(), 4);
    }

    #[test]
    fn the_boot_that_somebody_ends_proves_nothing_and_what_was_before_it_stays() {
        let (folder, mut results, mut writer) = begun();
        let interrupts = Interrupts::default();
        let boot = |key: Key<'_>| match (key.machine.smp.cpus(), key.run) {
            (2, 2) => {
                interrupts.receive(2);
                anyhow::bail!("interrupted")
            }
            _ => good(key),
        };
        let (end, seen) = measured(&mut results, &mut writer, &interrupts, boot);
        assert!(matches!(end, End::Interrupted(2)));
        assert_eq!(seen.len(), 5, "{seen:?}");
        assert_eq!(
            Results::read(folder.path())
                .expect("it is whole")
                .runs
                .len(),
            2
        );
        let (end, seen) = measured(&mut results, &mut writer, &interrupts, good);
        assert!(matches!(end, End::Interrupted(2)));
        assert!(seen.is_empty(), "nothing begins any more");
    }

    #[test]
    fn a_boot_that_was_whole_before_the_signal_came_counts() {
        let (_folder, mut results, mut writer) = begun();
        let interrupts = Interrupts::default();
        let boot = |key: Key<'_>| {
            interrupts.receive(2);
            good(key)
        };
        let (end, _) = measured(&mut results, &mut writer, &interrupts, boot);
        assert!(matches!(end, End::Interrupted(2)));
        assert_eq!(results.runs.len(), 1);
    }
}
