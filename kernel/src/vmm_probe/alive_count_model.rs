//! [`alive_count`](super::alive_count) under loom: every interleaving, over loom's atomics.

mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
}

#[expect(clippy::duplicate_mod, reason = "the same code, over other atomics")]
#[path = "alive_count.rs"]
mod alive_count;

use loom::{sync::Arc, thread};

use self::{
    alive_count::{AliveCount, Counted},
    sync::{AtomicBool, AtomicU32},
};

fn count() -> Arc<AliveCount> {
    Arc::new(AliveCount::in_word(AtomicU32::new(AliveCount::NOBODY)))
}

/// An AP that was not alive before.
fn ap() -> Counted {
    Counted::in_word(AtomicBool::new(false))
}

#[test]
fn of_aps_that_are_alive_at_once_one_is_the_last() {
    loom::model(|| {
        let count = count();
        count.expect(3);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let count = count.clone();
                thread::spawn(move || count.is_last(&ap()))
            })
            .collect();
        let mut last = usize::from(count.is_last(&ap()));
        for other in others {
            last += usize::from(other.join().unwrap());
        }
        assert_eq!(last, 1);
    });
}

#[test]
fn an_ap_that_is_alive_while_nobody_is_awaited_any_more_is_the_last_or_not_but_no_other_is() {
    loom::model(|| {
        let count = count();
        count.expect(1);
        let late = {
            let count = count.clone();
            thread::spawn(move || count.is_last(&ap()))
        };
        let was_alive = count.stop();
        assert_eq!(late.join().unwrap(), was_alive);
        // In any later round.
        for _ in 0..3 {
            assert!(!count.is_last(&ap()));
        }
    });
}

#[test]
fn while_nobody_is_awaited_nobody_is_the_last() {
    loom::model(|| {
        let count = count();
        assert!(!count.is_last(&ap()));
        count.expect(0);
        assert!(!count.is_last(&ap()));
    });
}

#[test]
fn an_ap_that_is_alive_again_does_not_stand_for_another() {
    loom::model(|| {
        let count = count();
        count.expect(2);
        let other = {
            let count = count.clone();
            thread::spawn(move || count.is_last(&ap()))
        };
        let ap = ap();
        let last = [count.is_last(&ap), count.is_last(&ap)];
        assert!(!last[1]);
        assert!(last[0] != other.join().unwrap());
        assert!(count.stop());
    });
}
