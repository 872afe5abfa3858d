//! Tasks for a CPU, from any CPU, and the step `inbox`.

use linkme::distributed_slice;
use reveille_smp::{
    cpu::CpuIndex,
    inbox::NotSent,
    remote::RemoteHandle,
    step::{Run, Site, Step},
};

use crate::{ladder::STEPS, percpu::PerCpu};

#[distributed_slice(STEPS)]
static INBOX: &dyn Step = &TakeTasks;

/// The CPU takes tasks from others; on its way down it ends those that it has.
struct TakeTasks;

impl Step for TakeTasks {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn rank(&self) -> u16 {
        30
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        PerCpu::current().inbox().open();
        Run::Now(Ok(()))
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Run::later(async {
            PerCpu::current().inbox().close().await;
            Ok(())
        })
    }
}

/// Sends a task to a CPU, which may be the one that calls. From task context. The task runs by
/// itself on the executor of that CPU, and the handle, to be awaited on any CPU, gives what it came
/// to: see [`Inbox::spawn`](reveille_smp::inbox::Inbox::spawn).
///
/// # Errors
///
/// [`NotSent`] gives the future back: the CPU is not there or not online, or too much is on its way
/// to it.
pub fn spawn_on<F>(cpu: CpuIndex, future: F) -> Result<RemoteHandle<F::Output>, NotSent<F>>
where
    F: Future<Output: Send> + Send + 'static,
{
    match PerCpu::of(cpu) {
        Some(area) => area.inbox().spawn(future),
        None => Err(NotSent::Closed(future)),
    }
}
