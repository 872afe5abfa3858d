//! Which threads of a core are siblings: those that stay away where one thread of each core runs.
//!
//! The one that runs is the primary. The BSP runs in any case and so is the primary of its core; of
//! every other core it is the first thread among those that are to run. Where nothing tells threads
//! apart, nobody is a sibling.

use alloc::collections::BTreeMap;

use crate::cpu::Place;

/// The siblings of a machine. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct Siblings {
    /// The primary's thread, by package and core.
    primaries: BTreeMap<(u32, u32), u32>,
}

impl Siblings {
    /// The siblings among the BSP, which sits at `bsp`, and APs at these places.
    pub fn new(bsp: Place, aps: impl IntoIterator<Item = Place>) -> Self {
        let mut primaries = BTreeMap::new();
        for ap in aps {
            let thread = primaries.entry(core(ap)).or_insert(ap.thread);
            *thread = ap.thread.min(*thread);
        }
        primaries.insert(core(bsp), bsp.thread);
        Self { primaries }
    }

    /// Whether the CPU that sits there is one of them.
    pub fn contains(&self, place: Place) -> bool {
        let primary = self.primaries.get(&core(place));
        primary.is_some_and(|&thread| thread != place.thread)
    }
}

fn core(place: Place) -> (u32, u32) {
    (place.package, place.core)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn place((package, core, thread): (u32, u32, u32)) -> Place {
        Place {
            package,
            core,
            thread,
        }
    }

    /// Which of the APs at these places are siblings, with a BSP there.
    fn siblings<const N: usize>(bsp: (u32, u32, u32), aps: [(u32, u32, u32); N]) -> [bool; N] {
        let siblings = Siblings::new(place(bsp), aps.map(place));
        assert!(!siblings.contains(place(bsp)), "the BSP runs");
        aps.map(|ap| siblings.contains(place(ap)))
    }

    #[test]
    fn the_first_thread_of_a_core_is_no_sibling_wherever_it_is_listed() {
        let aps = [(0, 0, 1), (0, 1, 3), (0, 1, 0), (0, 1, 1), (1, 0, 0)];
        assert_eq!(siblings((0, 0, 0), aps), [true, true, false, true, false]);
    }

    #[test]
    fn all_others_of_the_bsps_core_are_siblings_even_lower_threads() {
        let aps = [(0, 0, 0), (0, 0, 2), (0, 1, 1)];
        assert_eq!(siblings((0, 0, 1), aps), [true, true, false]);
    }

    #[test]
    fn cores_of_the_same_number_in_two_packages_are_two() {
        let aps = [(1, 0, 1), (1, 0, 0), (2, 0, 1)];
        assert_eq!(siblings((0, 0, 0), aps), [true, false, false]);
    }

    #[test]
    fn where_nothing_tells_threads_apart_nobody_is_a_sibling() {
        assert_eq!(siblings((0, 0, 0), [(0, 0, 0), (0, 0, 0)]), [false, false]);
        assert!(!Siblings::default().contains(place((0, 0, 1))));
    }
}
