//! Every interleaving of CPUs that ask another one what it does, by loom.

use alloc::sync::Arc;

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    cpu::CpuIndex,
    probe::{MOST_RETURNS, Probe, Seen},
};

const BSP: CpuIndex = CpuIndex(0);
const AP: CpuIndex = CpuIndex(1);

/// All of it the same number, so that a mixture of two shows.
fn seen(number: u64) -> Seen {
    Seen {
        rip: number,
        rflags: number,
        rsp: number,
        is_halted: false,
        returns: [number; MOST_RETURNS],
    }
}

fn is_whole(told: &Seen) -> bool {
    let number = told.rip;
    number > 0 && *told == seen(number)
}

#[test]
fn an_answer_is_whole_and_none_is_written_over_while_it_is_read() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(|| {
        let probe = Arc::new(Probe::new());
        let asked = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || {
                // Two NMIs, whenever they come.
                for number in [1, 2] {
                    probe.answer(|| seen(number));
                }
            })
        };
        // Two questions, each looked at once and then withdrawn.
        for _ in 0..2 {
            if let Ok(question) = probe.ask(BSP)
                && let Some(told) = question.answer()
            {
                assert!(is_whole(&told), "{told:?}");
            }
        }
        asked.join().unwrap();
    });
}

#[test]
fn of_two_who_ask_at_once_one_is_told() {
    loom::model(|| {
        let probe = Arc::new(Probe::new());
        let other = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || {
                let question = probe.ask(AP);
                question.is_ok_and(|it| it.answer().is_some())
            })
        };
        let question = probe.ask(BSP);
        let answers = probe.answer(|| seen(1));
        let is_told = question.as_ref().is_ok_and(|it| it.answer().is_some());
        assert_eq!(is_told, answers == Some(BSP));
        let other_is_told = other.join().unwrap();
        assert!(!(is_told && other_is_told));
    });
}

#[test]
fn no_nmi_is_sent_to_a_cpu_that_takes_none_and_does_not_wait_for_it() {
    loom::model(|| {
        let probe = Arc::new(Probe::new());
        let takes = Arc::new(AtomicBool::new(true));
        let leaving = {
            let (probe, takes) = (Arc::clone(&probe), Arc::clone(&takes));
            thread::spawn(move || {
                takes.swap(false, Ordering::Relaxed);
                probe.is_due()
            })
        };
        let question = probe.ask(BSP).unwrap();
        let is_sent = takes.load(Ordering::Relaxed);
        if !is_sent {
            question.is_not_sent();
        }
        let waits = leaving.join().unwrap();
        assert!(waits || !is_sent);
        assert_eq!(probe.is_due(), is_sent);
        // Nobody waits any more, and the NMI may have come where nobody takes it off.
        drop(question);
        assert!(!probe.is_due());
    });
}
