//! What happens to a call in which order, with all CPUs played by one thread.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
};

use futures_util::FutureExt;
use reveille_smp::{
    call::{Backlog, CallError, NoAnswer, Progress, Refused, Traffic},
    cpu::CpuIndex,
};

use crate::machine::{Host, Traced, play, this_cpu};

/// So many calls lie in a queue.
pub(crate) const PLACES: usize = 16;

const CPU_1: CpuIndex = CpuIndex(1);
const CPU_2: CpuIndex = CpuIndex(2);

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_call_runs_on_the_cpu_that_is_called_when_it_takes_its_interrupt() {
    let host = Host::with(2);
    let mut call = host.calls().call(CPU_1, this_cpu);
    assert!(call.pending().is_none());
    assert!(poll(&mut call).is_pending());
    let pending = call.pending().unwrap();
    assert_eq!((pending.cpu, pending.progress), (CPU_1, Progress::Queued));
    host.take_interrupts(1);
    assert!(call.pending().is_none());
    assert_eq!(poll(&mut call), Poll::Ready(Ok(CPU_1)));
}

#[test]
fn a_cpu_that_calls_itself_runs_the_closure_at_once() {
    let host = Host::with(1);
    host.of(0).close(host);
    let answer = host.calls().call(CpuIndex(0), this_cpu).now_or_never();
    assert_eq!(answer, Some(Ok(CpuIndex(0))));
    assert_eq!(host.of(0).traffic().interrupts, 0);
}

#[test]
fn for_calls_that_come_before_the_first_is_taken_one_interrupt_is_sent() {
    let host = Host::with(2);
    let runs = Arc::new(AtomicUsize::new(0));
    let post = || {
        let runs = Arc::clone(&runs);
        let closure = move || {
            runs.fetch_add(1, Relaxed);
        };
        host.calls().try_post(CPU_1, closure).unwrap();
    };
    (0..PLACES).for_each(|_| post());
    let backlog = Backlog {
        waiting: PLACES as u32,
        is_looking: false,
    };
    assert_eq!(host.of(1).backlog(), backlog);
    host.take_interrupts(1);
    assert_eq!(runs.load(Relaxed), PLACES);
    let traffic = |run, interrupts| Traffic { run, interrupts };
    assert_eq!(host.of(1).traffic(), traffic(PLACES as u64, 1));
    post();
    assert_eq!(host.of(1).traffic(), traffic(PLACES as u64, 2));
}

#[test]
fn a_cpu_that_looks_by_itself_is_not_interrupted() {
    let host = Host::with(2);
    let mut sent = 0;
    let runs = Arc::new(AtomicUsize::new(0));
    play(1, || {
        host.calls().look_until(|| {
            assert_eq!(runs.load(Relaxed), sent);
            if sent == 5 {
                return true;
            }
            sent += 1;
            let runs = Arc::clone(&runs);
            let closure = move || {
                runs.fetch_add(1, Relaxed);
            };
            play(0, || host.calls().try_post(CPU_1, closure)).unwrap();
            false
        });
    });
    assert_eq!(
        host.of(1).traffic(),
        Traffic {
            run: 5,
            interrupts: 0
        }
    );
}

#[test]
fn a_call_that_a_call_sends_to_its_own_cpus_caller_is_run_before_the_cpu_stops_looking() {
    let host = Host::with(2);
    let post = move || {
        // From the handler of CPU 1, in the name of another CPU.
        play(0, || host.calls().try_post(CPU_1, || ()).unwrap());
    };
    host.calls().try_post(CPU_1, post).unwrap();
    host.take_interrupts(1);
    assert_eq!(
        host.of(1).traffic(),
        Traffic {
            run: 2,
            interrupts: 1
        }
    );
}

