//! In which order APs are kicked and waited for. All strategies run the same attempt for each
//! AP, with the same steps and the same trampoline; here and only here they differ.

mod broadcast;
mod legacy;
mod parallel;
mod serial;
mod two_pass;

use alloc::{rc::Rc, vec::Vec};

use reveille_executor::Spawner;
use strum::{Display, EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::{
    bringup::{Report, Shared, Timing},
    machine::Machine,
    order::Order,
};

/// The order of kicks and waits. Its text is the name used on the command line and in records.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
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
    pub const ALL: &[Self] = <Self as VariantArray>::VARIANTS;

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
