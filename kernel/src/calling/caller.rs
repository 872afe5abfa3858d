//! The callers: tasks on CPUs that call others at random, and account for each call.
//!
//! A caller makes one call at a time, as a subsystem does. There are several on each CPU, so that a
//! queue has more than one call of a CPU in it. It runs until its share is used up, or it is told to
//! stop, or its CPU goes down: then it is dropped wherever it is, with the call that it waits for.

use alloc::{sync::Arc, vec::Vec};
use core::{
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::FutureExt;
use reveille_executor::{Instant, Timer};
use reveille_smp::{
    call::{NotAll, Refused},
    cpu::CpuIndex,
    remote::RemoteHandle,
};

use super::{
    books,
    draw::Draw,
    kind::Kind,
    standstill::Standstill,
    tokens::{CALLERS, Counted, Receipt, Token, Tokens, Wrong},
};
use crate::{
    calls::{call, call_any, call_blocking, call_many, call_many_blocking, post, try_post},
    cpus::spawn_on,
};

/// How long a blocking call waits. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long no caller may get any further. Only a hang reaches it: it is longer than what a blocking
/// call may take.
const STANDSTILL: Duration = Duration::from_secs(15);

/// One in so many calls is hit by a fault that a test plants.
const PLANTED_EVERY: u32 = 256;

/// What a test wants to be wrong with calls, to see that it is found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    /// Now and then one runs twice.
    pub twice: bool,
    /// Now and then one is not run, and nobody says so.
    pub never: bool,
}

/// The callers on all CPUs.
pub struct Callers {
    shared: Arc<Shared>,
    posts: Vec<Post>,
    /// How many callers have been started.
    started: u64,
}

/// What they share.
struct Shared {
    /// Who is called.
    cpus: Vec<CpuIndex>,
    /// Calls that are still to be made.
    ///
    /// Relaxed, as is what follows: nothing else is told by them.
    left: AtomicU64,
    stops: AtomicBool,
    planted: Planted,
}

/// The callers on one CPU.
struct Post {
    cpu: CpuIndex,
    tokens: &'static Tokens,
    tasks: [Option<RemoteHandle<()>>; CALLERS],
}

impl Callers {
    /// Callers on these CPUs, which call these CPUs. They make `calls` together, or as many as they can.
    pub fn new(cpus: Vec<CpuIndex>, calls: Option<u32>, planted: Planted) -> Self {
        let posts = cpus.iter().map(|&cpu| Post {
            cpu,
            tokens: books::of(cpu),
            tasks: [const { None }; CALLERS],
        });
        Self {
            posts: posts.collect(),
            shared: Arc::new(Shared {
                cpus,
                left: AtomicU64::new(calls.map_or(u64::MAX, u64::from)),
                stops: AtomicBool::new(false),
                planted,
            }),
            started: 0,
        }
    }

    /// Starts those that do not run, on the CPUs that take tasks; what they draw their calls from comes
    /// from `seed`.
    pub fn start(&mut self, seed: u32) {
        self.shared.stops.store(false, Ordering::Relaxed);
        for post in &mut self.posts {
            for (number, task) in post.tasks.iter_mut().enumerate() {
                forget_ended(task);
                if task.is_none() {
                    // So that no two draw the same, from whatever CPU.
                    self.started += 1;
                    let seed = u64::from(seed) << 32 | self.started;
                    let draw = Draw::new(seed, self.shared.cpus.clone());
                    let work = work(Arc::clone(&self.shared), number, post.tokens, draw);
                    // Who takes no tasks is not online, and calls nobody.
                    *task = spawn_on(post.cpu, work).ok();
                }
            }
        }
    }

    /// Waits until all of them have ended by themselves.
    ///
    /// # Errors
    ///
    /// A CPU on which one gets no further.
    ///
    /// # Cancellation
    ///
    /// They go on.
    pub async fn finish(&mut self, timer: &Timer) -> Result<(), Standstill> {
        let (mut seen, mut patience) = (self.left(), timer.now() + STANDSTILL);
        while let Some((cpu, task)) = first_running(&mut self.posts) {
            let soon = timer.now() + STANDSTILL / 4;
            until(task, soon, timer).await;
            let left = self.left();
            if left < seen {
                (seen, patience) = (left, timer.now() + STANDSTILL);
            } else if timer.now() >= patience {
                return Err(Standstill(cpu));
            }
        }
        Ok(())
    }

    /// Tells them to stop behind their present calls, and waits for that.
    ///
    /// # Errors
    ///
    /// A CPU on which one gets no further.
    ///
    /// # Cancellation
    ///
    /// They stop all the same.
    pub async fn stop(&mut self, timer: &Timer) -> Result<(), Standstill> {
        self.tell_to_stop();
        let patience = timer.now() + STANDSTILL;
        while let Some((cpu, task)) = first_running(&mut self.posts) {
            until(task, patience, timer).await;
            if timer.now() >= patience {
                return Err(Standstill(cpu));
            }
        }
        Ok(())
    }