#[test]
fn a_flood_of_calls_lets_other_interrupts_in_and_is_come_back_to() {
    const CALLS: usize = 100;
    let host = Host::with(2);
    // Each sends the next, in the name of another CPU.
    fn flood(host: Host, left: usize) {
        let next = move || {
            if left > 1 {
                play(0, || flood(host, left - 1));
            }
        };
        host.calls().try_post(CPU_1, next).unwrap();
    }
    flood(host, CALLS);
    let mut interrupts = 0;
    while host.of(1).backlog().waiting > 0 {
        let before = host.of(1).traffic().run;
        host.take_interrupts(1);
        let run = host.of(1).traffic().run - before;
        assert!((1..CALLS as u64 / 2).contains(&run), "{run} at once");
        assert!(!host.of(1).backlog().is_looking);
        interrupts += 1;
    }
    assert_eq!(host.of(1).traffic().run, CALLS as u64);
    assert!(interrupts > 2);
    // Also a queue that is closed meanwhile is emptied.
    flood(host, 1);
    play(1, || host.of(1).close(host));
    assert_eq!(host.of(1).backlog().waiting, 0);
}

#[test]
fn a_full_queue_gives_the_closure_back_and_who_awaits_room_is_woken_when_there_is_some() {
    let host = Host::with(2);
    fill(host, CPU_1);
    let refused = host.calls().try_post(CPU_1, || ()).unwrap_err();
    assert!(matches!(refused, Refused::Full(_)));
    let (call_woken, post_woken) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let mut call = host.calls().call(CPU_1, || 5);
    let mut post = host.calls().post(CPU_1, || ());
    assert!(call_woken.poll(&mut call).is_pending());
    assert!(post_woken.poll(&mut post).is_pending());
    let pending = call.pending().unwrap();
    assert_eq!((pending.cpu, pending.progress), (CPU_1, Progress::NoRoom));
    host.take_interrupts(1);
    assert_eq!((call_woken.count(), post_woken.count()), (1, 1));
    assert_eq!(
        post_woken.poll(&mut post).map(|result| result.is_ok()),
        Poll::Ready(true)
    );
    assert!(call_woken.poll(&mut call).is_pending());
    host.take_interrupts(1);
    assert_eq!(call_woken.count(), 2);
    assert_eq!(call_woken.poll(&mut call), Poll::Ready(Ok(5)));
}

#[test]
fn more_futures_than_there_are_seats_wait_for_room_and_all_get_theirs() {
    const CALLS: usize = if cfg!(miri) { 90 } else { 200 };
    let host = Host::with(2);
    let woken = Arc::new(Woken::default());
    let mut calls: Vec<_> = (0..CALLS)
        .map(|n| host.calls().call(CPU_1, move || n))
        .collect();
    let mut answers = Vec::new();
    while !calls.is_empty() {
        calls.retain_mut(|call| match woken.poll(call) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                answers.push(answer.unwrap());
                false
            }
        });
        host.take_interrupts(1);
    }
    answers.sort_unstable();
    assert_eq!(answers, (0..CALLS).collect::<Vec<_>>());
}

#[test]
fn a_waiter_that_gives_up_leaves_its_seat() {
    let host = Host::with(2);
    fill(host, CPU_1);
    let woken = Arc::new(Woken::default());
    for _ in 0..100 {
        let mut call = host.calls().call(CPU_1, || ());
        assert!(woken.poll(&mut call).is_pending());
    }
    // Who finds no seat looks again at once.
    assert_eq!(woken.count(), 0);
}

#[test]
fn a_call_that_is_dropped_before_it_has_begun_is_not_run_and_its_closure_gone_at_once() {
    let host = Host::with(2).traced();
    let token = Arc::new(());
    let kept = Arc::clone(&token);
    let mut call = host.calls().call(CPU_1, move || drop(kept));
    assert!(poll(&mut call).is_pending());
    drop(call);
    assert_eq!(Arc::strong_count(&token), 1);
    host.take_interrupts(1);
    assert_eq!(host.of(1).traffic().run, 0);
    assert_eq!(host.of(1).backlog().waiting, 0);
    let trace = host.0.trace.lock().unwrap().clone();
    assert_eq!(trace, [Traced::Queued(CPU_1, 0), Traced::Dropped(0)]);
}

