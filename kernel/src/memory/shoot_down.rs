//! Mappings taken away or led elsewhere while other CPUs run: no CPU keeps a translation of what is not so
//! any more.
//!
//! 1. The tables are changed, under the lock, and the change is counted.
//! 2. This CPU drops its translations, and every other CPU that takes calls is called to do the same.
//! 3. When all have answered, addresses and frames may be used for something else. If one has not by the
//!    deadline they never are: it may still use the old ones. It is told of, and does it when it comes.
//!
//! **CPUs that take no calls** are down, on their way, or rest below the step `calls`. They use nothing that
//! is ever taken away: their stacks, their areas, the heap and the kernel itself stay mapped for good. What
//! they have in their TLBs all the same, since a processor may look up what it likes, they drop in the step
//! `tlb`, right behind `calls`, if a table has been changed since they did so last. One that starts begins with
//! none: it loads CR3, so what it has seen of the changes is at most too little. Neither can fall between:
//! whoever changes the tables counts that, and then looks whether the CPU takes calls; the CPU first takes
//! calls, and then looks at the count (`smp/src/changes.rs`). If it is not called, it was seen not to take
//! calls; so it finds the change counted behind that, and the tables changed. The drop of all translations is an
//! instruction behind which the processor looks at the tables anew (SDM volume 3, "Serializing Instructions").
//!
//! A drop costs more than itself: behind it every page is looked up again, and an emulator looks up its
//! translations of the code, too.
//!
//! Tables themselves are never freed, so nothing is kept that leads to one that is gone. No page is global,
//! and there is one address space: a write to CR3 drops all (SDM volume 3, "Operations that Invalidate TLBs
//! and Paging-Structure Caches").

use alloc::vec::Vec;
use core::{
    fmt,
    ops::Range,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use linkme::distributed_slice;
use reveille_executor::Timer;
use reveille_smp::{
    call::{CallError, NotAll},
    changes::Changes,
    cpu::CpuIndex,
    ranges::Ranges,
    step::{Run, Site, Step},
};
use x86_64::{VirtAddr, instructions::tlb};

use super::{kernel, map::PAGE_SIZE, paging::MapError, small::each_of};
use crate::{
    calls::{
        self,
        stuck::{Awaiting, watched},
    },
    ladder::STEPS,
    percpu::{self, PerCpu},
};

/// Until when all CPUs must have answered. Microseconds do, but a hypervisor may have to find time for each of
/// hundreds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Up to so many pages each is dropped by itself; beyond that all translations are, which costs the CPU about
/// as much as to find so many again (Linux, `tlb_single_page_flush_ceiling`, has 33).
const MOST_SINGLE_PAGES: u64 = 33;

#[distributed_slice(STEPS)]
static TLB: &dyn Step = &DropTranslations;

/// What was unmapped, or led elsewhere.
static CHANGES: Changes = Changes::new();

/// The CPU drops what it has in its TLB, if something was unmapped while it took no calls.
struct DropTranslations;

impl Step for DropTranslations {
    fn name(&self) -> &'static str {
        "tlb"
    }

    /// Behind `calls`.
    fn rank(&self) -> u16 {
        29
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        CHANGES.catch_up(PerCpu::current().unmapped(), tlb::flush_all);
        Run::Now(Ok(()))
    }
}

/// Why a mapping was not taken away or led elsewhere, or not on all CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShootDownError {
    /// One of the pages cannot be, or there is no memory: the tables are as they were, for all of them.
    Map(MapError),
    /// The tables are changed, but these CPUs have not answered and may still use what was there: its
    /// addresses and its frames are never used again.
    Unanswered(Vec<CpuIndex>),
}

impl From<MapError> for ShootDownError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl fmt::Display for ShootDownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(error) => error.fmt(f),
            Self::Unanswered(cpus) => {
                let numbers: Ranges = cpus.iter().map(|cpu| cpu.0).collect();
                let noun = if cpus.len() == 1 { "CPU" } else { "CPUs" };
                write!(f, "{noun} {numbers} may still use a mapping that is gone")
            }
        }
    }
}

