//! [`stop`](crate::stop) under loom: every interleaving, over loom's atomics.

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
}

#[expect(clippy::duplicate_mod, reason = "the same code, over other atomics")]
#[path = "stop.rs"]
mod stop;

use loom::{sync::Arc, thread};

use self::{
    stop::{Claim, Ending, Presence},
    sync::{AtomicU8, AtomicU64},
};

const BSP: u32 = 0;
const AP: u32 = 1;

fn two_words() -> (Arc<Presence>, Arc<Ending>) {
    (
        Arc::new(Presence::in_word(AtomicU8::new(0))),
        Arc::new(Ending::in_word(AtomicU64::new(0))),
    )
}

#[test]
fn a_cpu_that_comes_while_the_run_ends_sees_that_or_is_seen() {
    loom::model(|| {
        let (presence, ending) = two_words();
        let coming = {
            let (presence, ending) = (presence.clone(), ending.clone());
            thread::spawn(move || {
                presence.come();
                ending.is_by_other_than(AP)
            })
        };
        assert_eq!(ending.claim(BSP), Claim::Won);
        let gets_nmi = presence.is_running();
        let halts = coming.join().unwrap();
        assert!(halts || gets_nmi, "the CPU runs on while the run ends");
    });
}

#[test]
fn of_two_cpus_that_fail_at_once_one_ends_the_run() {
    loom::model(|| {
        let (presence, ending) = two_words();
        let other = {
            let (presence, ending) = (presence.clone(), ending.clone());
            thread::spawn(move || {
                presence.come();
                let claim = ending.claim(AP);
                if claim == Claim::Lost {
                    presence.stop();
                }
                claim
            })
        };
        let claim = ending.claim(BSP);
        let others = other.join().unwrap();
        let won = [claim, others]
            .iter()
            .filter(|&&claim| claim == Claim::Won)
            .count();
        assert_eq!(won, 1);
        assert_eq!(presence.is_running(), others == Claim::Won);
        assert!(ending.is_by_other_than(if claim == Claim::Won { AP } else { BSP }));
    });
}

#[test]
fn a_cpu_that_fails_while_it_ends_the_run_is_told_so() {
    loom::model(|| {
        let (_, ending) = two_words();
        assert_eq!(ending.claim(AP), Claim::Won);
        assert_eq!(ending.claim(AP), Claim::Again);
        assert!(!ending.is_by_other_than(AP));
    });
}

#[test]
fn a_cpu_that_left_gets_no_nmi() {
    loom::model(|| {
        let (presence, _) = two_words();
        assert!(!presence.is_running());
        presence.come();
        assert!(presence.is_running());
        presence.leave();
        assert!(!presence.is_running());
    });
}