#[test]
fn a_call_that_is_dropped_while_it_runs_comes_to_its_end_and_its_answer_is_dropped() {
    let host = Host::with(2);
    let token = Arc::new(());
    let answer = Arc::clone(&token);
    let slot: Arc<Mutex<Option<Box<dyn Any + Send>>>> = Arc::default();
    let own = Arc::clone(&slot);
    let mut call = host.calls().call(CPU_1, move || {
        // Its caller gives it up just now.
        drop(own.lock().unwrap().take());
        answer
    });
    assert!(poll(&mut call).is_pending());
    *slot.lock().unwrap() = Some(Box::new(call));
    host.take_interrupts(1);
    assert_eq!(host.of(1).traffic().run, 1);
    assert!(slot.lock().unwrap().is_none());
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_call_that_is_over_and_dropped_takes_nothing_back_that_came_behind_it() {
    let host = Host::with(2);
    let mut call = host.calls().call(CPU_1, || ());
    assert!(poll(&mut call).is_pending());
    host.take_interrupts(1);
    // In the same place.
    host.calls().try_post(CPU_1, || ()).unwrap();
    drop(call);
    host.take_interrupts(1);
    assert_eq!(host.of(1).traffic().run, 2);
}

#[test]
fn an_interrupt_that_comes_while_the_cpu_looks_does_not_end_its_look() {
    let host = Host::with(2);
    let mut looks = 0;
    play(1, || {
        host.calls().look_until(|| {
            host.of(1).remind(host, CPU_1);
            host.take_interrupts(1);
            assert!(host.of(1).backlog().is_looking);
            looks += 1;
            looks == 3
        });
    });
    assert!(!host.of(1).backlog().is_looking);
}

#[test]
fn a_trace_names_each_call_from_its_queue_to_its_end() {
    let host = Host::with(2).traced();
    for _ in 0..2 {
        host.calls().try_post(CPU_1, || ()).unwrap();
    }
    host.take_interrupts(1);
    play(1, || host.calls().call(CPU_1, || ()).now_or_never());
    let expected = [
        Traced::Queued(CPU_1, 0),
        Traced::Queued(CPU_1, 1),
        Traced::Entered(0),
        Traced::Left(0),
        Traced::Entered(1),
        Traced::Left(1),
        Traced::Queued(CPU_1, 2),
        Traced::Entered(2),
        Traced::Left(2),
    ];
    assert_eq!(*host.0.trace.lock().unwrap(), expected);
}

#[test]
fn a_lost_interrupt_is_mended_by_a_reminder() {
    let host = Host::with(2);
    host.lose_interrupt(1);
    let mut call = host.calls().call(CPU_1, || ());
    assert!(poll(&mut call).is_pending());
    host.take_interrupts(1);
    assert!(call.pending().is_some_and(|pending| !pending.has_begun()));
    // Nobody else sends one, for one was sent.
    host.calls().try_post(CPU_1, || ()).unwrap();
    host.take_interrupts(1);
    assert_eq!(host.of(1).backlog().waiting, 2);
    host.of(1).remind(host, CPU_1);
    host.take_interrupts(1);
    assert_eq!(poll(&mut call), Poll::Ready(Ok(())));
}

#[test]
fn an_interrupt_that_is_not_accepted_is_sent_by_the_next_who_calls() {
    let host = Host::with(2);
    host.refuse_interrupt(1);
    let post = || host.calls().try_post(CPU_1, || ()).unwrap();
    post();
    assert_eq!(
        (host.of(1).traffic().interrupts, host.interrupts(1)),
        (0, 0)
    );
    host.take_interrupts(1);
    assert_eq!(host.of(1).backlog().waiting, 1);
    post();
    assert_eq!(
        (host.of(1).traffic().interrupts, host.interrupts(1)),
        (1, 1)
    );
    host.take_interrupts(1);
    assert_eq!(host.of(1).traffic().run, 2);
}

#[test]
fn a_call_to_many_is_ready_when_all_have_run_it_and_names_those_that_never_will() {
    let host = Host::with(4);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let count = move || {
        counted.fetch_add(1 << (8 * this_cpu().0), Relaxed);
    };
    host.of(2).close(host);
    // In no order, one of them twice, and one that is not there.
    let cpus = [3, 2, 0, 1, 3, 9].map(CpuIndex);
    let mut many = pin!(host.calls().call_many(cpus, count));
    assert!(poll(&mut many).is_pending());
    assert_eq!(runs.load(Relaxed), 1, "the caller has run it");
    let pending: Vec<_> = many.pending().map(|pending| pending.cpu).collect();
    assert_eq!(pending, [CPU_1, CpuIndex(3)]);
    host.take_interrupts(3);
    assert!(poll(&mut many).is_pending());
    let pending: Vec<_> = many.pending().map(|pending| pending.cpu).collect();
    assert_eq!(pending, [CPU_1]);
    host.take_interrupts(1);
    let Poll::Ready(Err(not_all)) = poll(&mut many) else {
        panic!("two have not run it");
    };
    let offline = |cpu| (cpu, CallError::Offline);
    assert_eq!(not_all.cpus, [offline(CPU_2), offline(CpuIndex(9))]);
    assert_eq!(runs.load(Relaxed), 0x0100_0101);
}

#[test]
fn a_call_to_many_of_whom_one_has_no_room_runs_on_the_others_meanwhile() {
    let host = Host::with(3);
    fill(host, CPU_1);
    let woken = Arc::new(Woken::default());
    let mut many = host.calls().call_many([CPU_1, CPU_2], || ());
    assert!(many.pending().next().is_none());
    assert!(woken.poll(&mut many).is_pending());
    host.take_interrupts(2);
    assert_eq!(host.of(2).traffic().run, 1);
    // It waits for the one that has not heard of it, since it was first tried.
    let waits: Vec<_> = many.pending().collect();
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].cpu, waits[0].progress), (CPU_1, Progress::NoRoom));
    assert!(woken.poll(&mut many).is_pending());
    assert_eq!(many.pending().collect::<Vec<_>>(), waits);
    host.take_interrupts(1);
    assert!(woken.count() > 0);
    assert!(woken.poll(&mut many).is_pending());
    let before = woken.count();
    host.take_interrupts(1);
    assert!(woken.count() > before);
    assert_eq!(woken.poll(&mut many), Poll::Ready(Ok(())));
}

