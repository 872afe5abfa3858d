//! From a wake on one core to the poll on another that polls without sleep, in nanoseconds.
//!
//! Both ends read the time stamp counter, which all cores of a present x86_64 share.

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Release};
use std::task::{Poll, Waker};
use std::time::Instant;

use reveille_executor::{Executor, NoMetrics, Park};

const SAMPLES: usize = 20_000;

/// What the time stamp counter read at the last poll; 0 until then.
static POLLED_AT: AtomicU64 = AtomicU64::new(0);
static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

fn tsc() -> u64 {
    // SAFETY: every x86_64 has the counter. (It is why this is not for other machines.)
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Polls until told to stop.
fn poll_on(capacity: usize) {
    let platform = Box::leak(Box::new(Park::new()));
    let mut executor = Executor::with_capacity(capacity, platform, NoMetrics);
    let task = poll_fn(|context| {
        WAKER
            .lock()
            .unwrap()
            .get_or_insert_with(|| context.waker().clone());
        POLLED_AT.store(tsc(), Release);
        Poll::<()>::Pending
    });
    drop(executor.spawner().spawn(task).unwrap());
    while !DONE.load(Acquire) {
        if executor.poll_ready() == 0 {
            std::hint::spin_loop();
        }
    }
}

fn wait_for_poll() -> u64 {
    loop {
        match POLLED_AT.swap(0, Acquire) {
            0 => std::hint::spin_loop(),
            polled_at => return polled_at,
        }
    }
}

fn main() {
    let (start, start_tsc) = (Instant::now(), tsc());
    for capacity in [64, 512, 16_384] {
        DONE.store(false, Release);
        WAKER.lock().unwrap().take();
        let poller = std::thread::spawn(move || poll_on(capacity));
        wait_for_poll();
        let waker = WAKER
            .lock()
            .unwrap()
            .clone()
            .expect("the first poll leaves it");
        let mut ticks: Vec<u64> = (0..SAMPLES)
            .map(|_| {
                let woken_at = tsc();
                waker.wake_by_ref();
                wait_for_poll().saturating_sub(woken_at)
            })
            .collect();
        DONE.store(true, Release);
        poller.join().expect("the poller does not panic");
        ticks.sort_unstable();
        let ns_per_tick = start.elapsed().as_nanos() as f64 / (tsc() - start_tsc) as f64;
        let ns = |part: f64| ticks[(part * SAMPLES as f64) as usize] as f64 * ns_per_tick;
        println!(
            "wake to poll on another core, {capacity} slots: \
             min {:.0} ns, median {:.0} ns, p90 {:.0} ns, p99 {:.0} ns",
            ns(0.0),
            ns(0.5),
            ns(0.9),
            ns(0.99),
        );
    }
}
