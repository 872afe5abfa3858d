//! The step `calls`: the CPU takes calls; on its way down it runs those that lie in its queue, and
//! takes no more.

use linkme::distributed_slice;
use reveille_smp::step::{Run, Site, Step};

use super::ByInterrupt;
use crate::{ladder::STEPS, percpu::PerCpu};

#[distributed_slice(STEPS)]
static CALLS: &dyn Step = &TakeCalls;

struct TakeCalls;

impl Step for TakeCalls {
    fn name(&self) -> &'static str {
        "calls"
    }

    /// Before `inbox`: whoever runs tasks of others takes calls too.
    fn rank(&self) -> u16 {
        28
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        PerCpu::current().calls().open();
        Run::Now(Ok(()))
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        PerCpu::current().calls().close(ByInterrupt);
        Run::Now(Ok(()))
    }
}