#[test]
fn a_call_to_many_that_is_dropped_is_taken_back_where_it_has_not_begun() {
    let host = Host::with(3);
    let mut many = host.calls().call_many([CPU_1, CPU_2], || ());
    assert!(poll(&mut many).is_pending());
    host.take_interrupts(1);
    drop(many);
    host.take_interrupts(2);
    assert_eq!((host.of(1).traffic().run, host.of(2).traffic().run), (1, 0));
}

/// Which CPU has run a call to any of these, if it is over.
fn run_by<F: Future<Output = Result<(CpuIndex, CpuIndex), E>> + Unpin, E>(
    call: &mut F,
    waker: &Arc<Woken>,
) -> Option<CpuIndex> {
    match waker.poll(call) {
        Poll::Pending => None,
        Poll::Ready(answer) => {
            let (said, was) = answer.ok().unwrap();
            assert_eq!(said, was);
            Some(said)
        }
    }
}

fn fill(host: Host, cpu: CpuIndex) {
    for _ in 0..PLACES {
        host.calls().try_post(cpu, || ()).unwrap();
    }
}

#[test]
fn a_call_to_any_is_the_callers_own_if_it_can_be() {
    let host = Host::with(3);
    let mut call = host.calls().call_any([2, 0, 1].map(CpuIndex), this_cpu);
    assert_eq!(run_by(&mut call, &Arc::default()), Some(CpuIndex(0)));
}

