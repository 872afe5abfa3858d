//! The step `passages`: the place where a CPU notes the steps that it runs, with their times. It is there
//! whether the CPU's events are traced or not.
//!
//! The place is a ring of fixed size. Whoever drives the CPU allocates it before the kick, so the CPU
//! neither allocates nor waits to note something, and frees it when the CPU has parked.

use alloc::vec::Vec;
use core::{
    ptr, slice,
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

use linkme::distributed_slice;
use reveille_smp::step::{Direction, Run, Section, Site, Step, StepError};
use spin::Mutex;

use crate::{ladder::STEPS, percpu::PerCpu};

/// How many steps are remembered: the way up and down again.
const STEPS_KEPT: usize = 32;

#[distributed_slice(STEPS)]
static PASSAGES: &dyn Step = &PassagesPlace;

/// The CPU has a place for its passages.
struct PassagesPlace;

impl Step for PassagesPlace {
    fn name(&self) -> &'static str {
        "passages"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    fn rank(&self) -> u16 {
        20
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.and_then(|area| area.trace().passages.allocate())
            .into()
    }

    fn down<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu);
        area.map(|area| area.trace().passages.free()).into()
    }
}

/// The steps of one CPU, and their place.
///
/// # Memory ordering
///
/// The CPU uses the place between its claim and its parking; it is made before and freed behind them,
/// as only a CPU that is down passes the step `passages`. So the state word orders the two. What the CPU
/// has noted is read while it is at rest, behind its progress; who reads while it moves may see a
/// step of which a part is missing. Relaxed is enough for all of it.
#[derive(Debug)]
pub(super) struct Passages {
    /// The CPU takes no lock: this one is between those who free and those who read.
    place: Mutex<Vec<Entry>>,
    /// What the CPU sees of it; null while there is none.
    entries: AtomicPtr<Entry>,
    /// How many steps were noted.
    noted: AtomicU32,
    /// When the last one ended, or the CPU set out: then the next one begins. So the clock is read
    /// once a step and not twice, which tells where hundreds of CPUs come up.
    latest: AtomicU64,
}

/// One step in the ring.
#[derive(Debug)]
struct Entry {
    /// Its place in the ladder, and what became of it, in the bits below.
    step: AtomicU32,
    began: AtomicU64,
    ended: AtomicU64,
}

const DOWN: u32 = 1 << 31;
const HAS_ENDED: u32 = 1 << 30;
const HAS_FAILED: u32 = 1 << 29;

/// A step that a CPU has run, or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its place in the ladder.
    pub step: usize,
    /// Whether it was done or undone.
    pub direction: Direction,
    /// When it began, as a count of the TSC.
    pub began: u64,
    /// When it ended, likewise; `None` while the CPU is in it.
    pub ended: Option<u64>,
    /// Whether it failed.
    pub has_failed: bool,
}

/// How long each of so many steps took on the way up, in counts of the TSC: the median of the CPUs
/// that have passed it, of each its last time; `None` for a step that nobody has noted.
pub fn medians(traces: &[Vec<Passage>], steps: usize) -> Vec<Option<u64>> {
    let median = |step: usize| {
        let last_of = |trace: &Vec<Passage>| {
            let is_up = |it: &&Passage| it.step == step && it.direction == Direction::Up;
            let last = trace.iter().rev().find(is_up)?;
            Some(last.ended?.saturating_sub(last.began))
        };
        let mut times: Vec<_> = traces.iter().filter_map(last_of).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    };
    (0..steps).map(median).collect()
}

impl Passages {
    /// Without a place.
    pub(super) const fn new() -> Self {
        Self {
            place: Mutex::new(Vec::new()),
            entries: AtomicPtr::new(ptr::null_mut()),
            noted: AtomicU32::new(0),
            latest: AtomicU64::new(0),
        }
    }

    /// What the CPU has noted since it was last down, the oldest first; at the end the step that it
    /// is in, if it is in one.
    pub(super) fn read(&self) -> Vec<Passage> {
        let place = self.place.lock();
        let noted = self.noted.load(Ordering::Relaxed);
        let first = (noted + 1).saturating_sub(STEPS_KEPT as u32);
        let read = |number: u32| place.get(number as usize % STEPS_KEPT).map(Entry::read);
        let passed = (first..noted).filter_map(read);
        let present = read(noted).filter(|it| it.began > 0 && it.ended.is_none());
        passed.chain(present).collect()
    }

    // ---- what the CPU itself notes ----

    /// It sets out.
    pub(super) fn set_out(&self, now: u64) {
        self.latest.store(now, Ordering::Relaxed);
    }

    /// It begins with a step; gives the count at which it does.
    pub(super) fn begin(&self, step: usize, direction: Direction) -> u64 {
        let began = self.latest.load(Ordering::Relaxed);
        if let Some(entry) = self.entry() {
            entry.begin(step, direction, began);
        }
        began
    }

    /// It is done with it, or has failed.
    pub(super) fn end(&self, has_failed: bool, now: u64) {
        self.latest.store(now, Ordering::Relaxed);
        if let Some(entry) = self.entry() {
            entry.end(has_failed, now);
            // Only this CPU counts.
            let noted = self.noted.load(Ordering::Relaxed).wrapping_add(1);
            self.noted.store(noted, Ordering::Relaxed);
        }
    }

