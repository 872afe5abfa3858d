//! A step for tests: the AP's task on the BSP wakes itself, and is polled once more for nothing. Who compares
//! counts of polls has to notice.

use core::{future::poll_fn, mem, task::Poll};

use reveille_smp::step::{Run, Section, Site, Step};

pub(super) struct NeedlessPoll;

impl Step for NeedlessPoll {
    fn name(&self) -> &'static str {
        "needless-poll"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    /// Behind all that is prepared.
    fn rank(&self) -> u16 {
        90
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let mut is_first = true;
        Run::later(poll_fn(move |context| {
            if mem::take(&mut is_first) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        }))
    }
}