#[test]
fn a_call_to_any_goes_to_one_that_looks_rather_than_to_the_first() {
    let host = Host::with(4);
    let woken = Arc::new(Woken::default());
    let mut call = host.calls().call_any([2, 3].map(CpuIndex), this_cpu);
    play(3, || {
        host.calls()
            .look_until(|| play(0, || run_by(&mut call, &woken)) == Some(CpuIndex(3)));
    });
    assert_eq!(host.of(2).backlog().waiting, 0);
}

#[test]
fn a_call_to_any_passes_over_those_that_are_full_or_offline() {
    let host = Host::with(4);
    fill(host, CPU_1);
    host.of(2).close(host);
    let woken = Arc::new(Woken::default());
    let mut call = host.calls().call_any([2, 1, 3].map(CpuIndex), this_cpu);
    assert_eq!(run_by(&mut call, &woken), None);
    host.take_interrupts(3);
    assert_eq!(run_by(&mut call, &woken), Some(CpuIndex(3)));
}

#[test]
fn a_call_to_any_that_finds_no_room_anywhere_takes_the_first_there_is() {
    let host = Host::with(3);
    fill(host, CPU_1);
    fill(host, CPU_2);
    let woken = Arc::new(Woken::default());
    let mut call = host.calls().call_any([CPU_1, CPU_2], this_cpu);
    assert_eq!(run_by(&mut call, &woken), None);
    let waits = call.pending().map(|pending| pending.cpu);
    assert_eq!(waits.collect::<Vec<_>>(), [CPU_1, CPU_2]);
    host.take_interrupts(2);
    assert_eq!(woken.count(), 1);
    assert_eq!(run_by(&mut call, &woken), None);
    host.take_interrupts(2);
    assert_eq!(run_by(&mut call, &woken), Some(CPU_2));
}

#[test]
fn a_call_to_any_of_those_that_take_none_gives_the_closure_back() {
    let host = Host::with(2);
    host.of(1).close(host);
    let token = Arc::new(());
    let kept = Arc::clone(&token);
    let call = host.calls().call_any([CPU_1, CpuIndex(7)], move || kept);
    let Some(Err(NoAnswer::Offline(closure))) = call.now_or_never() else {
        panic!("nobody takes it");
    };
    assert!(Arc::ptr_eq(&closure(), &token));
}

#[test]
fn a_closure_that_panics_is_told_and_the_calls_behind_it_are_run() {
    let host = Host::with(2);
    let mut bad = host.calls().call(CPU_1, || panic!("asked for"));
    let mut good = host.calls().call(CPU_1, || 5);
    let (_, _) = (poll::<_>(&mut bad), poll(&mut good));
    let taken = catch_unwind(AssertUnwindSafe(|| host.take_interrupts(1)));
    assert!(taken.is_err());
    assert_eq!(
        poll(&mut bad),
        Poll::Ready(Err::<(), _>(CallError::Panicked))
    );
    // The CPU has interrupted itself.
    host.take_interrupts(1);
    assert_eq!(poll(&mut good), Poll::Ready(Ok(5)));
}

/// Counts wakes.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn poll<F: Future + Unpin>(self: &Arc<Self>, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(self));
        future.poll_unpin(&mut Context::from_waker(&waker))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_thread_plays_the_cpu_that_it_says() {
    play(3, || assert_eq!(this_cpu(), CpuIndex(3)));
    assert_eq!(this_cpu(), CpuIndex(0));
    thread::scope(|scope| {
        let cpu = scope.spawn(|| play(2, this_cpu)).join().unwrap();
        assert_eq!(cpu, CPU_2);
    });
}
