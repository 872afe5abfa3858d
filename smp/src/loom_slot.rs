//! Every interleaving of the two sides of a slot, by loom. Run with
//! `RUSTFLAGS="--cfg loom" cargo test --release -p reveille-smp --lib`.

use alloc::sync::Arc;
use core::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Waker},
};

use loom::{cell::UnsafeCell, future::block_on, thread};
use reveille_executor::Instant;

use crate::{
    errand::Errand,
    instances::Instance,
    ladder::Rung,
    slot::Slot,
    state::Stage,
    step::{Direction, StepError},
};

/// Where an AP is alive, a ladder of two steps above that, and the rung between them.
pub(crate) const BOTTOM: Rung = Rung(1);
pub(crate) const MIDDLE: Rung = Rung(2);
pub(crate) const TOP: Rung = Rung(3);

/// A slot with the stack that goes with it: loom reports two who touch it at once.
pub(crate) struct Shared {
    pub(crate) slot: Slot,
    stack: UnsafeCell<u32>,
}

impl Shared {
    pub(crate) fn kicked() -> Arc<Self> {
        let shared = Arc::new(Self {
            slot: Slot::new(),
            stack: UnsafeCell::new(0),
        });
        shared.write_stack();
        shared.slot.kick(BOTTOM).unwrap();
        shared
    }

    /// The same, with the AP alive.
    fn alive() -> Arc<Self> {
        let shared = Self::kicked();
        make_alive(&shared.slot);
        shared
    }

    /// The same, with the AP called to a rung and on its way there.
    fn moving(goal: Rung) -> Arc<Self> {
        let shared = Self::alive();
        shared.slot.call(goal);
        shared.slot.state().start().unwrap();
        shared
    }

    /// What the AP does between two ways: waits to be called, and sets out. Where to, if it was not
    /// abandoned at that moment.
    fn set_out(&self, at: Rung) -> Option<Rung> {
        block_on(self.slot.until_called(at, TOP));
        let start = self.slot.state().start();
        start.ok().and_then(|_| self.slot.permission().goal())
    }

    pub(crate) fn write_stack(&self) {
        // SAFETY: loom checks that no other thread is here at the same time.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
    }

    /// What the trampoline does: the stack is used only behind a claim that was won.
    pub(crate) fn arrive(&self) -> bool {
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

pub(crate) fn make_alive(slot: &Slot) {
    slot.state().claim().unwrap();
    slot.report_alive(Instant::from_nanos(1)).unwrap();
}

/// Lets the AP's side run beside the BSP's.
pub(crate) fn on_ap<T: Send + 'static>(
    shared: &Arc<Shared>,
    side: impl FnOnce(&Shared) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || side(&shared))
}

pub(crate) fn is_ready(future: Pin<&mut impl Future>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    future.poll(&mut context).is_ready()
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
fn who_withdraws_has_the_stack_or_an_ap_that_has_claimed_it() {
    loom::model(|| {
        let shared = Shared::kicked();
        let ap = on_ap(&shared, Shared::arrive);
        let is_down = shared.slot.state().withdraw();
        if is_down {
            shared.write_stack();
        }
        assert_ne!(shared.slot.state().load().stage(), Stage::Kicked);
        assert_ne!(ap.join().unwrap(), is_down);
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
            shared.slot.kick(BOTTOM).unwrap();
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
        assert_eq!(shared.slot.notes.real.get(), Some(Instant::from_nanos(1)));
        assert_eq!(shared.slot.notes.alive.get(), Some(Instant::from_nanos(3)));
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
            assert_eq!(shared.set_out(BOTTOM), Some(MIDDLE));
            shared.write_stack();
        });
        shared.write_stack();
        shared.slot.call(MIDDLE);
        ap.join().unwrap();
    });
}

#[test]
fn the_bsp_always_hears_of_a_rest_and_sees_how_far_the_ap_has_come() {
    loom::model(|| {
        let shared = Shared::moving(MIDDLE);
        let ap = on_ap(&shared, |shared| {
            shared.write_stack();
            shared.slot.report_passed(MIDDLE);
            shared.slot.report_rest().unwrap();
        });
        block_on(shared.slot.until(|slot| slot.stage() == Stage::Alive));
        assert_eq!(shared.slot.progress().rung, MIDDLE);
        // What the AP did in its steps must be seen.
        shared.write_stack();
        ap.join().unwrap();
    });
}

