//! The commands that run, each a task of the executor: one in front, for which the prompt's lines wait, and
//! others behind it.
//!
//! ```text
//!            ┌──────────▶ in front ──── Ctrl-C, and it does not end at once ──┐
//!   start ───┤                │                                               ▼
//!            └── COMMAND & ───┼──────────────────────────────────────────▶ behind ──▶ ended
//!                             └───────────────────────────────────────────────────────▶
//! ```
//!
//! **No task is ever aborted.** A command that is interrupted is told so, and ends by itself where CPUs can
//! be left (`interruption.rs`); until then it has its place here, and goes on behind.

#![forbid(unsafe_code)]

use alloc::{collections::VecDeque, format, rc::Rc, string::String, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    task::{Poll, Waker},
};

use reveille_executor::{SpawnError, Spawner};

use super::command::JobNumber;
use crate::interruption::Interruption;

/// As many commands run at once. Each takes a slot of the executor.
pub const MOST: usize = 9;

/// What a command came to: nothing more to say, or what went wrong.
pub type Outcome = Result<(), String>;

/// The commands that run. Clones mean the same ones.
#[derive(Clone, Debug, Default)]
pub struct Jobs(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// In the order in which they were started.
    running: RefCell<Vec<Job>>,
    /// How many were started.
    started: Cell<u64>,
    /// Those of which nobody has heard yet.
    ended: RefCell<VecDeque<(Id, Outcome)>>,
    /// Who wants to hear.
    waiting: RefCell<Option<Waker>>,
}

/// Tells commands apart, also those that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u64);

#[derive(Debug)]
struct Job {
    id: Id,
    text: String,
    place: Place,
    interruption: Interruption,
}

/// Where a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Lines wait for it.
    Front,
    /// Nobody waits for it. People name it by its number.
    Behind(JobNumber),
}

/// A command that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// As it was asked for.
    pub text: String,
    /// Where it ran.
    pub place: Place,
    /// What it came to.
    pub outcome: Outcome,
    /// Whether it was told to end early.
    pub was_interrupted: bool,
}

