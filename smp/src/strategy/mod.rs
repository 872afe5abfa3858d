//! In which order APs are kicked and waited for. All strategies run the same attempt for each
//! AP, with the same steps and the same trampoline; here and only here they differ.

mod broadcast;
mod legacy;
mod parallel;
mod serial;
mod two_pass;

use core::{fmt, str::FromStr};

use alloc::{rc::Rc, vec::Vec};

use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared, Timing},
    machine::Machine,
    order::Order,
};

/// The order of kicks and waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All APs at once, each in a task of its own.
    #[default]
    Parallel,
    /// As parallel, but with one INIT and one SIPI to all: these also wake CPUs that the firmware
    /// lists as disabled, and those that were to be left alone.
    Broadcast,
    /// All APs are kicked one after the other, then brought online one after the other; sibling
    /// threads in a second wave. As in Linux since 6.5.
    TwoPass,
    /// One AP is online before the next is kicked, as in Linux before 6.5.
    Serial,
    /// As serial, with the long delays of old and a second SIPI in any case.
    Legacy,
}

impl Strategy {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Parallel,
        Self::Broadcast,
        Self::TwoPass,
        Self::Serial,
        Self::Legacy,
    ];

    /// The name used on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Broadcast => "broadcast",
            Self::TwoPass => "two-pass",
            Self::Serial => "serial",
            Self::Legacy => "legacy",
        }
    }

    /// How long this strategy waits where others would wait as in `timing`.
    pub(crate) fn timing(self, timing: Timing) -> Timing {
        match self {
            Self::Legacy => legacy::timing(timing),
            _ => timing,
        }
    }

    /// Whom the serialised steps wait for where others would keep to `order`.
    pub(crate) fn order(self, order: Order) -> Order {
        match self {
            Self::TwoPass => Order::Lowest,
            _ => order,
        }
    }

    pub(crate) async fn drive<M: Machine>(
        self,
        shared: &Rc<Shared<M>>,
        spawner: &Spawner,
    ) -> Vec<Report> {
        match self {
            Self::Parallel => parallel::drive(shared, spawner).await,
            Self::Broadcast => broadcast::drive(shared, spawner).await,
            Self::TwoPass => two_pass::drive(shared, spawner).await,
            Self::Serial | Self::Legacy => serial::drive(shared, spawner).await,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no strategy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStrategy;

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == name)
            .ok_or(UnknownStrategy)
    }
}
