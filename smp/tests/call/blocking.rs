//! Calls for which the caller waits without an executor.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use reveille_smp::{call::CallError, cpu::CpuIndex};

use crate::{
    machine::{Host, Over, play, this_cpu},
    one_thread::PLACES,
};

/// Longer than any of these tests.
const LONG: Duration = Duration::from_secs(600);
const NO_TIME: Duration = Duration::ZERO;

const CPU_1: CpuIndex = CpuIndex(1);

#[test]
fn a_closure_borrows_from_its_caller_and_gives_what_it_borrows() {
    let host = Host::with(2);
    host.serving(&[1], || {
        let text = String::from("borrowed");
        let mut length = 0;
        let given: &str = host
            .calls()
            .call_blocking(CPU_1, LONG, || {
                assert_eq!(this_cpu(), CPU_1);
                length = text.len();
                &text[2..]
            })
            .unwrap();
        assert_eq!((given, length), ("rrowed", 8));
    });
}

#[test]
fn cpus_that_call_each_other_run_each_others_calls() {
    const CALLS: usize = if cfg!(miri) { 10 } else { 2000 };
    const CPUS: u32 = 3;
    let host = Host::with(CPUS as usize);
    let runs = AtomicUsize::new(0);
    let begin = Barrier::new(CPUS as usize);
    let left = AtomicUsize::new(CPUS as usize);
    thread::scope(|scope| {
        for cpu in 0..CPUS {
            let (runs, begin, left) = (&runs, &begin, &left);
            scope.spawn(move || {
                play(cpu, || {
                    begin.wait();
                    for call in 0..CALLS {
                        let to = (cpu + 1 + call as u32 % (CPUS - 1)) % CPUS;
                        let count = || runs.fetch_add(1, Relaxed);
                        host.calls()
                            .call_blocking(CpuIndex(to), LONG, count)
                            .unwrap();
                    }
                    left.fetch_sub(1, Relaxed);
                    host.calls().look_until(|| {
                        thread::yield_now();
                        left.load(Relaxed) == 0
                    });
                });
            });
        }
    });
    assert_eq!(runs.load(Relaxed), CALLS * CPUS as usize);
}

#[test]
fn neither_a_cpu_that_polls_nor_a_caller_that_polls_is_interrupted() {
    const CALLS: u64 = 100;
    let host = Host::with(2).polling();
    let (is_up, over) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            play(1, || {
                let mut is_first = true;
                host.calls().look_until(|| {
                    if std::mem::take(&mut is_first) {
                        is_up.wait();
                    }
                    thread::yield_now();
                    over.load(Relaxed)
                });
            });
        });
        is_up.wait();
        let _over = Over(&over);
        for _ in 0..CALLS {
            host.calls().call_blocking(CPU_1, LONG, || ()).unwrap();
        }
    });
    assert_eq!(host.of(1).traffic().run, CALLS);
    assert_eq!([0, 1].map(|cpu| host.interrupts(cpu)), [0, 0]);
}

#[test]
fn a_cpu_that_does_not_look_lets_the_call_time_out_and_does_not_run_it_later() {
    let host = Host::with(2);
    let mut runs = 0;
    let result = host
        .calls()
        .call_blocking(CPU_1, Duration::from_millis(2), || runs += 1);
    assert_eq!(result, Err(CallError::TimedOut));
    host.take_interrupts(1);
    assert_eq!(runs, 0);
    assert_eq!(host.of(1).traffic().run, 0);
    assert_eq!(host.of(1).backlog().waiting, 0);
}

#[test]
fn what_has_begun_at_the_deadline_is_awaited_and_told_of_once() {
    let host = Host::with(2);
    host.serving(&[1], || {
        let begun = AtomicBool::new(false);
        // It ends when it has been told of.
        let slow = || {
            begun.store(true, Relaxed);
            while host.0.overdue.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            5
        };
        // As often as it takes until the CPU was fast enough to begin in time.
        let answer = loop {
            match host
                .calls()
                .call_blocking(CPU_1, Duration::from_millis(1), slow)
            {
                Err(CallError::TimedOut) => assert!(!begun.load(Relaxed)),
                other => break other,
            }
        };
        assert_eq!(answer, Ok(5));
        let overdue = host.0.overdue.lock().unwrap();
        assert_eq!(overdue.len(), 1);
        assert!(overdue[0].has_begun() && overdue[0].cpu == CPU_1);
    });
}

