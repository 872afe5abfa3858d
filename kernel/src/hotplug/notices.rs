//! By what the kernel learns that it is to look: the event that the chipset raises, or the time.

use core::time::Duration;

use reveille_executor::Timer;
use reveille_smp::record::HotplugSource;

use crate::{println, sci::GpeEvents};

/// How often it looks where nothing tells it to. To look costs three accesses to ports.
const PERIOD: Duration = Duration::from_secs(1);

/// When to look.
pub(super) enum Notices {
    /// When the chipset says so.
    Sci(GpeEvents),
    /// Every [`PERIOD`].
    Poll,
}

impl Notices {
    /// What the next of them is.
    pub(super) fn source(&self) -> HotplugSource {
        match self {
            Self::Sci(_) => HotplugSource::Sci,
            Self::Poll => HotplugSource::Poll,
        }
    }

    /// Waits until it is time to look. An event that fails gives way to the time.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost that is still to be seen.
    pub(super) async fn next(&mut self, timer: &Timer) {
        match self {
            Self::Sci(events) => {
                if let Err(error) = events.next().await {
                    println!("hotplug: {error}; from now on it looks every {PERIOD:?}");
                    *self = Self::Poll;
                }
            }
            Self::Poll => timer.sleep(PERIOD).await,
        }
    }
}
