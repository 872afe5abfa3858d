//! In which order APs may go through the serialised steps.

use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec,
    vec::Vec,
};

use strum::{Display, EnumString, VariantArray, VariantNames};

/// In which order APs may go through the serialised steps. Its text is the name used on the command
/// line.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Display, EnumString, VariantArray, VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Order {
    /// Always the lowest one that is alive. One that is not is passed over, and taken when it is.
    #[default]
    Lowest,
    /// One after the other: each waits until all lower ones have been there or have failed. In
    /// `two-pass`, those of its own wave.
    Strict,
}

impl Order {
    /// All there are.
    pub const ALL: &[Self] = <Self as VariantArray>::VARIANTS;
}

/// Keeps the strict order: lets a CPU queue for its turn when all lower ones have done so, or never
/// will. CPUs are named by their index.
pub(crate) struct Precedence {
    order: Order,
    roll: RefCell<Roll>,
}

struct Roll {
    /// How many turns each CPU has queued for; all of them when its outcome is known.
    turns: Vec<usize>,
    /// For each turn, the lowest CPU that has not yet queued for it.
    lowest: Vec<usize>,
    /// Who waits for which turn.
    waiting: BTreeMap<usize, (usize, Waker)>,
}

/// More turns than anybody takes.
const ALL_TURNS: usize = usize::MAX;

impl Precedence {
    /// For so many CPUs, each of which takes so many turns.
    pub(crate) fn new(order: Order, cpus: usize, turns: usize) -> Self {
        Self {
            order,
            roll: RefCell::new(Roll {
                turns: vec![0; cpus],
                lowest: vec![0; turns],
                waiting: BTreeMap::new(),
            }),
        }
    }

    /// Waits until the CPU may queue for this turn, and counts it as queueing.
    ///
    /// # Cancellation
    ///
    /// The CPU then counts as concluded only by [`conclude`](Self::conclude).
    pub(crate) async fn until_next(&self, index: usize, turn: usize) {
        if self.order == Order::Lowest {
            return;
        }
        poll_fn(|context| {
            let roll = &mut *self.roll.borrow_mut();
            if roll.lowest[turn] < index {
                roll.waiting.insert(index, (turn, context.waker().clone()));
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        self.roll.borrow_mut().count(index, turn + 1);
    }

    /// The CPU's outcome is known: nobody waits for it any more.
    pub(crate) fn conclude(&self, index: usize) {
        if self.order == Order::Strict {
            self.roll.borrow_mut().count(index, ALL_TURNS);
        }
    }
}

impl Roll {
    fn count(&mut self, index: usize, turns: usize) {
        self.turns[index] = turns;
        for (turn, lowest) in self.lowest.iter_mut().enumerate() {
            let queued = |&cpu: &usize| self.turns.get(cpu).is_some_and(|&turns| turns > turn);
            while queued(lowest) {
                *lowest += 1;
            }
        }
        // Nobody above the lowest one may go, and nobody below it waits for that turn.
        for (turn, lowest) in self.lowest.iter().enumerate() {
            if let Entry::Occupied(waiting) = self.waiting.entry(*lowest)
                && waiting.get().0 == turn
            {
                waiting.remove().1.wake();
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::{
        future::Future,
        pin::{Pin, pin},
        task::{Context, Waker},
    };

    use super::*;

    fn is_next(future: Pin<&mut impl Future>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        future.poll(&mut context).is_ready()
    }

    #[test]
    fn each_cpu_waits_for_all_lower_ones_turn_by_turn() {
        let precedence = Precedence::new(Order::Strict, 3, 2);
        let mut two = pin!(precedence.until_next(2, 0));
        let mut one = pin!(precedence.until_next(1, 0));
        assert!(!is_next(two.as_mut()) && !is_next(one.as_mut()));
        assert!(is_next(pin!(precedence.until_next(0, 0))));
        assert!(!is_next(two.as_mut()));
        assert!(is_next(one.as_mut()));
        assert!(is_next(two.as_mut()));
        assert!(!is_next(pin!(precedence.until_next(1, 1))));
        assert!(is_next(pin!(precedence.until_next(0, 1))));
        assert!(is_next(pin!(precedence.until_next(1, 1))));
    }

    #[test]
    fn nobody_waits_for_a_cpu_whose_outcome_is_known() {
        let precedence = Precedence::new(Order::Strict, 2, 1);
        let mut one = pin!(precedence.until_next(1, 0));
        assert!(!is_next(one.as_mut()));
        precedence.conclude(0);
        assert!(is_next(one.as_mut()));
    }

    #[test]
    fn the_lowest_living_one_waits_for_nobody() {
        let precedence = Precedence::new(Order::Lowest, 2, 1);
        assert!(is_next(pin!(precedence.until_next(1, 0))));
    }
}
