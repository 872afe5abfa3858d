//! Calls to CPUs that go offline and come back, at whatever moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use reveille_smp::{
    call::{CallError, Refused},
    cpu::CpuIndex,
};

use crate::{
    machine::{Host, play},
    one_thread::{PLACES, Woken},
};

const CPU_1: CpuIndex = CpuIndex(1);

#[test]
fn a_closed_queue_refuses_at_once_and_gives_the_closure_back() {
    let host = Host::with(2);
    host.of(1).close(host);
    assert!(!host.of(1).is_open());
    let call = host.calls().call(CPU_1, || ()).now_or_never();
    assert_eq!(call, Some(Err(CallError::Offline)));
    let post = host.calls().post(CPU_1, || ()).now_or_never();
    assert!(matches!(post, Some(Err(Refused::Offline(_)))));
    let refused = host.calls().try_post(CPU_1, || ());
    assert!(matches!(refused, Err(Refused::Offline(_))));
    host.of(1).open();
    assert!(host.calls().try_post(CPU_1, || ()).is_ok());
}

#[test]
fn what_lies_in_the_queue_is_run_before_it_is_closed() {
    let host = Host::with(2);
    let mut call = host.calls().call(CPU_1, || 5);
    assert_eq!((&mut call).now_or_never(), None);
    play(1, || host.of(1).close(host));
    assert_eq!(call.now_or_never(), Some(Ok(5)));
}

#[test]
fn who_waits_for_room_in_a_queue_that_closes_hears_of_it() {
    let host = Host::with(2);
    for _ in 0..PLACES {
        host.calls().try_post(CPU_1, || ()).unwrap();
    }
    let woken = Arc::new(Woken::default());
    let mut call = host.calls().call(CPU_1, || ());
    assert!(woken.poll(&mut call).is_pending());
    play(1, || host.of(1).close(host));
    assert!(woken.count() > 0);
    assert_eq!(call.now_or_never(), Some(Err(CallError::Offline)));
}

#[test]
fn whatever_the_moment_at_which_cpus_go_offline_every_call_is_run_or_refused_and_nothing_is_kept() {
    /// Of either end there must have been so many, for each of the senders.
    const ENDS: usize = if cfg!(miri) { 3 } else { 300 };
    let host = Host::with(4);
    let (runs, token) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    let senders = AtomicUsize::new(2);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for cpu in [2, 3] {
            let senders = &senders;
            host.run(scope, cpu, async move |_| {
                for life in 0.. {
                    if senders.load(Relaxed) == 0 {
                        break;
                    }
                    host.of(cpu).open();
                    for _ in 0..life % 5 {
                        host.take_interrupts(cpu);
                        thread::yield_now();
                    }
                    host.of(cpu).close(host);
                    thread::yield_now();
                }
            });
        }
        // One sender awaits, the other blocks.
        let (runs, token, senders, done) = (&runs, &token, &senders, &done);
        let closure = move || {
            let (runs, token) = (Arc::clone(runs), Arc::clone(token));
            move || {
                runs.fetch_add(1, Relaxed);
                token
            }
        };
        host.run(scope, 0, async move |calls| {
            let (mut ran, mut refused) = (0, 0);
            for to in (2..4).cycle().map(CpuIndex) {
                if ran >= ENDS && refused >= ENDS {
                    break;
                }
                match calls.call(to, closure()).await {
                    Ok(_) => ran += 1,
                    Err(CallError::Offline) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            done.fetch_add(ran, Relaxed);
            senders.fetch_sub(1, Relaxed);
        });
        scope.spawn(move || {
            play(1, || {
                let (mut ran, mut refused) = (0, 0);
                for to in (2..4).cycle().map(CpuIndex) {
                    if ran >= ENDS && refused >= ENDS {
                        break;
                    }
                    let within = Duration::from_secs(600);
                    match host.calls().call_blocking(to, within, closure()) {
                        Ok(_) => ran += 1,
                        Err(CallError::Offline) => refused += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                done.fetch_add(ran, Relaxed);
                senders.fetch_sub(1, Relaxed);
            });
        });
    });
    assert_eq!(runs.load(Relaxed), done.load(Relaxed));
    assert_eq!(Arc::strong_count(&token), 1);
}
