//! Which CPUs something is done for, or done by.

use serde::Deserialize;

use super::Shape;

/// Some of a machine's CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// All of them.
    #[default]
    Every,
    /// The first thread of each core.
    FirstThreads,
    /// The other threads.
    OtherThreads,
    /// The lowest CPU of each package but the BSP's.
    FirstOfPackage,
    /// All CPUs of the packages that are not the BSP's.
    OtherPackages,
}

impl Who {
    /// Whether a CPU of a machine of that shape is one of them.
    pub fn includes(self, shape: &Shape, cpu: usize) -> bool {
        let place = shape.place(cpu);
        let is_elsewhere = place.package != shape.place(0).package;
        match self {
            Self::Every => true,
            Self::FirstThreads => place.thread == 0,
            Self::OtherThreads => place.thread > 0,
            // In either numbering the first thread of the first core has the lowest number.
            Self::FirstOfPackage => is_elsewhere && (place.core, place.thread) == (0, 0),
            Self::OtherPackages => is_elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::model::{Numbering, shape::Scale};

    fn included(who: Who, numbering: Numbering) -> Vec<usize> {
        let shape = Shape::new([2, 2, 2], numbering, Scale::Cores).expect("it has CPUs");
        let all = 0..shape.cpus();
        all.filter(|&cpu| who.includes(&shape, cpu)).collect()
    }

    #[test]
    fn each_group_has_the_cpus_that_its_name_says() {
        let first = |who| included(who, Numbering::FirstThreadsFirst);
        assert_eq!(first(Who::Every).len(), 8);
        assert_eq!(first(Who::FirstThreads), [0, 1, 2, 3]);
        assert_eq!(first(Who::OtherThreads), [4, 5, 6, 7]);
        assert_eq!(first(Who::FirstOfPackage), [2]);
        assert_eq!(first(Who::OtherPackages), [2, 3, 6, 7]);
        let together = |who| included(who, Numbering::SiblingsTogether);
        assert_eq!(together(Who::FirstThreads), [0, 2, 4, 6]);
        assert_eq!(together(Who::FirstOfPackage), [4]);
        assert_eq!(together(Who::OtherPackages), [4, 5, 6, 7]);
    }
}
