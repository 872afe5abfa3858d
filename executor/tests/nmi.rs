//! A wake between every two instructions of the owner, as an NMI would bring it.
//!
//! The owner runs under the CPU's trap flag: after each instruction a signal handler runs on top
//! of it, in the same thread. Run number k fires the waker there after k instructions, once, for
//! every k from the start of `block_on` to the moment at which the CPU would halt: take, poll,
//! register, prepare to sleep. (For every 29th k only, without optimisation.) Wherever the wake
//! comes, the task is polled for it: either the gate is shut, or the doorbell has been rung before
//! the CPU halts.

#![cfg(all(not(loom), not(miri), target_os = "linux", target_arch = "x86_64"))]

use std::arch::asm;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Poll, Waker};

use futures_util::task::AtomicWaker;
use reveille_executor::*;

/// The CPU's trap flag in RFLAGS (SDM volume 1, 3.4.3.3).
const TRAP_FLAG: u64 = 1 << 8;

/// From one run to the next. An unoptimised build would take minutes for all.
const STRIDE: u64 = if cfg!(debug_assertions) { 29 } else { 1 };

/// Instructions until the NMI comes.
static UNTIL_NMI: AtomicU64 = AtomicU64::new(0);
/// What it does.
static FLAG: AtomicBool = AtomicBool::new(false);
static REGISTERED: AtomicWaker = AtomicWaker::new();

/// Wakes as device or CPU would: first the state, then the waker.
fn nmi() {
    FLAG.store(true, Relaxed);
    REGISTERED.wake();
}

/// Counts an instruction; after the last one, ends the stepping and is the NMI.
extern "C" fn on_trap(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let left = UNTIL_NMI.load(Relaxed);
    UNTIL_NMI.store(left.saturating_sub(1), Relaxed);
    if left <= 1 {
        nmi();
        // SAFETY: the kernel passes the interrupted context to a handler that asked for it.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !(TRAP_FLAG as i64);
    }
}

fn catch_traps() {
    // SAFETY: all zero is a valid `sigaction`, and the handler has the type for SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(
            libc::sigaction(libc::SIGTRAP, &action, core::ptr::null_mut()),
            0
        );
    }
}

fn step_from_here() {
    // SAFETY: the trap has a handler; the stack below the pointer is the asm block's to use.
    unsafe { asm!("pushfq", "or qword ptr [rsp], {}", "popfq", const TRAP_FLAG) };
}

fn step_no_more() {
    // SAFETY: as above.
    unsafe { asm!("pushfq", "and qword ptr [rsp], {}", "popfq", const !(TRAP_FLAG as i32)) };
}

/// A CPU that would halt if nothing has rung.
struct Machine {
    rung: AtomicBool,
    /// The NMI had not come when the CPU halted: all instructions have been tried.
    halted_before: AtomicBool,
}

impl Clock for Machine {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

impl Doorbell for Machine {
    fn ring(&self) {
        self.rung.store(true, Relaxed);
    }
}

impl Idle for Machine {
    fn idle(&self, gate: &SleepGate<'_>, _: Option<Instant>) {
        let asleep = gate.enter();
        step_no_more();
        // Here `sti; hlt` would be. What comes later ends the halt, through the doorbell.
        if FLAG.load(Relaxed) {
            assert!(
                !asleep || self.rung.swap(false, Relaxed),
                "the wake is lost"
            );
        } else {
            assert!(asleep);
            self.halted_before.store(true, Relaxed);
            nmi();
            assert!(self.rung.swap(false, Relaxed), "the wake is lost");
        }
    }
}

/// Returns whether the NMI came before the CPU halted.
fn run(capacity: usize, after_instructions: u64) -> bool {
    let machine: &Machine = Box::leak(Box::new(Machine {
        rung: AtomicBool::new(false),
        halted_before: AtomicBool::new(false),
    }));
    let mut executor = Executor::with_capacity(capacity, machine, NoMetrics);
    FLAG.store(false, Relaxed);
    REGISTERED.register(Waker::noop());
    UNTIL_NMI.store(after_instructions, Relaxed);
    let task = poll_fn(|context| {
        REGISTERED.register(context.waker());
        if FLAG.load(Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let handle = executor.spawner().spawn(task).unwrap();
    step_from_here();
    let output = executor.block_on(handle);
    step_no_more();
    assert_eq!(output, Ok(()));
    !machine.halted_before.load(Relaxed)
}

#[test]
fn an_nmi_that_wakes_after_any_instruction_is_not_lost() {
    catch_traps();
    for capacity in [1, 600] {
        let mut instructions = 1;
        while run(capacity, instructions) {
            instructions += STRIDE;
        }
        println!("{instructions} instructions with {capacity} slots");
        assert!(instructions > 100, "the stepping does not work");
    }
}
