//! Calls among CPUs that all run at once.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use futures_util::{FutureExt, future::join_all};
use reveille_smp::{call::Traffic, cpu::CpuIndex};

use crate::machine::{Host, play, this_cpu};

/// Counts what a thread allocates and frees.
struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-1);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// What it has allocated more than it has freed.
    static OWN: Cell<isize> = const { Cell::new(0) };
    /// How often it has done either.
    static TIMES: Cell<usize> = const { Cell::new(0) };
}

fn count(change: isize) {
    OWN.set(OWN.get() + change);
    TIMES.set(TIMES.get() + 1);
}

#[test]
fn a_task_awaits_calls_on_any_cpu_and_each_runs_where_it_should() {
    const CPUS: u32 = 4;
    const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };
    let host = Host::with(CPUS as usize);
    let left = Arc::new(AtomicUsize::new(CPUS as usize));
    thread::scope(|scope| {
        for cpu in 0..CPUS {
            let left = Arc::clone(&left);
            host.run(scope, cpu, async move |calls| {
                for _ in 0..ROUNDS {
                    let all = (0..CPUS).map(CpuIndex);
                    let answers = all.map(|to| calls.call(to, this_cpu).map(move |it| (to, it)));
                    for (to, answer) in join_all(answers).await {
                        assert_eq!(answer, Ok(to));
                    }
                }
                // The others still call this one.
                left.fetch_sub(1, Relaxed);
                calls.look_until(|| {
                    thread::yield_now();
                    left.load(Relaxed) == 0
                });
            });
        }
    });
    let run: u64 = (0..CPUS).map(|cpu| host.of(cpu).traffic().run).sum();
    assert_eq!(run, u64::from(CPUS * (CPUS - 1)) * ROUNDS as u64);
}

#[test]
fn many_calls_of_all_kinds_among_eight_cpus_are_all_run_and_no_more() {
    const CPUS: u32 = 8;
    const ROUNDS: u64 = if cfg!(miri) { 2 } else { 250 };
    let host = Host::with(CPUS as usize);
    let runs = Arc::new(AtomicUsize::new(0));
    let left = Arc::new(AtomicUsize::new(CPUS as usize));
    let sent: u64 = thread::scope(|scope| {
        let lives: Vec<_> = (0..CPUS)
            .map(|cpu| {
                let (left, runs) = (Arc::clone(&left), Arc::clone(&runs));
                host.run(scope, cpu, async move |calls| {
                    let count = {
                        let runs = Arc::clone(&runs);
                        move || {
                            runs.fetch_add(1, Relaxed);
                        }
                    };
                    let mut sent = 0;
                    for round in 0..ROUNDS {
                        let to = |n: u64| CpuIndex(((u64::from(cpu) + round + n) % 8) as u32);
                        let burst = (0..20).map(|n| calls.call(to(n), count.clone()));
                        for answer in join_all(burst).await {
                            answer.unwrap();
                        }
                        let all = (0..CPUS).map(CpuIndex);
                        calls.call_many(all, count.clone()).await.unwrap();
                        calls.post(to(1), count.clone()).await.unwrap();
                        calls.call_any([to(2), to(3)], count.clone()).await.unwrap();
                        let within = std::time::Duration::from_secs(600);
                        calls.call_blocking(to(4), within, &count).unwrap();
                        sent += 20 + 8 + 3;
                    }
                    left.fetch_sub(1, Relaxed);
                    calls.look_until(|| {
                        thread::yield_now();
                        left.load(Relaxed) == 0
                    });
                    sent
                })
            })
            .collect();
        lives.into_iter().map(|life| life.join().unwrap()).sum()
    });
    // What was posted last may lie there still.
    for cpu in 0..CPUS {
        play(cpu, || host.of(cpu).close(host));
    }
    assert_eq!(runs.load(Relaxed) as u64, sent);
}

#[test]
fn calls_leave_no_memory_behind() {
    let host = Host::with(2);
    let one = CpuIndex(1);
    let traffic = |run| Traffic {
        run,
        ..host.of(1).traffic()
    };
    // What a thread has once.
    host.calls().try_post(one, || ()).unwrap();
    host.take_interrupts(1);
    let before = OWN.get();
    for round in 0..100 {
        let call = host.calls().call(one, move || vec![round; 10]);
        let mut call = Some(call);
        assert_eq!(call.as_mut().unwrap().now_or_never(), None);
        if round % 3 == 0 {
            call = None;
        }
        host.take_interrupts(1);
        if round % 3 == 1 {
            assert_eq!(
                call.take().unwrap().now_or_never(),
                Some(Ok(vec![round; 10]))
            );
        }
        drop(call);
        let many = host.calls().call_many([CpuIndex(0), one], || ());
        drop(many);
        host.calls()
            .try_post(one, move || {
                let _ = round;
            })
            .unwrap();
        host.take_interrupts(1);
        assert_eq!(OWN.get(), before);
    }
    assert_eq!(host.of(1).traffic(), traffic(1 + 66 + 100));
}

#[test]
fn a_blocking_call_allocates_and_frees_nothing_on_either_cpu() {
    let host = Host::with(2);
    host.serving(&[1], || {
        let most = std::time::Duration::from_secs(600);
        // On the other CPU, so far.
        let times_there = || {
            let times = || TIMES.get();
            let times = host.calls().call_blocking(CpuIndex(1), most, times);
            times.unwrap()
        };
        let there = times_there();
        let here = TIMES.get();
        for _ in 0..10 {
            assert_eq!(times_there(), there);
            assert_eq!(TIMES.get(), here);
        }
        // It would be noticed.
        drop(black_box(Box::new(5)));
        assert_eq!(TIMES.get(), here + 2);
    });
}