    // ---- the place ----

    fn allocate(&self) -> Result<(), StepError> {
        let mut entries = Vec::new();
        let allocated = entries.try_reserve_exact(STEPS_KEPT);
        allocated.map_err(|_| StepError::Exhausted)?;
        entries.resize_with(STEPS_KEPT, Entry::new);
        let mut place = self.place.lock();
        *place = entries;
        self.entries.store(place.as_mut_ptr(), Ordering::Relaxed);
        self.noted.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn free(&self) {
        let mut place = self.place.lock();
        self.entries.store(ptr::null_mut(), Ordering::Relaxed);
        *place = Vec::new();
    }

    /// The place, on the CPU whose trace it is.
    fn entries(&self) -> &[Entry] {
        let entries = self.entries.load(Ordering::Relaxed);
        if entries.is_null() {
            return &[];
        }
        // SAFETY: only the CPU itself calls this, between claim and parking: there the place is as
        // `allocate` left it, and nobody frees it.
        unsafe { slice::from_raw_parts(entries, STEPS_KEPT) }
    }

    /// The entry of the step that is noted now.
    fn entry(&self) -> Option<&Entry> {
        let number = self.noted.load(Ordering::Relaxed);
        self.entries().get(number as usize % STEPS_KEPT)
    }
}

impl Entry {
    fn new() -> Self {
        Self {
            step: AtomicU32::new(0),
            began: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    fn begin(&self, step: usize, direction: Direction, now: u64) {
        let down = match direction {
            Direction::Up => 0,
            Direction::Down => DOWN,
        };
        self.step.store(down | step as u32, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
    }

    fn end(&self, has_failed: bool, now: u64) {
        self.ended.store(now, Ordering::Relaxed);
        let failed = if has_failed { HAS_FAILED } else { 0 };
        let step = self.step.load(Ordering::Relaxed);
        self.step
            .store(step | HAS_ENDED | failed, Ordering::Relaxed);
    }

    fn read(&self) -> Passage {
        let step = self.step.load(Ordering::Relaxed);
        let has = |bit: u32| step & bit != 0;
        Passage {
            step: (step & !(DOWN | HAS_ENDED | HAS_FAILED)) as usize,
            direction: match has(DOWN) {
                false => Direction::Up,
                true => Direction::Down,
            },
            began: self.began.load(Ordering::Relaxed),
            ended: has(HAS_ENDED).then(|| self.ended.load(Ordering::Relaxed)),
            has_failed: has(HAS_FAILED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(trace: &Passages) -> Vec<(usize, Direction, bool, bool)> {
        let passages = trace.read().into_iter();
        let told = passages.map(|it| {
            assert!(it.ended.is_none_or(|ended| ended >= it.began), "{it:?}");
            (it.step, it.direction, it.ended.is_some(), it.has_failed)
        });
        told.collect()
    }

    #[test]
    fn what_a_cpu_runs_is_told_in_its_order_with_the_step_that_it_is_in() {
        use Direction::{Down, Up};
        let trace = Passages::new();
        trace.allocate().unwrap();
        assert_eq!(steps(&trace), []);
        trace.set_out(1);
        trace.begin(4, Up);
        assert_eq!(steps(&trace), [(4, Up, false, false)]);
        trace.end(false, 2);
        trace.begin(5, Up);
        trace.end(true, 3);
        trace.begin(4, Down);
        let passed = [(4, Up, true, false), (5, Up, true, true)];
        assert_eq!(
            steps(&trace),
            [passed[0], passed[1], (4, Down, false, false)]
        );
    }

    #[test]
    fn the_median_is_that_of_each_cpus_last_way_up() {
        let passage = |step, direction, span: u64| Passage {
            step,
            direction,
            began: 100,
            ended: Some(100 + span),
            has_failed: false,
        };
        let (up, down) = (Direction::Up, Direction::Down);
        let trace = |span| {
            Vec::from([
                passage(1, up, 90),
                passage(1, up, span),
                passage(1, down, 95),
            ])
        };
        let traces = [trace(30), Vec::new(), trace(10), trace(20)];
        assert_eq!(medians(&traces, 3), [None, Some(20), None]);
    }

    #[test]
    fn the_ring_keeps_the_latest_steps() {
        let trace = Passages::new();
        trace.allocate().unwrap();
        trace.set_out(1);
        for step in 0..3 * STEPS_KEPT {
            trace.begin(step, Direction::Up);
            trace.end(false, 2);
        }
        let kept: Vec<_> = trace.read().iter().map(|it| it.step).collect();
        assert!(kept.iter().copied().eq(2 * STEPS_KEPT + 1..3 * STEPS_KEPT));
    }

    #[test]
    fn without_a_place_nothing_is_noted_and_a_new_place_is_empty() {
        let trace = Passages::new();
        trace.set_out(1);
        trace.begin(1, Direction::Up);
        trace.end(false, 2);
        trace.allocate().unwrap();
        assert_eq!(steps(&trace), []);
        trace.set_out(1);
        trace.begin(1, Direction::Up);
        trace.end(false, 2);
        trace.free();
        assert_eq!(steps(&trace), []);
        trace.allocate().unwrap();
        assert_eq!(steps(&trace), []);
    }
}
