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

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::{fmt, future::poll_fn, ptr, task::Poll, time::Duration};

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use reveille_executor::Timer;
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    remote::RemoteError,
};

use super::spawn_on;
use crate::{apic::LocalApic, percpu::PerCpu};

/// Until when all CPUs must have answered. Only a hang reaches it: on two
/// busy cores of a host, 255 CPUs take less than a second.
const DEADLINE: Duration = Duration::from_secs(5);

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
struct Entry {
    own: Answer,
    /// What the next CPU answered it, unless that took no task.
    next: Option<Result<Answer, RemoteError>>,
}

impl Entry {
    /// The entry of the CPU that calls, which asks `next`.
    async fn here(apic: LocalApic, next: CpuIndex) -> Self {
        let own = Answer::here(apic);
        let next = match spawn_on(next, async move { Answer::here(apic) }) {
            Ok(answer) => Some(answer.await),
            Err(_) => None,
        };
        Self { own, next }
    }
}

/// What the CPUs write and the BSP reads.
struct Book {
    entries: ArrayQueue<Entry>,
    waker: AtomicWaker,
}

impl Book {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollCallError {
    /// This CPU took no task, though it is online.
    Refused(CpuIndex),
    /// This CPU did not answer in time.
    Missing(CpuIndex),
    /// A CPU whose area says this runs on another CPU, or shares its area.
    NotItself(CpuIndex),
    /// A CPU asked the next one and did not hear what that says of itself.
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
/// [`RollCallError`] names the first CPU with which something is wrong.
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
        entries: ArrayQueue::new(called.len()),
        waker: AtomicWaker::new(),
    });
    let mut tasks = Vec::with_capacity(called.len());
    for (cpu, next) in ring(&called) {
        let book = Arc::clone(&book);
        let task = async move { book.write(Entry::here(apic, next).await) };
        tasks.push(spawn_on(cpu, task).map_err(|_| RollCallError::Refused(cpu))?);
    }
    let mut entries = Vec::with_capacity(called.len());
    let all = book.read(&mut entries, called.len());
    if timer.timeout(DEADLINE, all).await.is_err() {
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
    let mut areas = BTreeMap::new();
    let mut cpus = BTreeMap::new();
    for entry in entries {
        let Answer { cpu, area, .. } = entry.own;
        if entry.own.apic_id != entry.own.area_id
            || areas.insert(area, cpu).is_some()
            || cpus.insert(cpu, entry).is_some()
        {
            return Err(RollCallError::NotItself(cpu));
        }
    }
    for cpu in called {
        if !cpus.contains_key(cpu) {
            return Err(RollCallError::Missing(*cpu));
        }
    }
    for (by, of) in ring(called) {
        if cpus[&by].next != Some(Ok(cpus[&of].own)) {
            return Err(RollCallError::Misheard { by, of });
        }
    }
    Ok(cpus.len())
}

impl fmt::Display for RollCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(cpu) => write!(f, "CPU {cpu} is online and takes no tasks"),
            Self::Missing(cpu) => write!(f, "CPU {cpu} is online and did not run what it was sent"),
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

    /// The entry of a CPU behind which comes `next`.
    fn entry(cpu: u32, next: u32) -> Entry {
        Entry {
            own: answer(cpu),
            next: Some(Ok(answer(next))),
        }
    }

    const CALLED: [CpuIndex; 3] = [CpuIndex(0), CpuIndex(2), CpuIndex(1)];

    fn entries() -> [Entry; 3] {
        [entry(0, 2), entry(2, 1), entry(1, 0)]
    }

    #[test]
    fn everybody_who_was_called_must_answer_as_itself_and_once() {
        assert_eq!(judge(&CALLED, &entries()), Ok(3));
        assert_eq!(
            judge(&CALLED, &entries()[..2]),
            Err(RollCallError::Missing(CpuIndex(1)))
        );
        let mut twice = entries();
        twice[2] = twice[1];
        assert_eq!(
            judge(&CALLED, &twice),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
        assert_eq!(judge(&[CpuIndex::BSP], &[entry(0, 0)]), Ok(1));
    }

    #[test]
    fn a_cpu_in_anothers_area_is_found_out() {
        let mut shared = entries();
        shared[2].own.area = answer(2).area;
        assert_eq!(
            judge(&CALLED, &shared),
            Err(RollCallError::NotItself(CpuIndex(1)))
        );
        let mut elsewhere = entries();
        elsewhere[1].own.apic_id = ApicId(2);
        assert_eq!(
            judge(&CALLED, &elsewhere),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
    }

    #[test]
    fn everybody_must_hear_of_the_next_one_what_that_says_of_itself() {
        for next in [None, Some(Err(RemoteError::WentDown)), Some(Ok(answer(2)))] {
            let mut misheard = entries();
            misheard[1].next = next;
            let (by, of) = (CpuIndex(2), CpuIndex(1));
            assert_eq!(
                judge(&CALLED, &misheard),
                Err(RollCallError::Misheard { by, of })
            );
        }
    }
}