#[test]
fn of_two_that_have_begun_only_the_one_that_is_not_over_is_told_of() {
    let host = Host::with(3);
    host.serving(&[1], || {
        let work = || {
            while this_cpu() == CPU_1 && host.0.overdue.lock().unwrap().is_empty() {
                thread::yield_now();
            }
        };
        // As often as it takes until both have begun in time.
        loop {
            host.0.overdue.lock().unwrap().clear();
            // CPU 2 is quick: it is over before its caller halts.
            host.at_halt(0, move || host.take_interrupts(2));
            let both = [1, 2].map(CpuIndex);
            // Under Miri a call takes a hundred times as long.
            let within = Duration::from_millis(if cfg!(miri) { 1000 } else { 5 });
            if host.calls().call_many_blocking(both, within, work).is_ok() {
                break;
            }
        }
        let overdue = host.0.overdue.lock().unwrap();
        let cpus: Vec<_> = overdue.iter().map(|pending| pending.cpu).collect();
        assert_eq!(cpus, [CPU_1]);
    });
}

#[test]
fn a_cpu_that_waits_for_a_call_may_not_wait_for_another() {
    let host = Host::with(2);
    let refused = Arc::new(AtomicBool::new(false));
    let nested = Arc::clone(&refused);
    // As a handler might that comes in.
    host.at_halt(0, move || {
        let call = || host.calls().call_blocking(CPU_1, LONG, || ());
        let result = host.serving(&[1], call);
        nested.store(result == Err(CallError::InCall), Relaxed);
        host.take_interrupts(1);
        // Should the other have taken the interrupt for the end of both.
        host.of(0).remind(host, CpuIndex(0));
    });
    assert_eq!(host.calls().call_blocking(CPU_1, LONG, || 5), Ok(5));
    assert!(refused.load(Relaxed));
    // Not for good.
    host.at_halt(0, move || host.take_interrupts(1));
    assert_eq!(host.calls().call_blocking(CPU_1, LONG, || 6), Ok(6));
}

#[test]
fn a_caller_that_panics_waits_for_those_that_are_in_its_closure() {
    let host = Host::with(2);
    host.serving(&[1], || {
        // Nobody who is too late touches what is gone.
        let flags: &'static [AtomicBool; 3] = Box::leak(Box::default());
        let work = || {
            let [has_begun, unwinds, has_ended] = flags;
            if this_cpu() == CPU_1 {
                has_begun.store(true, Relaxed);
                while !unwinds.load(Relaxed) {
                    thread::yield_now();
                }
                // A caller that does not wait is gone by then.
                thread::sleep(Duration::from_millis(50));
                has_ended.store(true, Relaxed);
            } else {
                let _unwinds = Over(unwinds);
                while !has_begun.load(Relaxed) {
                    thread::yield_now();
                }
                panic!("asked for");
            }
        };
        let both = [0, 1].map(CpuIndex);
        let call = || host.calls().call_many_blocking(both, LONG, work);
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert!(flags[2].load(Relaxed), "the closure is still run");
    });
}

#[test]
fn a_caller_that_panics_takes_back_what_has_not_begun() {
    let host = Host::with(2);
    let both = [0, 1].map(CpuIndex);
    let work = || panic!("asked for");
    let call = || host.calls().call_many_blocking(both, LONG, work);
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    host.take_interrupts(1);
    assert_eq!(host.of(1).traffic().run, 0);
    // And it may call again.
    host.at_halt(0, move || host.take_interrupts(1));
    assert_eq!(host.calls().call_blocking(CPU_1, LONG, || 5), Ok(5));
}

