//! The roll call: every CPU that is online, the BSP included, runs a task on its own CPU, says who
//! it is, shows that its per-CPU area is its own, and asks the next CPU for the same.
//!
//! ```text
//!   BSP ── a task ──▶ each CPU ── a task ──▶ the next one, behind the last one the BSP
//!    ▲                  │  ▲                   │
//!    └────── book ──────┘  └──── its answer ───┘
//! ```
//!
//! So each boot sends tasks from the BSP to APs, between APs, and from an AP to the BSP, and joins
//! them. What comes out stands in a book, so that those who are missing have a name.
//!
//! The BSP and one AP go ahead. An emulator translates guest code when a CPU first comes to it, and others
//! find what is there. Where all come to it at the same time, each translates it for itself, one after the
//! other, while the rest spin for the lock: QEMU's 255 CPUs on two cores of a host took 2 s for what takes
//! a tenth of that behind one that went ahead.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::{fmt, future::poll_fn, ptr, task::Poll, time::Duration};

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use reveille_executor::Timer;
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    ranges::Ranges,
    remote::RemoteError,
};

use super::spawn_on;
use crate::{apic::LocalApic, percpu::PerCpu};

/// Until when all CPUs must have answered: so long, and so long for each of them. Only a hang reaches it.
/// On two idle cores of a host 255 CPUs take less than a second. But all are woken at once, and where
/// they share cores with others each waits until the host has given all others their turns, twice: on
/// two cores of which fifty wanted a share, two hundred of 255 had not run after five seconds.
const DEADLINE: Duration = Duration::from_secs(5);
const DEADLINE_A_CPU: Duration = Duration::from_millis(100);

/// How many are called before all others: the BSP and an AP.
const AHEAD: usize = 2;

/// How long the others wait for these. Nothing is lost with it: who is silent is missing at the end.
const HEAD_START: Duration = Duration::from_millis(100);

/// How many entries there are of each CPU.
const ENTRIES: usize = 2;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    /// The number in the per-CPU area of the CPU that ran the task.
    cpu: CpuIndex,
    /// The id in the same area.
    area_id: ApicId,
    /// The id that its APIC gave.
    apic_id: ApicId,
    /// The address of its area.
    area: usize,
}

impl Answer {
    /// The answer of the CPU that calls.
    fn here(apic: LocalApic) -> Self {
        let area = PerCpu::current();
        Self {
            cpu: area.index(),
            area_id: area.apic_id(),
            apic_id: apic.id(),
            area: ptr::from_ref(area).addr(),
        }
    }
}

/// What a CPU has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// Who it is, at once: so one that runs is told from one that waits for another.
    Own(Answer),
    /// What the next CPU answered it, unless that took no task.
    Heard {
        by: CpuIndex,
        next: Option<Result<Answer, RemoteError>>,
    },
}

/// What the CPUs write and the BSP reads.
struct Book {
    entries: ArrayQueue<Entry>,
    waker: AtomicWaker,
}

impl Book {
    /// The CPU that calls says who it is, asks the next one, and says what it heard.
    async fn sign(&self, apic: LocalApic, next: CpuIndex) {
        let own = Answer::here(apic);
        self.write(Entry::Own(own));
        let next = match spawn_on(next, async move { Answer::here(apic) }) {
            Ok(answer) => Some(answer.await),
            Err(_) => None,
        };
        self.write(Entry::Heard { by: own.cpu, next });
    }

    fn write(&self, entry: Entry) {
        // There is room for everybody, so no entry is lost.
        let _ = self.entries.push(entry);
        self.waker.wake();
    }

    /// Adds the entries to the list as they come, until there are so many.
    async fn read(&self, list: &mut Vec<Entry>, until: usize) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            while let Some(entry) = self.entries.pop() {
                list.push(entry);
            }
            if list.len() >= until {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// What the roll call found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollCallError {
    /// This CPU took no task, though it is online.
    Refused(CpuIndex),
    /// These CPUs did not answer in time.
    Missing(Vec<CpuIndex>),
    /// A CPU whose area says this runs on another CPU, or shares its area.
    NotItself(CpuIndex),
    /// A CPU asked the next one and did not hear in time what that says of itself.
    Misheard {
        /// Who asked.
        by: CpuIndex,
        /// Who was asked.
        of: CpuIndex,
    },
}

/// Calls the BSP and every AP that is online, and counts who answered as itself.
///
/// # Errors
///
/// [`RollCallError`] names the CPUs that are missing, or else the first with which something is wrong.
///
/// # Cancellation
///
/// Tasks that were sent run all the same.
pub async fn roll_call(
    apic: LocalApic,
    online: impl Iterator<Item = CpuIndex>,
    timer: &Timer,
) -> Result<usize, RollCallError> {
    let called: Vec<CpuIndex> = [CpuIndex::BSP].into_iter().chain(online).collect();
    let book = Arc::new(Book {
        entries: ArrayQueue::new(ENTRIES * called.len()),
        waker: AtomicWaker::new(),
    });
    let mut tasks = Vec::with_capacity(called.len());
    let mut call = |(cpu, next)| {
        let book = Arc::clone(&book);
        let task = async move { book.sign(apic, next).await };
        tasks.push(spawn_on(cpu, task).map_err(|_| RollCallError::Refused(cpu))?);
        Ok(())
    };
    let mut entries = Vec::with_capacity(ENTRIES * called.len());
    let mut pairs = ring(&called);
    let ahead = AHEAD.min(called.len());
    pairs.by_ref().take(ahead).try_for_each(&mut call)?;
    let _ = timer
        .timeout(HEAD_START, book.read(&mut entries, ENTRIES * ahead))
        .await;
    pairs.try_for_each(&mut call)?;
    let all = book.read(&mut entries, ENTRIES * called.len());
    let span = DEADLINE + DEADLINE_A_CPU * called.len() as u32;
    if timer.timeout(span, all).await.is_err() {
        // Nobody waits for an answer any longer. Whoever is missing is named by `judge`.
        tasks.iter().for_each(|task| task.abort());
    }
    judge(&called, &entries)
}

/// Each CPU with the one behind it.
fn ring(called: &[CpuIndex]) -> impl Iterator<Item = (CpuIndex, CpuIndex)> {
    let next = called.iter().cycle().skip(1);
    called.iter().copied().zip(next.copied())
}

/// Whether everybody who was called wrote once and as itself, and heard the same of the next one.
fn judge(called: &[CpuIndex], entries: &[Entry]) -> Result<usize, RollCallError> {
    let (mut areas, mut cpus, mut heard) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        match *entry {
            Entry::Own(own) => {
                if own.apic_id != own.area_id
                    || areas.insert(own.area, own.cpu).is_some()
                    || cpus.insert(own.cpu, own).is_some()
                {
                    return Err(RollCallError::NotItself(own.cpu));
                }
            }
            Entry::Heard { by, next } => {
                heard.insert(by, next);
            }
        }
    }
    let missing = called.iter().filter(|cpu| !cpus.contains_key(cpu));
    let mut missing: Vec<_> = missing.copied().collect();
    missing.sort_unstable();
    if !missing.is_empty() {
        return Err(RollCallError::Missing(missing));
    }
    for (by, of) in ring(called) {
        if heard.get(&by) != Some(&Some(Ok(cpus[&of]))) {
            return Err(RollCallError::Misheard { by, of });
        }
    }
    Ok(cpus.len())
}