#[test]
fn whoever_sees_a_rung_sees_what_was_done_below_it() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        let ap = on_ap(&shared, |shared| {
            shared.write_stack();
            shared.slot.report_passed(MIDDLE);
        });
        if shared.slot.progress().rung == MIDDLE {
            shared.write_stack();
        }
        ap.join().unwrap();
    });
}

#[test]
fn the_bsp_always_hears_of_online_and_sees_its_time_stamp() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        let ap = on_ap(&shared, |shared| {
            shared.slot.report_passed(TOP);
            shared.slot.report_online(Instant::from_nanos(2)).unwrap();
        });
        block_on(shared.slot.until(|slot| slot.stage() == Stage::Online));
        assert_eq!(shared.slot.progress().rung, TOP);
        assert_eq!(shared.slot.notes.online.get(), Some(Instant::from_nanos(2)));
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_whose_step_failed_goes_nowhere_until_it_is_called_again_and_both_see_why() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        let ap = on_ap(&shared, |shared| {
            let slot = &shared.slot;
            slot.report_failed(MIDDLE, 1, StepError::Exhausted);
            slot.report_rest().unwrap();
            // The old call is over: only the new one moves it.
            assert_eq!(shared.set_out(MIDDLE), Some(BOTTOM));
        });
        block_on(shared.slot.until(|slot| slot.stage() == Stage::Alive));
        let failure = shared.slot.progress().failure;
        assert_eq!(failure, Some((1, StepError::Exhausted)));
        shared.slot.call(BOTTOM);
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
        let kicked = shared.slot.kick(BOTTOM).unwrap();
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
fn a_cpu_that_is_taken_out_as_it_comes_late_leaves_a_slot_that_nobody_uses() {
    loom::model(|| {
        let shared = Shared::kicked();
        let late = on_ap(&shared, Shared::arrive);
        if shared.slot.state().give_up().is_ok() {
            // Whether it has left word by now or not.
            shared.slot.vacate().unwrap();
            shared.write_stack();
            assert!(!late.join().unwrap());
            assert_eq!(shared.stage(), Stage::NotPresent);
        } else {
            // It came first: it owns its stack, and stays.
            assert!(shared.slot.vacate().is_err());
            assert!(late.join().unwrap());
            assert_eq!(shared.stage(), Stage::Claimed);
        }
    });
}

#[test]
fn a_cpu_that_comes_in_the_place_of_another_sees_what_that_one_left() {
    loom::model(|| {
        let shared = Shared::moving(BOTTOM);
        let first = on_ap(&shared, |shared| {
            shared.write_stack();
            shared.slot.state().park().unwrap();
        });
        // Nobody is woken by a CPU that parks.
        while shared.slot.vacate().is_err() {
            thread::yield_now();
        }
        shared.slot.state().appear().unwrap();
        shared.slot.kick(BOTTOM).unwrap();
        // Another CPU, which knows of the first only by the slot.
        let second = on_ap(&shared, Shared::arrive);
        assert!(second.join().unwrap());
        first.join().unwrap();
    });
}

/// Whether an AP that was called to the top is there.
pub(crate) fn is_online(slot: &Slot) -> bool {
    slot.stage() == Stage::Online
}

#[test]
fn an_ap_is_online_or_abandoned_and_both_sides_agree() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        let ap = on_ap(&shared, |shared| {
            shared.slot.report_online(Instant::from_nanos(2)).is_ok()
        });
        let is_abandoned = shared.slot.abandon(is_online).is_ok();
        assert_ne!(ap.join().unwrap(), is_abandoned);
        let expected = match is_abandoned {
            true => Stage::Abandoned,
            false => Stage::Online,
        };
        assert_eq!(shared.stage(), expected);
    });
}

#[test]
fn an_ap_that_rests_at_the_last_moment_is_not_abandoned() {
    loom::model(|| {
        let shared = Shared::moving(MIDDLE);
        let ap = on_ap(&shared, |shared| {
            shared.slot.report_passed(MIDDLE);
            shared.slot.report_rest().is_ok()
        });
        let rests = |slot: &Slot| slot.stage() == Stage::Alive && slot.progress().rung == MIDDLE;
        let is_abandoned = shared.slot.abandon(rests).is_ok();
        assert_ne!(ap.join().unwrap(), is_abandoned);
    });
}