#[test]
fn a_queue_that_is_full_is_waited_for_until_there_is_room_or_the_time_is_over() {
    let host = Host::with(2);
    for _ in 0..PLACES {
        host.calls().try_post(CPU_1, || ()).unwrap();
    }
    let timed_out = host.calls().call_blocking(CPU_1, NO_TIME, || ());
    assert_eq!(timed_out, Err(CallError::TimedOut));
    host.serving(&[1], || {
        assert_eq!(host.calls().call_blocking(CPU_1, LONG, || 5), Ok(5));
    });
    assert_eq!(host.of(1).traffic().run, PLACES as u64 + 1);
}

#[test]
fn a_closure_that_is_called_may_not_wait() {
    let host = Host::with(2);
    host.serving(&[1], || {
        let nested = || host.calls().call_blocking(CpuIndex(0), LONG, || ());
        let answer = host.calls().call_blocking(CPU_1, LONG, nested);
        assert_eq!(answer, Ok(Err(CallError::InCall)));
        // Nor one that the caller runs itself.
        let own = host.calls().call_blocking(CpuIndex(0), LONG, || {
            host.calls().call_blocking(CPU_1, LONG, || ())
        });
        assert_eq!(own, Ok(Err(CallError::InCall)));
    });
}

#[test]
fn cpus_that_take_no_calls_fail_at_once() {
    let host = Host::with(2);
    host.of(1).close(host);
    for cpu in [CPU_1, CpuIndex(9)] {
        let result = host.calls().call_blocking(cpu, LONG, || ());
        assert_eq!(result, Err(CallError::Offline));
    }
}

#[test]
fn a_call_to_many_borrows_and_names_those_that_have_not_run_it() {
    let host = Host::with(5);
    host.of(3).close(host);
    let runs = AtomicUsize::new(0);
    let count = || {
        runs.fetch_add(1 << (8 * this_cpu().0), Relaxed);
    };
    host.serving(&[1, 2], || {
        let online = [2, 0, 1, 1].map(CpuIndex);
        assert_eq!(host.calls().call_many_blocking(online, LONG, count), Ok(()));
    });
    assert_eq!(runs.load(Relaxed), 0x01_0101);
    // CPU 4 does not look before the time is over, whenever that is.
    host.at_halt(0, move || {
        [1, 2].into_iter().for_each(|cpu| host.take_interrupts(cpu));
        host.advance(LONG);
    });
    let all = (0..5).map(CpuIndex);
    let not_all = host.calls().call_many_blocking(all, LONG / 2, count);
    let expected = [
        (CpuIndex(3), CallError::Offline),
        (CpuIndex(4), CallError::TimedOut),
    ];
    assert_eq!(not_all.unwrap_err().cpus, expected);
    assert_eq!(runs.load(Relaxed), 0x02_0202);
}

#[test]
fn a_caller_that_waits_is_called_without_an_interrupt() {
    /// By which a hang is noticed.
    const SOON: Duration = Duration::from_secs(10);
    // It polls all the time.
    let host = Host::with(2).polling();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        let asked = scope.spawn(|| {
            play(1, || {
                while !host.of(0).backlog().is_looking {
                    thread::yield_now();
                }
                let asked = host.calls().call_blocking(CpuIndex(0), SOON, this_cpu);
                host.calls()
                    .look_until(|| host.of(1).traffic().run == 1 || over.load(Relaxed));
                asked
            })
        });
        assert_eq!(host.calls().call_blocking(CPU_1, SOON, || ()), Ok(()));
        host.calls().look_until(|| asked.is_finished());
        assert_eq!(asked.join().unwrap(), Ok(CpuIndex(0)));
    });
    assert_eq!(host.interrupts(0), 0);
}

#[test]
fn a_caller_that_waits_in_vain_runs_what_it_is_called_for() {
    let host = Host::with(2);
    let asked = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            play(1, || {
                // CPU 0 waits for this one, and runs its call.
                let ask = || asked.store(true, Relaxed);
                assert_eq!(host.calls().call_blocking(CpuIndex(0), LONG, ask), Ok(()));
                host.calls().look_until(|| host.of(1).traffic().run == 1);
            });
        });
        assert_eq!(host.calls().call_blocking(CPU_1, LONG, || ()), Ok(()));
        host.calls().look_until(|| asked.load(Relaxed));
    });
}