    /// Waits until no call is under way, once no caller runs, and not for one that was lost.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    pub async fn rest(&self, timer: &Timer) {
        let patience = timer.now() + STANDSTILL;
        for post in &self.posts {
            let rest = post.tokens.rest();
            if timer.timeout_at(patience, rest).await.is_err() {
                return;
            }
        }
    }

    fn tell_to_stop(&self) {
        self.shared.stops.store(true, Ordering::Relaxed);
        // Those that wait for a token too.
        self.posts.iter().for_each(|post| post.tokens.wake());
    }

    fn left(&self) -> u64 {
        self.shared.left.load(Ordering::Relaxed)
    }

    /// What is wrong with a call, if anything is known to be.
    pub fn wrong(&self) -> Option<Wrong> {
        self.posts.iter().find_map(|post| post.tokens.wrong())
    }

    /// Looks at all calls once no caller runs and none is under way.
    pub fn audit(&self) {
        self.posts.iter().for_each(|post| post.tokens.audit());
    }

    /// Gives what was counted. Those that still run stop behind their present calls, which nobody
    /// counts.
    pub fn end(self) -> Counted {
        self.tell_to_stop();
        let mut counted = Counted::default();
        for post in &self.posts {
            post.tokens.take_counts(&mut counted);
        }
        counted
    }
}

/// The first caller that has not been seen to end.
fn first_running(posts: &mut [Post]) -> Option<(CpuIndex, &mut Option<RemoteHandle<()>>)> {
    posts.iter_mut().find_map(|post| {
        let task = post.tasks.iter_mut().find(|task| task.is_some())?;
        Some((post.cpu, task))
    })
}

/// Waits for the end of a caller, and forgets it then.
async fn until(task: &mut Option<RemoteHandle<()>>, deadline: Instant, timer: &Timer) {
    if let Some(handle) = task
        && timer.timeout_at(deadline, handle).await.is_ok()
    {
        *task = None;
    }
}

fn forget_ended(task: &mut Option<RemoteHandle<()>>) {
    if let Some(handle) = task
        && handle.now_or_never().is_some()
    {
        *task = None;
    }
}

/// What the caller of this number on its CPU does.
async fn work(shared: Arc<Shared>, number: usize, tokens: &'static Tokens, mut draw: Draw) {
    while !shared.stops.load(Ordering::Relaxed) {
        let (kind, mut called) = draw.call();
        let calls = match kind {
            // Which one it is to is not the caller's to say.
            Kind::AwaitedAny => 1,
            _ => called.len(),
        };
        let share = shared.take(calls as u64);
        if share == 0 {
            return;
        }
        if share < calls as u64 {
            called.truncate(share as usize);
        }
        match tokens.issue(kind, share as u32) {
            Some((token, receipt)) => {
                let times = shared.planted.times(&mut draw);
                let errand = Errand { token, times };
                make(kind, called, errand, receipt).await;
            }
            // As many are on their way as can be accounted for.
            None => {
                shared.put_back(share);
                let stops = || shared.stops.load(Ordering::Relaxed);
                tokens.room(number, stops).await;
            }
        }
        // The CPU may have other things to do.
        turn().await;
    }
}

/// Makes a call, and settles it.
async fn make(kind: Kind, called: Vec<CpuIndex>, errand: Errand, receipt: Receipt) {
    let all = called.len() as u32;
    let one = called[0];
    let run = move || errand.run();
    let not_all = |result: Result<(), NotAll>| match result {
        Ok(()) => all,
        Err(NotAll { cpus, .. }) => all - cpus.len() as u32,
    };
    match kind {
        Kind::Awaited => receipt.settle(u32::from(call(one, run).await.is_ok())),
        Kind::AwaitedMany => receipt.settle(not_all(call_many(called, run).await)),
        Kind::AwaitedAny => receipt.settle(u32::from(call_any(called, run).await.is_ok())),
        // Whether it has run is seen when its token is issued again.
        Kind::Posted => _ = receipt.settle_later(u32::from(post(one, run).await.is_ok())),
        Kind::PostedAtOnce => {
            let posted = match try_post(one, run) {
                Err(Refused::Full(run)) => post(one, run).await.is_ok(),
                posted => posted.is_ok(),
            };
            receipt.settle_later(u32::from(posted));
        }
        Kind::Blocking => {
            receipt.settle(u32::from(call_blocking(one, PATIENCE, run).is_ok()));
        }
        Kind::BlockingMany => {
            receipt.settle(not_all(call_many_blocking(called, PATIENCE, run)));
        }
    }
}

/// What is called: it counts that it ran.
struct Errand {
    token: Token,
    /// Once, unless a test wants something else.
    times: u32,
}

impl Errand {
    fn run(&self) {
        (0..self.times).for_each(|_| self.token.run());
    }
}

impl Planted {
    /// How often the next call is to run.
    fn times(self, draw: &mut Draw) -> u32 {
        match (self.twice || self.never) && draw.once_in(PLANTED_EVERY) {
            true => 2 * u32::from(self.twice),
            false => 1,
        }
    }
}

impl Shared {
    /// Takes so many of the calls that are to be made, or as many as are left.
    fn take(&self, calls: u64) -> u64 {
        let less = |left: u64| Some(left.saturating_sub(calls));
        let relaxed = Ordering::Relaxed;
        let left = self.left.fetch_update(relaxed, relaxed, less);
        left.map_or(0, |left| left.min(calls))
    }

    fn put_back(&self, calls: u64) {
        self.left.fetch_add(calls, Ordering::Relaxed);
    }
}

/// Lets the other tasks of the CPU have their turn.
async fn turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if is_over {
            return Poll::Ready(());
        }
        is_over = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
