//! [`alive_count`](super::alive_count) under loom: every interleaving, over loom's atomics.

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering};
}

#[expect(clippy::duplicate_mod, reason = "the same code, over other atomics")]
#[path = "alive_count.rs"]
mod alive_count;

use loom::{sync::Arc, thread};

use self::{alive_count::AliveCount, sync::AtomicU32};

fn count() -> Arc<AliveCount> {
    Arc::new(AliveCount::in_word(AtomicU32::new(AliveCount::NOBODY)))
}

#[test]
fn of_aps_that_are_alive_at_once_one_is_the_last() {
    loom::model(|| {
        let count = count();
        count.expect(3);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let count = count.clone();
                thread::spawn(move || count.is_last())
            })
            .collect();
        let mut last = usize::from(count.is_last());
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
            thread::spawn(move || count.is_last())
        };
        let was_alive = count.stop();
        assert_eq!(late.join().unwrap(), was_alive);
        // In any later round.
        for _ in 0..3 {
            assert!(!count.is_last());
        }
    });
}

#[test]
fn while_nobody_is_awaited_nobody_is_the_last() {
    loom::model(|| {
        let count = count();
        assert!(!count.is_last());
        count.expect(0);
        assert!(!count.is_last());
    });
}
