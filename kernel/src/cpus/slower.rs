//! Two steps for tests, by which every bring-up takes a tenth longer: a comparison of benchmarks must see it.
//!
//! Whoever comes online last of those that are on their way works for a tenth of the time since the first of
//! them was set out, less what others have worked before it. So all that are set out at once are late by one
//! last one, and of those that come one after the other each is late by its own share. The yardsticks, which
//! take no steps, stay as they are. No stamp is touched: it takes that long.
//!
//! The words are counts and times for nothing but this, and what is read by them is nothing else, so no order
//! of memory matters: that the count comes to nothing for the last one is true in any.

use core::{
    hint::black_box,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use reveille_executor::{Clock, Instant};
use reveille_smp::step::{Run, Section, Site, Step, StepError};

use crate::{command_line::TestHook, percpu::PerCpu, time::TscClock};

/// One in so many parts of the time is added.
const PART: u64 = 10;

/// APs on their way.
static ON_THEIR_WAY: AtomicU32 = AtomicU32::new(0);
/// When the first of them was set out, on the machine's clock; 0 before that.
static BEGUN_NS: AtomicU64 = AtomicU64::new(0);
/// How long has been worked since.
static WORKED_NS: AtomicU64 = AtomicU64::new(0);

/// The AP is counted, on the BSP, right before its kick.
struct SetOut;

/// The AP works, if it is the last one.
struct Slower;

impl Step for SetOut {
    fn name(&self) -> &'static str {
        "set-out"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    /// Behind all others, and with them no part of what is measured.
    fn rank(&self) -> u16 {
        40
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let Some(clock) = TscClock::get() else {
            return Err(StepError::Unsupported).into();
        };
        ON_THEIR_WAY.fetch_add(1, Ordering::Relaxed);
        let now = clock.now().as_nanos();
        // Only the BSP gets here.
        if BEGUN_NS.load(Ordering::Relaxed) == 0 {
            BEGUN_NS.store(now, Ordering::Relaxed);
        }
        Ok(()).into()
    }

    /// Who goes down begins anew, and so do all others: between two rounds of a benchmark all of them are down.
    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        for word in [&BEGUN_NS, &WORKED_NS] {
            word.store(0, Ordering::Relaxed);
        }
        ON_THEIR_WAY.store(0, Ordering::Relaxed);
        Ok(()).into()
    }
}

impl Step for Slower {
    fn name(&self) -> &'static str {
        "slower"
    }

    /// Behind all others.
    fn rank(&self) -> u16 {
        40
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let left = ON_THEIR_WAY.fetch_sub(1, Ordering::Relaxed) - 1;
        let Some(clock) = TscClock::get() else {
            return Err(StepError::Unsupported).into();
        };
        if left == 0 {
            let clock = PerCpu::current().clock().on_this_cpu(clock);
            let begun = Instant::from_nanos(BEGUN_NS.load(Ordering::Relaxed));
            let took = clock.now().saturating_duration_since(begun).as_nanos() as u64;
            let worked = WORKED_NS.load(Ordering::Relaxed);
            let to_work = (took.saturating_sub(worked) / PART).saturating_sub(worked);
            work(&clock, to_work);
            WORKED_NS.fetch_add(to_work, Ordering::Relaxed);
        }
        Ok(()).into()
    }
}

/// Computes for so long.
fn work(clock: &TscClock, nanos: u64) {
    let begun = clock.now();
    let mut sum = 1_u64;
    while (clock.now().saturating_duration_since(begun).as_nanos() as u64) < nanos {
        for factor in 0..32 {
            sum = black_box(sum.wrapping_mul(factor | 1));
        }
    }
    black_box(sum);
}

/// The steps, if a test asks for them.
pub(super) fn asked_for(tests: &[TestHook]) -> &'static [&'static dyn Step] {
    if tests.contains(&TestHook::Slower) {
        &[&SetOut, &Slower]
    } else {
        &[]
    }
}
