//! Every interleaving of the two sides of a slot, by loom. Run with
//! `RUSTFLAGS="--cfg loom" cargo test --release -p reveille-smp --lib`.

use loom::{cell::UnsafeCell, future::block_on, sync::Arc, thread};
use reveille_executor::Instant;

use crate::{slot::Slot, state::Stage};

/// A slot with the stack that goes with it: loom reports two who touch it at once.
struct Shared {
    slot: Slot,
    stack: UnsafeCell<u32>,
}

impl Shared {
    fn kicked() -> Arc<Self> {
        let shared = Arc::new(Self {
            slot: Slot::new(),
            stack: UnsafeCell::new(0),
        });
        shared.write_stack();
        shared.slot.kick().unwrap();
        shared
    }

    /// The same, with the AP alive.
    fn alive() -> Arc<Self> {
        let shared = Self::kicked();
        shared.slot.state().claim().unwrap();
        shared.slot.report_alive(Instant::from_nanos(1)).unwrap();
        shared
    }

    fn write_stack(&self) {
        // SAFETY: loom checks that no other thread is here at the same time.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
    }

    /// What the trampoline does: the stack is used only behind a claim that was won.
    fn arrive(&self) -> bool {
        let is_mine = self.slot.state().claim().is_ok();
        if is_mine {
            self.write_stack();
        } else {
            let _ = self.slot.state().come_late();
        }
        is_mine
    }

    fn stage(&self) -> Stage {
        self.slot.state().load().stage()
    }
}

/// Lets the AP's side run beside the BSP's.
fn on_ap<T: Send + 'static>(
    shared: &Arc<Shared>,
    side: impl FnOnce(&Shared) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || side(&shared))
}

#[test]
fn a_claim_and_a_give_up_never_both_win_and_the_stack_has_one_user() {
    loom::model(|| {
        let shared = Shared::kicked();
        let ap = on_ap(&shared, Shared::arrive);
        let is_given_up = shared.slot.state().give_up().is_ok();
        if is_given_up {
            shared.write_stack();
        }
        assert_ne!(ap.join().unwrap(), is_given_up);
    });
}

#[test]
fn of_two_arrivals_one_gets_the_stack() {
    loom::model(|| {
        let shared = Shared::kicked();
        let other = on_ap(&shared, Shared::arrive);
        let (mine, its) = (shared.arrive(), other.join().unwrap());
        assert_ne!(mine, its);
    });
}

#[test]
fn a_late_ap_that_meets_the_second_attempt_leaves_one_user_of_the_stack() {
    loom::model(|| {
        let shared = Shared::kicked();
        let late = on_ap(&shared, Shared::arrive);
        if shared.slot.state().give_up().is_ok() {
            shared.write_stack();
            shared.slot.kick().unwrap();
        }
        // Whoever comes, by the old SIPI or by the new one, finds at most one open slot.
        let (mine, its) = (shared.arrive(), late.join().unwrap());
        assert_ne!(mine, its);
    });
}

#[test]
fn the_bsp_always_hears_of_an_alive_ap_and_sees_its_time_stamps() {
    loom::model(|| {
        let shared = Shared::kicked();
        let ap = on_ap(&shared, |shared| {
            assert!(shared.arrive());
            shared
                .slot
                .arrived(Instant::from_nanos(1), Instant::from_nanos(2));
            shared.slot.report_alive(Instant::from_nanos(3)).unwrap();
        });
        // A lost wake is a deadlock, which loom reports.
        block_on(
            shared
                .slot
                .until(|slot| slot.state().load().stage() == Stage::Alive),
        );
        assert_eq!(shared.slot.real.get(), Some(Instant::from_nanos(1)));
        assert_eq!(shared.slot.alive.get(), Some(Instant::from_nanos(3)));
        // What the AP wrote on its stack before is the BSP's to see.
        shared.write_stack();
        ap.join().unwrap();
    });
}

