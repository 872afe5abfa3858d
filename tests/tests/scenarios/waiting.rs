//! An AP that waits halts: the host sees that its thread does nothing.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use reveille_tests::{guest::Guest, qemu::machine::Machine};

use crate::boot::{LIMIT, kernel, slot};

/// So long the APs wait to be called.
const WAIT: Duration = Duration::from_secs(2);

/// The part of one host core that all waiting APs together may use.
const SHARE: f64 = 0.02;

#[test]
fn sixty_three_aps_that_wait_to_be_called_leave_the_host_alone() {
    // CPU 1 never comes, and in strict order all others wait for it until its deadline.
    let machine = Machine::new(65)
        .append("order=strict fault=1:silent")
        .append(&format!("alive-timeout={}", LIMIT.as_millis()));
    let _slot = slot(&machine);
    let text = kernel().text().expect("the kernel has code");
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    let deadline = Instant::now() + LIMIT;
    loop {
        let vcpus = guest.vcpus().expect("the monitor answers");
        let waiting = |vcpu: &_| is_waiting(vcpu, &text);
        if vcpus[2..].iter().all(waiting) {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "they do not all wait: {vcpus:#x?}"
        );
    }
    let threads = guest.vcpu_threads().expect("the monitor answers");
    let waiting = &threads[2..];
    assert_eq!(waiting.len(), 63);
    let used = |thread: &u32| time_on_a_core(guest.process_id(), *thread);
    let before: Duration = waiting.iter().map(used).sum();
    assert!(
        before > Duration::ZERO,
        "the host keeps no account of its threads"
    );
    let started = Instant::now();
    thread::sleep(WAIT);
    let elapsed = started.elapsed();
    let spent = waiting.iter().map(used).sum::<Duration>() - before;
    let share = spent.as_secs_f64() / elapsed.as_secs_f64();
    println!("63 APs waited for {elapsed:?} and ran for {spent:?}: {share:.4} of a core");
    assert!(share < SHARE, "{share:.4} of a core");
}

fn is_waiting(vcpu: &reveille_tests::qemu::vcpu::Vcpu, text: &std::ops::Range<u64>) -> bool {
    vcpu.halted && vcpu.long_mode && text.contains(&vcpu.rip)
}

/// How long a thread has run, from the first field of its `schedstat`, in nanoseconds
/// (Linux, `Documentation/scheduler/sched-stats.rst`).
fn time_on_a_core(process: u32, thread: u32) -> Duration {
    let path = format!("/proc/{process}/task/{thread}/schedstat");
    let text = fs::read_to_string(&path).expect("the thread is there");
    let first = text.split_whitespace().next().expect("a first field");
    Duration::from_nanos(first.parse().expect("a number"))
}
