//! A step for tests: the AP's task on the BSP wakes itself, and is polled once more for nothing. Who compares
//! counts of polls has to notice.

use reveille_smp::{
    round::next_round,
    step::{Run, Section, Site, Step},
};

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
        Run::later(async {
            next_round().await;
            Ok(())
        })
    }
}