impl Jobs {
    /// Starts a command in front, or behind, and gives its place. `run` makes its future.
    ///
    /// # Errors
    ///
    /// [`NotStarted`]; then nothing runs.
    pub fn start<F: Future<Output = Outcome> + 'static>(
        &self,
        spawner: &Spawner,
        text: String,
        behind: bool,
        run: impl FnOnce(Id, Interruption) -> F,
    ) -> Result<Place, NotStarted> {
        let mut running = self.0.running.borrow_mut();
        if running.len() >= MOST {
            return Err(NotStarted::TooMany);
        }
        let id = Id(self.0.started.get());
        let interruption = Interruption::new();
        let (future, jobs) = (run(id, interruption.clone()), self.clone());
        spawner
            .spawn(async move {
                let outcome = future.await;
                jobs.has_ended(id, outcome);
            })
            .map_err(NotStarted::NoTask)?;
        self.0.started.set(id.0 + 1);
        let place = match behind {
            true => Place::Behind(free_number(&running)),
            false => Place::Front,
        };
        running.push(Job {
            id,
            text,
            place,
            interruption,
        });
        Ok(place)
    }

    /// Waits until a command has ended, and takes it out.
    ///
    /// # Cancellation
    ///
    /// What has ended is told by the next call.
    pub async fn ended(&self) -> Finished {
        poll_fn(|context| {
            self.0.waiting.replace(Some(context.waker().clone()));
            loop {
                let Some((id, outcome)) = self.0.ended.borrow_mut().pop_front() else {
                    return Poll::Pending;
                };
                if let Some(job) = self.take(id) {
                    return Poll::Ready(Finished {
                        text: job.text,
                        place: job.place,
                        outcome,
                        was_interrupted: job.interruption.is_asked(),
                    });
                }
            }
        })
        .await
    }

    /// Whether a command runs in front.
    pub fn has_front(&self) -> bool {
        let running = self.0.running.borrow();
        running.iter().any(|job| job.place == Place::Front)
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.0.running.borrow().is_empty()
    }

    /// Tells the command in front to end; `false` if there is none, or it has been told before.
    pub fn interrupt_front(&self) -> bool {
        let running = self.0.running.borrow();
        let front = running.iter().find(|job| job.place == Place::Front);
        front.is_some_and(|job| {
            let is_first = !job.interruption.is_asked();
            job.interruption.ask();
            is_first
        })
    }

    /// The command in front goes on behind, under this number and name.
    pub fn send_behind(&self) -> Option<(JobNumber, String)> {
        let mut running = self.0.running.borrow_mut();
        let number = free_number(&running);
        let front = running.iter_mut().find(|job| job.place == Place::Front)?;
        front.place = Place::Behind(number);
        Some((number, front.text.clone()))
    }

    /// Tells a command behind to end, or the one that was started last.
    ///
    /// # Errors
    ///
    /// [`NoSuchJob`] has those that there are.
    pub fn kill(&self, number: Option<JobNumber>) -> Result<JobNumber, NoSuchJob> {
        let running = self.0.running.borrow();
        let mut behind = running.iter().rev().filter_map(|job| match job.place {
            Place::Behind(its) => Some((its, job)),
            Place::Front => None,
        });
        let found = behind.find(|&(its, _)| number.is_none_or(|number| number == its));
        let Some((number, job)) = found else {
            drop(running);
            return Err(NoSuchJob(self.numbers()));
        };
        job.interruption.ask();
        Ok(number)
    }

    /// Tells all of them to end, and says how many there are.
    pub fn interrupt_all(&self) -> usize {
        let running = self.0.running.borrow();
        running.iter().for_each(|job| job.interruption.ask());
        running.len()
    }

    /// The numbers of those behind, lowest first.
    pub fn numbers(&self) -> Vec<JobNumber> {
        let running = self.0.running.borrow();
        let mut numbers: Vec<_> = running.iter().filter_map(Job::number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// All but the one with this id, as people name them.
    pub fn others(&self, id: Id) -> Vec<String> {
        let running = self.0.running.borrow();
        let others = running.iter().filter(|job| job.id != id);
        others.map(|job| format!("{job}")).collect()
    }

    fn has_ended(&self, id: Id, outcome: Outcome) {
        self.0.ended.borrow_mut().push_back((id, outcome));
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }

    fn take(&self, id: Id) -> Option<Job> {
        let mut running = self.0.running.borrow_mut();
        let at = running.iter().position(|job| job.id == id)?;
        Some(running.remove(at))
    }
}

impl Job {
    fn number(&self) -> Option<JobNumber> {
        match self.place {
            Place::Front => None,
            Place::Behind(number) => Some(number),
        }
    }
}

/// The lowest number that no command has.
fn free_number(running: &[Job]) -> JobNumber {
    let is_taken = |number| running.iter().any(|job| job.number() == Some(number));
    let mut numbers = (1..).map(JobNumber);
    numbers
        .find(|&number| !is_taken(number))
        .unwrap_or(JobNumber(0))
}

/// Such as `[1] torture 60`.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(JobNumber(number)) = self.number() {
            write!(f, "[{number}] ")?;
        }
        f.write_str(&self.text)?;
        match self.interruption.is_asked() {
            true => f.write_str(" (is to end)"),
            false => Ok(()),
        }
    }
}

/// The page that `jobs` shows: a line each of those behind, with the end of the last left out.
impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.0.running.borrow();
        let behind = running.iter().filter(|job| job.number().is_some());
        let mut line_end = "";
        for job in behind {
            write!(f, "{line_end}{job}")?;
            line_end = "\n";
        }
        match line_end {
            "" => f.write_str("nothing runs behind"),
            _ => Ok(()),
        }
    }
}

/// Why a command does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStarted {
    /// As many run as can.
    TooMany,
    /// The executor has no task for it.
    NoTask(SpawnError),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "{MOST} commands run already"),
            Self::NoTask(cause) => write!(f, "{cause}"),
        }?;
        f.write_str("; `jobs` lists them, and `kill` ends one")
    }
}

impl core::error::Error for NotStarted {}

/// Nothing behind has the number that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchJob(pub Vec<JobNumber>);

impl fmt::Display for NoSuchJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(numbers) = self;
        if numbers.is_empty() {
            return f.write_str("nothing runs behind");
        }
        f.write_str("what runs behind has the numbers ")?;
        for (index, JobNumber(number)) in numbers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{number}")?;
        }
        Ok(())
    }
}