#[test]
fn at_the_deadline_the_ap_is_given_up_or_seen() {
    loom::model(|| {
        let shared = Shared::kicked();
        let ap = on_ap(&shared, |shared| {
            if shared.arrive() {
                shared.slot.report_alive(Instant::from_nanos(1)).unwrap();
            }
        });
        if shared.slot.state().give_up().is_err() {
            assert!(matches!(shared.stage(), Stage::Claimed | Stage::Alive));
            block_on(
                shared
                    .slot
                    .until(|slot| slot.state().load().stage() == Stage::Alive),
            );
        }
        ap.join().unwrap();
    });
}

#[test]
fn a_called_ap_always_hears_of_it_and_sees_what_the_bsp_prepared() {
    loom::model(|| {
        let shared = Shared::alive();
        let ap = on_ap(&shared, |shared| {
            block_on(shared.slot.until_called());
            shared.write_stack();
            block_on(shared.slot.until_permitted(0));
        });
        shared.write_stack();
        shared.slot.call(1).unwrap();
        ap.join().unwrap();
    });
}

#[test]
fn the_bsp_always_hears_of_a_passed_section_and_of_online() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(2).unwrap();
        let ap = on_ap(&shared, |shared| {
            shared.write_stack();
            shared.slot.report_passed(1, true);
            shared.slot.report_online(Instant::from_nanos(2)).unwrap();
        });
        block_on(shared.slot.until(|slot| slot.passed() >= 1));
        // The turn goes on here, so what the AP did in its section must be seen.
        shared.write_stack();
        block_on(
            shared
                .slot
                .until(|slot| slot.state().load().stage() == Stage::Online),
        );
        assert_eq!(shared.slot.online.get(), Some(Instant::from_nanos(2)));
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_that_comes_late_is_noticed_or_kicked_again_and_never_both_lost() {
    loom::model(|| {
        let shared = Shared::kicked();
        shared.slot.state().give_up().unwrap();
        let late = on_ap(&shared, Shared::arrive);
        // The kick succeeds whether the late one has left word or not.
        let kicked = shared.slot.kick().unwrap();
        let is_claimed = late.join().unwrap();
        let state = shared.slot.state().load();
        let expected = if is_claimed {
            Stage::Claimed
        } else {
            Stage::Kicked
        };
        assert_eq!(
            (state.stage(), state.generation()),
            (expected, kicked.generation())
        );
    });
}

#[test]
fn an_ap_is_online_or_abandoned_and_both_sides_agree() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(1).unwrap();
        let ap = on_ap(&shared, |shared| {
            let is_online = shared.slot.report_online(Instant::from_nanos(2)).is_ok();
            // Abandoned, it never comes back to the steps.
            is_online || !block_on(shared.slot.until_permitted(1))
        });
        let is_abandoned = shared.slot.abandon().is_ok();
        assert!(ap.join().unwrap());
        let expected = if is_abandoned {
            Stage::Abandoned
        } else {
            Stage::Online
        };
        assert_eq!(shared.stage(), expected);
    });
}

#[test]
fn a_second_permission_reaches_the_ap_with_what_the_bsp_did_before() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(1).unwrap();
        let ap = on_ap(&shared, |shared| {
            assert!(block_on(shared.slot.until_permitted(1)));
            // The section before was another CPU's: the turn has come from it over the BSP.
            shared.write_stack();
        });
        shared.write_stack();
        shared.slot.permit(2);
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_always_hears_that_it_is_sent_down_and_parks_with_its_work_seen() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(0).unwrap();
        shared.slot.report_online(Instant::from_nanos(2)).unwrap();
        let ap = on_ap(&shared, |shared| {
            block_on(shared.slot.until_sent_down());
            shared.write_stack();
            shared.slot.state().park().unwrap();
        });
        shared.slot.go_down().unwrap();
        if shared.stage() == Stage::Parked {
            shared.write_stack();
        }
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_that_waits_for_its_next_section_hears_that_it_is_abandoned() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(1).unwrap();
        let ap = on_ap(&shared, |shared| {
            assert!(!block_on(shared.slot.until_permitted(1)));
        });
        shared.slot.abandon().unwrap();
        ap.join().unwrap();
    });
}
