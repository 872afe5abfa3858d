//! A `no_std` async executor whose wakers work from any CPU, interrupt or NMI.
//!
//! ```text
//!   any CPU, interrupt, NMI                    the CPU that owns the executor
//!   Waker::wake                                Executor::block_on
//!     set the task's bit   ---- ready.rs ---->   take all bits, poll their tasks
//!     ring, if it sleeps   ---- sleep.rs ---->   announce, look again, sleep
//! ```
//!
//! A task that waits for another CPU, here a thread of a host, for a minute at most:
//!
//! ```
//! use std::future::poll_fn;
//! use std::sync::atomic::{AtomicBool, Ordering};
//! use std::task::Poll;
//! use std::time::Duration;
//!
//! use futures_util::task::AtomicWaker;
//! use reveille_executor::{Executor, NoMetrics, Park};
//!
//! static ALIVE: AtomicBool = AtomicBool::new(false);
//! static WAITING: AtomicWaker = AtomicWaker::new();
//!
//! // A machine of one's own: see `Platform`.
//! let platform = Box::leak(Box::new(Park::new()));
//! let mut executor = Executor::with_capacity(64, platform, NoMetrics);
//!
//! let timer = executor.timer();
//! let task = executor.spawner().spawn(async move {
//!     let alive = poll_fn(|context| {
//!         // First the waker, then the look: no change comes in between unnoticed.
//!         WAITING.register(context.waker());
//!         if ALIVE.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
//!     });
//!     timer.timeout(Duration::from_secs(60), alive).await
//! })?;
//!
//! std::thread::spawn(|| {
//!     ALIVE.store(true, Ordering::Release);
//!     WAITING.wake();
//! });
//!
//! // Sleeps until the wake, unless that was first.
//! assert_eq!(executor.block_on(task), Ok(Ok(())));
//! # Ok::<(), reveille_executor::SpawnError>(())
//! ```
//!
//! The two files named in the drawing hold every word that two CPUs share, but for what
//! [`Metrics`] count; all else belongs to the owner alone. `MEMORY_ORDERING.md` gives the argument
//! for each of these words.
//!
//! What always holds:
//!
//! - A wake never allocates, frees, takes a lock or waits for another CPU. It is one
//!   read-modify-write on the ready set (a second one above 512 tasks, unless its effect is there
//!   already) and, only if the executor sleeps, one doorbell.
//! - When `wake` has returned, the task will be polled, whatever becomes of other wakers that are
//!   half-way through theirs.
//! - Nothing allocates after spawn. Wakers point into storage that is never given back, so they
//!   may outlive the task and the executor: a stale wake costs at most one spurious poll.
//! - Only wakers leave the CPU of their executor. All else that belongs to one, its tasks
//!   included, is for that CPU alone, and neither `Send` nor `Sync`.
//!
//! Features: `alloc` (default) takes storage and tasks from the heap; `std` adds `Park`, the
//! platform of a host's thread. Without a heap (`default-features = false`):
//! [`Executor::in_storage`] and [`Spawner::spawn_in`].
//!
//! Work for another CPU goes through something that both can reach, with an `AtomicWaker` beside it:
//! the sender puts it there and wakes; a task on the receiver registers its waker, and then takes
//! what is there. `smp/src/inbox.rs` of this repository does that, and gives a handle on what comes
//! of the work.
//!
//! The target must have 64-bit atomics (`target_has_atomic = "64"`).
//!
//! A [`Platform`] for real hardware (`hlt`, local APIC timer, an IPI as doorbell) is
//! `kernel/src/platform.rs` of this repository.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod executor;
#[cfg(feature = "std")]
mod host;
mod instant;
mod join;
mod metrics;
mod platform;
mod ready;
mod sleep;
mod slots;
mod spawner;
mod stopwatch;
mod storage;
mod sync;
mod task;
mod timer;
mod timer_heap;
mod waker;

pub use executor::Executor;
#[cfg(feature = "std")]
pub use host::Park;
pub use instant::Instant;
pub use join::{Aborted, JoinHandle};
pub use metrics::{Counters, Metrics, NoMetrics, Snapshot};
pub use platform::{Clock, Doorbell, Idle, Platform};
pub use ready::{MAX_CAPACITY, TASKS_PER_BLOCK};
pub use sleep::SleepGate;
pub use spawner::{SpawnError, Spawner};
pub use stopwatch::{Reading, Stopwatch};
pub use storage::Storage;
pub use task::TaskCell;
pub use timer::{Elapsed, Sleep, Timeout, Timer};
