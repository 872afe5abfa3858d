//! A step for tests: the CPU waits, one after the other or all at once, so that one sees what a slow
//! step costs.

use core::time::Duration;

use reveille_smp::step::{Mode, Run, Site, Step};

/// How long each CPU waits on its way up.
const SPAN: Duration = Duration::from_millis(1);

pub(super) struct Wait(pub(super) Mode);

impl Step for Wait {
    fn name(&self) -> &'static str {
        "wait"
    }

    /// Behind `idle`, and with no serialised step beside it.
    fn rank(&self) -> u16 {
        25
    }

    fn mode(&self) -> Mode {
        self.0
    }

    fn up<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        Run::later(async move {
            site.timer.sleep(SPAN).await;
            Ok(())
        })
    }
}