#[test]
fn an_ap_that_counts_as_come_to_its_rung_rests_there_and_has_not_only_set_out() {
    loom::model(|| {
        let shared = Shared::alive();
        let ap = on_ap(&shared, |shared| {
            assert_eq!(shared.set_out(BOTTOM), Some(MIDDLE));
            shared.slot.report_passed(MIDDLE);
            shared.slot.report_rest().unwrap();
        });
        shared.slot.call(MIDDLE);
        if shared.slot.has_come_to(MIDDLE, TOP) {
            assert_eq!(shared.stage(), Stage::Alive);
        }
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_that_comes_back_finds_nothing_of_what_it_was_asked_before_it_was_abandoned() {
    loom::model(|| {
        let shared = Shared::alive();
        let ap = on_ap(&shared, |shared| {
            let is_abandoned = shared.stage() == Stage::Abandoned;
            if is_ready(pin!(shared.slot.until_called(BOTTOM, TOP))) {
                assert!(!is_abandoned);
                shared.slot.report_done(Err(StepError::TimedOut));
            }
        });
        shared.slot.send(Errand {
            step: 1,
            instance: Instance::new(0).unwrap(),
            direction: Direction::Up,
        });
        let is_answered = |slot: &Slot| slot.answer().is_some();
        let is_abandoned = shared.slot.abandon(is_answered).is_ok();
        ap.join().unwrap();
        assert!(!is_ready(pin!(shared.slot.until_called(BOTTOM, TOP))));
        assert!(is_abandoned || is_answered(&shared.slot));
    });
}

#[test]
fn a_second_call_reaches_the_ap_with_what_the_bsp_did_before() {
    loom::model(|| {
        let shared = Shared::moving(MIDDLE);
        shared.slot.report_passed(MIDDLE);
        shared.slot.report_rest().unwrap();
        let ap = on_ap(&shared, |shared| {
            assert_eq!(shared.set_out(MIDDLE), Some(TOP));
            shared.write_stack();
        });
        shared.write_stack();
        shared.slot.call(TOP);
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_always_hears_that_it_is_to_leave_and_parks_with_its_work_seen() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        shared.slot.report_passed(TOP);
        shared.slot.report_online(Instant::from_nanos(2)).unwrap();
        let ap = on_ap(&shared, |shared| {
            assert_eq!(shared.set_out(TOP), Some(BOTTOM));
            shared.write_stack();
            shared.slot.state().park().unwrap();
        });
        shared.slot.call(BOTTOM);
        if shared.stage() == Stage::Parked {
            shared.write_stack();
        }
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_that_is_abandoned_as_it_sets_out_comes_back_and_waits_to_be_called() {
    loom::model(|| {
        let shared = Shared::alive();
        shared.slot.call(MIDDLE);
        let ap = on_ap(&shared, |shared| {
            let called = pin!(shared.slot.until_called(BOTTOM, TOP));
            if is_ready(called) && shared.slot.state().start().is_ok() {
                let _ = shared.slot.report_rest();
            }
        });
        let never = |_: &Slot| false;
        shared.slot.abandon(never).unwrap();
        ap.join().unwrap();
        assert!(!is_ready(pin!(shared.slot.until_called(BOTTOM, TOP))));
        assert_eq!(shared.stage(), Stage::Alive);
    });
}

#[test]
fn an_ap_that_has_been_abandoned_comes_back_and_hears_of_the_next_call() {
    loom::model(|| {
        let shared = Shared::alive();
        let ap = on_ap(&shared, |shared| {
            assert_eq!(shared.set_out(BOTTOM), Some(TOP));
        });
        shared.slot.abandon(|_| false).unwrap();
        while shared.stage() != Stage::Alive {
            thread::yield_now();
        }
        shared.slot.call(TOP);
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_in_a_step_without_end_hears_that_it_is_abandoned() {
    loom::model(|| {
        let shared = Shared::moving(TOP);
        let ap = on_ap(&shared, |shared| {
            block_on(shared.slot.until_abandoned());
            assert!(shared.slot.permission().goal().is_none());
        });
        shared.slot.abandon(is_online).unwrap();
        ap.join().unwrap();
    });
}

#[test]
fn an_ap_that_is_asked_to_do_something_where_it_is_hears_of_it_and_its_answer_is_heard() {
    loom::model(|| {
        let shared = Shared::alive();
        let ap = on_ap(&shared, |shared| {
            let errand = block_on(shared.slot.until_called(BOTTOM, TOP));
            assert_eq!(errand.map(|errand| errand.step), Some(1));
            shared.write_stack();
            shared.slot.report_done(Ok(()));
        });
        shared.write_stack();
        shared.slot.send(Errand {
            step: 1,
            instance: Instance::new(0).unwrap(),
            direction: Direction::Up,
        });
        block_on(shared.slot.until(|slot| slot.answer().is_some()));
        shared.write_stack();
        ap.join().unwrap();
    });
}
