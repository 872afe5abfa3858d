//! A relay over all CPUs: the task on each sends the next one the rest of the way, awaits it, and
//! adds where it ran itself. The last one is the BSP again.
//!
//! ```text
//!   BSP ──▶ first AP ──▶ ... ──▶ last AP ──▶ BSP
//!       ◀──          ◀── ... ◀──         ◀──       where each task ran
//! ```

use alloc::{
    boxed::Box,
    vec::{self, Vec},
};
use core::{error::Error, fmt, pin::Pin, time::Duration};

use reveille_executor::Timer;
use reveille_smp::{cpu::CpuIndex, remote::RemoteError};

use super::spawn_on;
use crate::percpu::PerCpu;

/// Until when the way there and back must have been made. Only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(5);

/// The rest of a way, and where its tasks ran.
type Leg = Pin<Box<dyn Future<Output = Result<Vec<CpuIndex>, Dropped>> + Send>>;

/// Sends a task over these APs, lowest number first, and back to the BSP, and gives the numbers of the CPUs on which it
/// found itself.
///
/// # Errors
///
/// When a CPU did not take its task or did not end it, or when it took too long.
pub async fn relay(
    aps: impl Iterator<Item = CpuIndex>,
    timer: &Timer,
) -> Result<Vec<CpuIndex>, Box<dyn Error>> {
    let mut way: Vec<CpuIndex> = aps.collect();
    way.sort_unstable();
    way.push(CpuIndex::BSP);
    Ok(timer.timeout(DEADLINE, leg(way.into_iter())).await??)
}

fn leg(mut way: vec::IntoIter<CpuIndex>) -> Leg {
    Box::pin(async move {
        let mut ran = Vec::from([PerCpu::current().index()]);
        if let Some(next) = way.next() {
            let dropped = |reason| Dropped { at: next, reason };
            let rest = spawn_on(next, leg(way)).map_err(|_| dropped(None))?;
            ran.extend(rest.await.map_err(|error| dropped(Some(error)))??);
        }
        Ok(ran)
    })
}

/// Where a relay came to its end too early.
#[derive(Debug)]
struct Dropped {
    at: CpuIndex,
    /// Why the task ended, if it was taken.
    reason: Option<RemoteError>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the relay ended at CPU {}: ", self.at)?;
        match self.reason {
            Some(reason) => write!(f, "{reason}"),
            None => f.write_str("the CPU took no task"),
        }
    }
}

impl Error for Dropped {}
