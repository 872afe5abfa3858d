//! In which order APs are kicked and waited for. All strategies run the same attempt for each
//! AP, with the same steps and the same trampoline; here and only here they differ.

mod parallel;
mod serial;

use core::{fmt, str::FromStr};

use alloc::{rc::Rc, vec::Vec};

use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
};

/// The order of kicks and waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All APs at once, each in a task of its own.
    #[default]
    Parallel,
    /// One AP is online before the next is kicked, as in Linux before 6.5.
    Serial,
}

impl Strategy {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Parallel, Self::Serial];

    /// The name used on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Serial => "serial",
        }
    }

    pub(crate) async fn drive<M: Machine>(
        self,
        shared: &Rc<Shared<M>>,
        spawner: &Spawner,
    ) -> Vec<Report> {
        match self {
            Self::Parallel => parallel::drive(shared, spawner).await,
            Self::Serial => serial::drive(shared, spawner).await,
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