impl core::error::Error for NoSuchJob {}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use core::{
        future::{pending, ready},
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::Context,
    };
    use std::boxed::Box;

    use reveille_executor::{Executor, NoMetrics, Park};

    use super::*;

    fn executor(slots: usize) -> Executor {
        Executor::with_capacity(slots, Box::leak(Box::new(Park::new())), NoMetrics)
    }

    /// Runs until it is interrupted.
    async fn patient(interruption: Interruption) -> Outcome {
        interruption.asked().await;
        Ok(())
    }

    fn start(jobs: &Jobs, executor: &Executor, text: &str, behind: bool) -> Place {
        let text = String::from(text);
        let started = jobs.start(&executor.spawner(), text, behind, |_, interruption| {
            patient(interruption)
        });
        started.unwrap()
    }

    fn behind(number: u32) -> Place {
        Place::Behind(JobNumber(number))
    }

    #[test]
    fn the_command_in_front_ends_when_it_is_interrupted_and_those_behind_go_on() {
        let (jobs, mut executor) = (Jobs::default(), executor(8));
        assert_eq!(start(&jobs, &executor, "torture 60", true), behind(1));
        assert_eq!(start(&jobs, &executor, "bench 9", false), Place::Front);
        executor.poll_ready();
        assert!(jobs.has_front());
        assert!(jobs.interrupt_front());
        assert!(!jobs.interrupt_front(), "it has been told");
        let finished = executor.block_on(jobs.ended());
        assert_eq!(
            (finished.text.as_str(), finished.place),
            ("bench 9", Place::Front)
        );
        assert!(finished.was_interrupted && finished.outcome.is_ok());
        assert!(!jobs.has_front() && !jobs.is_empty());
        assert_eq!(jobs.to_string(), "[1] torture 60");
    }

    #[test]
    fn the_lowest_free_number_names_what_runs_behind() {
        let (jobs, mut executor) = (Jobs::default(), executor(8));
        assert_eq!(start(&jobs, &executor, "one", true), behind(1));
        assert_eq!(start(&jobs, &executor, "two", true), behind(2));
        assert_eq!(jobs.kill(Some(JobNumber(1))), Ok(JobNumber(1)));
        assert_eq!(jobs.to_string(), "[1] one (is to end)\n[2] two");
        assert_eq!(executor.block_on(jobs.ended()).text, "one");
        start(&jobs, &executor, "three", false);
        assert_eq!(
            jobs.send_behind(),
            Some((JobNumber(1), String::from("three")))
        );
        assert_eq!(jobs.send_behind(), None);
        assert_eq!(jobs.numbers(), [JobNumber(1), JobNumber(2)]);
        assert_eq!(jobs.kill(None), Ok(JobNumber(1)), "it was started last");
        let error = jobs.kill(Some(JobNumber(7))).unwrap_err();
        assert_eq!(error.to_string(), "what runs behind has the numbers 1, 2");
        assert_eq!(jobs.interrupt_all(), 2);
        executor.block_on(jobs.ended());
        executor.block_on(jobs.ended());
        assert!(jobs.is_empty());
        assert_eq!(
            jobs.kill(None).unwrap_err().to_string(),
            "nothing runs behind"
        );
    }

    #[test]
    fn what_went_wrong_is_told_and_one_that_ends_at_once_is_not_lost() {
        let (jobs, mut executor) = (Jobs::default(), executor(1));
        let fails = |_, _| ready(Err(String::from("why")));
        let text = String::from("online 9");
        jobs.start(&executor.spawner(), text, false, fails).unwrap();
        // It ends before anybody waits for that.
        executor.poll_ready();
        let finished = executor.block_on(jobs.ended());
        assert_eq!(finished.outcome, Err(String::from("why")));
        assert!(!finished.was_interrupted);
    }

    #[test]
    fn whoever_waits_for_an_end_is_woken_by_it() {
        let (jobs, mut executor) = (Jobs::default(), executor(4));
        start(&jobs, &executor, "bench 9", false);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut ended = pin!(jobs.ended());
        let poll = ended.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        executor.poll_ready();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        jobs.interrupt_front();
        executor.poll_ready();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let poll = ended.poll(&mut Context::from_waker(&waker));
        assert!(poll.is_ready());
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn no_more_run_than_there_is_room_for() {
        let (jobs, few) = (Jobs::default(), executor(1));
        start(&jobs, &few, "one", true);
        let more = |executor: &Executor| {
            let text = String::from("more");
            let endless = |_, _| pending();
            jobs.start(&executor.spawner(), text, true, endless)
        };
        assert_eq!(more(&few), Err(NotStarted::NoTask(SpawnError::Full)));
        let many = executor(2 * MOST);
        for number in 2..=MOST as u32 {
            assert_eq!(more(&many), Ok(behind(number)));
        }
        let error = more(&many).unwrap_err();
        assert_eq!(error, NotStarted::TooMany);
        assert!(error.to_string().contains("`kill` ends one"));
    }

    #[test]
    fn whoever_looks_sees_the_others_and_not_itself() {
        let (jobs, executor) = (Jobs::default(), executor(4));
        start(&jobs, &executor, "torture 60", true);
        let mut watch = None;
        let text = String::from("watch");
        let looks = |id, _| {
            watch = Some(id);
            pending()
        };
        jobs.start(&executor.spawner(), text, false, looks).unwrap();
        assert_eq!(jobs.others(watch.unwrap()), ["[1] torture 60"]);
    }
}
