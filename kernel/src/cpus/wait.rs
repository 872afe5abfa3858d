//! A step for tests: the CPU waits, one after the other or all at once, so that one sees what a slow
//! step costs.

use core::time::Duration;

use reveille_smp::step::{Mode, Run, Site, Step};

use super::needless_poll::NeedlessPoll;
use crate::command_line::TestHook;

/// How long each CPU waits on its way up.
const SPAN: Duration = Duration::from_millis(1);

struct Wait(Mode);

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

/// The step that a test adds, if it adds one.
pub(super) fn asked_for(tests: &[TestHook]) -> Option<&'static dyn Step> {
    tests.iter().find_map(|test| -> Option<&'static dyn Step> {
        match test {
            TestHook::WaitSerialised => Some(&Wait(Mode::Serialised)),
            TestHook::WaitConcurrent => Some(&Wait(Mode::Concurrent)),
            TestHook::NeedlessPoll => Some(&NeedlessPoll),
            _ => None,
        }
    })
}
