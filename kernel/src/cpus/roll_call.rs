//! The roll call: every CPU that is online runs a piece of code on its own CPU, says who it is,
//! and shows that its per-CPU area is its own.

use alloc::{boxed::Box, collections::BTreeSet, sync::Arc, vec::Vec};
use core::{fmt, future::poll_fn, ptr, task::Poll, time::Duration};

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use reveille_executor::Timer;
use reveille_smp::cpu::{ApicId, CpuIndex};

use super::inbox::Inbox;
use crate::{apic::LocalApic, percpu::PerCpu};

/// Until when all CPUs must have answered.
const DEADLINE: Duration = Duration::from_secs(2);

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    /// The number in the per-CPU area of the CPU that ran the job.
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

/// What the CPUs write and the BSP reads.
struct Book {
    answers: ArrayQueue<Answer>,
    waker: AtomicWaker,
}

/// What the roll call found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollCallError {
    /// This CPU took no job, though it is online.
    Refused(CpuIndex),
    /// This CPU did not answer in time.
    Missing(CpuIndex),
    /// A CPU whose area says this runs on another CPU, or shares its area.
    NotItself(CpuIndex),
}

/// Calls the BSP and every CPU that is online, and counts who answered as itself.
///
/// # Errors
///
/// [`RollCallError`] names the first CPU with which something is wrong.
///
/// # Cancellation
///
/// Jobs that were sent run all the same.
pub async fn roll_call(
    apic: LocalApic,
    online: impl Iterator<Item = (CpuIndex, &'static Inbox)>,
    timer: &Timer,
) -> Result<usize, RollCallError> {
    let online: Vec<_> = online.collect();
    let called: Vec<CpuIndex> = online.iter().map(|&(cpu, _)| cpu).collect();
    let book = Arc::new(Book {
        answers: ArrayQueue::new(called.len().max(1)),
        waker: AtomicWaker::new(),
    });
    for (cpu, inbox) in online {
        let book = Arc::clone(&book);
        let job = Box::new(move || {
            // There is room for everybody, so no answer is lost.
            let _ = book.answers.push(Answer::here(apic));
            book.waker.wake();
        });
        inbox.send(job).map_err(|_| RollCallError::Refused(cpu))?;
    }
    let mut answers = Vec::with_capacity(called.len() + 1);
    answers.push(Answer::here(apic));
    let all = poll_fn(|context| {
        book.waker.register(context.waker());
        while let Some(answer) = book.answers.pop() {
            answers.push(answer);
        }
        if answers.len() > called.len() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    // Whoever is missing after the deadline is named by `judge`.
    let _ = timer.timeout(DEADLINE, all).await;
    judge(&called, &answers)
}

/// Whether everybody who was called, and the BSP, answered once and as itself.
fn judge(called: &[CpuIndex], answers: &[Answer]) -> Result<usize, RollCallError> {
    let mut areas = BTreeSet::new();
    let mut cpus = BTreeSet::new();
    for answer in answers {
        if answer.apic_id != answer.area_id
            || !areas.insert(answer.area)
            || !cpus.insert(answer.cpu)
        {
            return Err(RollCallError::NotItself(answer.cpu));
        }
    }
    let expected = called.iter().copied().chain([CpuIndex::BSP]);
    match expected.clone().find(|cpu| !cpus.contains(cpu)) {
        Some(missing) => Err(RollCallError::Missing(missing)),
        None => Ok(cpus.len()),
    }
}

impl fmt::Display for RollCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(cpu) => write!(f, "CPU {cpu} is online and takes no work"),
            Self::Missing(cpu) => write!(f, "CPU {cpu} is online and did not run what it was sent"),
            Self::NotItself(cpu) => write!(f, "CPU {cpu} found itself in the area of another CPU"),
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

    #[test]
    fn everybody_who_was_called_must_answer_as_itself_and_once() {
        let called = [CpuIndex(1), CpuIndex(2)];
        let all = [answer(0), answer(2), answer(1)];
        assert_eq!(judge(&called, &all), Ok(3));
        assert_eq!(
            judge(&called, &all[..2]),
            Err(RollCallError::Missing(CpuIndex(1)))
        );
        let twice = [answer(0), answer(2), answer(2)];
        assert_eq!(
            judge(&called, &twice),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
    }

    #[test]
    fn a_cpu_in_anothers_area_is_found_out() {
        let mut shared = answer(2);
        shared.area = answer(1).area;
        let answers = [answer(0), answer(1), shared];
        assert_eq!(
            judge(&[CpuIndex(1), CpuIndex(2)], &answers),
            Err(RollCallError::NotItself(CpuIndex(2)))
        );
        let mut elsewhere = answer(1);
        elsewhere.apic_id = ApicId(4);
        assert_eq!(
            judge(&[CpuIndex(1)], &[answer(0), elsewhere]),
            Err(RollCallError::NotItself(CpuIndex(1)))
        );
    }
}