impl fmt::Display for RollCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(cpu) => write!(f, "CPU {cpu} is online and takes no tasks"),
            Self::Missing(cpus) => {
                let numbers: Ranges = cpus.iter().map(|cpu| cpu.0).collect();
                match cpus.len() {
                    1 => write!(
                        f,
                        "CPU {numbers} is online and did not run what it was sent"
                    ),
                    _ => write!(
                        f,
                        "CPUs {numbers} are online and did not run what they were sent"
                    ),
                }
            }
            Self::NotItself(cpu) => write!(f, "CPU {cpu} found itself in the area of another CPU"),
            Self::Misheard { by, of } => {
                write!(
                    f,
                    "CPU {by} sent CPU {of} a task and did not get its answer"
                )
            }
        }
    }
}

impl core::error::Error for RollCallError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn answer(cpu: u32) -> Answer {
        let id = ApicId(2 * cpu);
        Answer {
            cpu: CpuIndex(cpu),
            area_id: id,
            apic_id: id,
            area: 0x1000 * cpu as usize,
        }
    }

    /// The entries of a CPU behind which comes `next`.
    fn entry(cpu: u32, next: u32) -> [Entry; 2] {
        let by = CpuIndex(cpu);
        let next = Some(Ok(answer(next)));
        [Entry::Own(answer(cpu)), Entry::Heard { by, next }]
    }

    const CALLED: [CpuIndex; 3] = [CpuIndex(0), CpuIndex(2), CpuIndex(1)];

    fn entries() -> Vec<Entry> {
        [entry(0, 2), entry(2, 1), entry(1, 0)].concat()
    }

    fn own(entry: &mut Entry) -> &mut Answer {
        match entry {
            Entry::Own(own) => own,
            Entry::Heard { .. } => panic!("it is of what was heard"),
        }
    }

    #[test]
    fn everybody_who_was_called_must_answer_as_itself_and_once() {
        assert_eq!(judge(&CALLED, &entries()), Ok(3));
        assert_eq!(
            judge(&CALLED, &entries()[..4]),
            Err(RollCallError::Missing(vec![CpuIndex(1)]))
        );
        let mut twice = entries();
        twice[4] = twice[2];
        assert_eq!(
            judge(&CALLED, &twice),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
        assert_eq!(judge(&[CpuIndex::BSP], &entry(0, 0)), Ok(1));
    }

    #[test]
    fn who_waits_for_another_is_not_missing_and_all_who_are_have_a_name() {
        let mut waits = entries();
        waits.truncate(1);
        let missing = judge(&CALLED, &waits).unwrap_err();
        assert_eq!(
            missing,
            RollCallError::Missing(vec![CpuIndex(1), CpuIndex(2)])
        );
        assert_eq!(
            missing.to_string(),
            "CPUs 1-2 are online and did not run what they were sent"
        );
        let mut waits = entries();
        waits.remove(1);
        let (by, of) = (CpuIndex(0), CpuIndex(2));
        assert_eq!(
            judge(&CALLED, &waits),
            Err(RollCallError::Misheard { by, of })
        );
    }

    #[test]
    fn a_cpu_in_anothers_area_is_found_out() {
        let mut shared = entries();
        own(&mut shared[4]).area = answer(2).area;
        assert_eq!(
            judge(&CALLED, &shared),
            Err(RollCallError::NotItself(CpuIndex(1)))
        );
        let mut elsewhere = entries();
        own(&mut elsewhere[2]).apic_id = ApicId(2);
        assert_eq!(
            judge(&CALLED, &elsewhere),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
    }

    #[test]
    fn everybody_must_hear_of_the_next_one_what_that_says_of_itself() {
        for next in [None, Some(Err(RemoteError::WentDown)), Some(Ok(answer(2)))] {
            let mut misheard = entries();
            let (by, of) = (CpuIndex(2), CpuIndex(1));
            misheard[3] = Entry::Heard { by, next };
            assert_eq!(
                judge(&CALLED, &misheard),
                Err(RollCallError::Misheard { by, of })
            );
        }
    }
}