impl core::error::Error for ShootDownError {}

/// Takes mapped 4 KiB pages away, on all CPUs. What they led to is the caller's affair.
///
/// # Errors
///
/// [`ShootDownError`]: with [`ShootDownError::Map`], if one of the pages is not mapped, all are as they were.
///
/// # Cancellation
///
/// The tables are changed, and some CPUs may not know.
pub async fn unmap(pages: Range<u64>, timer: &Timer) -> Result<(), ShootDownError> {
    kernel::unmap_in_tables(pages.clone())?;
    drop_everywhere(pages, timer).await
}

/// Takes the registers of a device away that [`map_device`](super::map_device) has mapped, on all CPUs.
///
/// # Errors
///
/// As for [`unmap`].
pub async fn unmap_device(start: u64, length: u64, timer: &Timer) -> Result<(), ShootDownError> {
    unmap(kernel::pages_of(start, length)?, timer).await
}

/// Lets every CPU drop its translations of pages, for which the tables have been changed just now.
///
/// # Cancellation
///
/// CPUs that take no calls drop them when they come; of the others some may not.
pub(super) async fn drop_everywhere(
    pages: Range<u64>,
    timer: &Timer,
) -> Result<(), ShootDownError> {
    CHANGES.count();
    drop_translations(&pages);
    let own = PerCpu::current().index();
    let all = percpu::all().iter().map(|area| area.index());
    let others: Vec<CpuIndex> = all.filter(|&cpu| cpu != own).collect();
    let of_others = {
        let pages = pages.clone();
        move || {
            if !IS_SKIPPED.load(Ordering::Relaxed) {
                drop_translations(&pages);
            }
        }
    };
    let mut call = pin!(calls::call_many(others, of_others));
    let answered = timer.timeout(DEADLINE, watched(timer, call.as_mut())).await;
    let unanswered = match answered {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(NotAll { cpus })) => {
            let is_wrong = |&(_, error): &(CpuIndex, CallError)| error != CallError::Offline;
            let wrong = cpus.into_iter().filter(is_wrong);
            wrong.map(|(cpu, _)| cpu).collect()
        }
        Err(_) => {
            let mut late = Vec::new();
            call.each_pending(&mut |pending| late.push(pending.cpu));
            for &cpu in &late {
                let pages = pages.clone();
                // Should there be no room, it drops them when it has been down.
                let _ = calls::try_post(cpu, move || drop_translations(&pages));
            }
            late
        }
    };
    match unanswered.is_empty() {
        true => Ok(()),
        false => Err(ShootDownError::Unanswered(unanswered)),
    }
}

/// Drops this CPU's translations of pages.
fn drop_translations(pages: &Range<u64>) {
    if (pages.end - pages.start) / PAGE_SIZE <= MOST_SINGLE_PAGES {
        for page in each_of(pages.clone()) {
            tlb::flush(VirtAddr::new(page));
        }
    } else {
        tlb::flush_all();
    }
}

/// For tests: the others say that they have dropped their translations, and have not.
static IS_SKIPPED: AtomicBool = AtomicBool::new(false);

/// Lets the others keep their translations, for tests.
pub fn skip() {
    IS_SKIPPED.store(true, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn whoever_may_still_use_what_is_gone_is_named() {
        let unanswered = |cpus: &[u32]| {
            let cpus = cpus.iter().copied().map(CpuIndex);
            ShootDownError::Unanswered(cpus.collect()).to_string()
        };
        assert_eq!(
            unanswered(&[3]),
            "CPU 3 may still use a mapping that is gone"
        );
        assert_eq!(
            unanswered(&[1, 2, 5]),
            "CPUs 1-2,5 may still use a mapping that is gone"
        );
    }
}
