//! The order among the threads of a core: where a step asks for it, the first thread of a core
//! passes the step before the others are kicked.

use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{cpu::Place, ladder::Rung};

/// A core, by its package and its number there.
type Core = (u32, u32);

/// The first threads that have yet to come to the rung, and who waits for them.
pub(super) struct Primaries {
    rung: Option<Rung>,
    ahead: RefCell<BTreeMap<Core, Vec<Waker>>>,
}

impl Primaries {
    /// `places` are those of the CPUs that come up together; `rung` is where first threads must have
    /// come, if they must.
    pub(super) fn new(rung: Option<Rung>, places: impl Iterator<Item = Place>) -> Self {
        let ahead = match rung {
            None => BTreeMap::new(),
            Some(_) => places
                .filter(is_first)
                .map(|place| (core(place), Vec::new()))
                .collect(),
        };
        Self {
            rung,
            ahead: RefCell::new(ahead),
        }
    }

    /// Whether first threads come before the others.
    pub(super) fn come_first(&self) -> bool {
        self.rung.is_some()
    }

    /// Waits until the CPU there may be kicked.
    pub(super) async fn until_past(&self, place: Place) {
        if is_first(&place) {
            return;
        }
        poll_fn(
            |context| match self.ahead.borrow_mut().get_mut(&core(place)) {
                None => Poll::Ready(()),
                Some(waiting) => {
                    waiting.push(context.waker().clone());
                    Poll::Pending
                }
            },
        )
        .await;
    }

    /// The CPU there is on this rung now.
    pub(super) fn reached(&self, place: Place, rung: Rung) {
        if self.rung.is_some_and(|asked| rung >= asked) {
            self.conclude(place);
        }
    }

    /// The outcome of the CPU there is known: nobody waits for it any more.
    pub(super) fn conclude(&self, place: Place) {
        if is_first(&place)
            && let Some(waiting) = self.ahead.borrow_mut().remove(&core(place))
        {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

fn is_first(place: &Place) -> bool {
    place.thread == 0
}

fn core(place: Place) -> Core {
    (place.package, place.core)
}
