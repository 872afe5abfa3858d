//! Every interleaving of the firmware's loop, in which an AP waits for its request, with whoever puts one into the
//! mailbox or takes it back, by loom.

use alloc::sync::Arc;

use loom::thread;

use crate::{
    cpu::ApicId,
    loom_slot::{Shared, on_ap},
    mailbox::Words,
};

/// Whom a request is for in these models, and where it sends him.
const ASKED: (ApicId, u64) = (ApicId(7), 0x9_d000);

/// An AP in the firmware's loop looks once, and takes what is for it.
fn look_and_take(words: &Words, read: impl FnOnce()) -> bool {
    let request = words.look();
    if let Some(request) = request {
        assert_eq!(request, ASKED, "it read half of a request");
        read();
        words.take();
    }
    request.is_some()
}

#[test]
fn whoever_sees_a_request_in_the_mailbox_sees_all_of_it() {
    loom::model(|| {
        let words = Arc::new(Words::new());
        let firmware = {
            let words = Arc::clone(&words);
            thread::spawn(move || look_and_take(&words, || {}))
        };
        words.request(ASKED.0, ASKED.1);
        if firmware.join().unwrap() {
            assert!(words.is_free());
        }
    });
}

/// The firmware's loop, until a request comes. What stands for what is read there is the stack.
fn firmware_loop(words: &Words, shared: &Shared) {
    while !look_and_take(words, || shared.write_stack()) {
        thread::yield_now();
    }
}

#[test]
fn behind_an_answer_nobody_reads_the_request_any_more() {
    loom::model(|| {
        let shared = Shared::kicked();
        let words = Arc::new(Words::new());
        let firmware = {
            let words = Arc::clone(&words);
            on_ap(&shared, move |shared| firmware_loop(&words, shared))
        };
        words.request(ASKED.0, ASKED.1);
        while !words.is_free() {
            thread::yield_now();
        }
        shared.write_stack();
        firmware.join().unwrap();
    });
}

#[test]
fn behind_a_retraction_that_came_too_late_nobody_reads_the_request_any_more() {
    loom::model(|| {
        let shared = Shared::kicked();
        let words = Arc::new(Words::new());
        let firmware = {
            let words = Arc::clone(&words);
            on_ap(&shared, move |shared| {
                look_and_take(&words, || shared.write_stack())
            })
        };
        words.request(ASKED.0, ASKED.1);
        if !words.retract() {
            shared.write_stack();
            assert!(firmware.join().unwrap(), "nobody else empties it");
        }
    });
}

#[test]
fn a_retraction_that_is_overtaken_leaves_one_user_of_the_stack() {
    loom::model(|| {
        let shared = Shared::kicked();
        let words = Arc::new(Words::new());
        let ap = {
            let words = Arc::clone(&words);
            on_ap(&shared, move |shared| {
                look_and_take(&words, || {}).then(|| shared.arrive())
            })
        };
        words.request(ASKED.0, ASKED.1);
        let is_retracted = words.retract();
        let is_given_up = shared.slot.state().give_up().is_ok();
        if is_given_up {
            shared.write_stack();
        }
        match ap.join().unwrap() {
            Some(is_mine) => assert_ne!(is_mine, is_given_up),
            None => assert!(is_retracted && is_given_up),
        }
        assert!(words.is_free());
    });
}
