//! A simulated CPU's flow of control: a coroutine on a stack of its own, so that code which knows
//! nothing of the simulation can be stopped wherever it touches the machine, and time can pass
//! there.

use std::{
    cell::{Cell, RefCell},
    io,
    ptr::NonNull,
};

use corosensei::{Coroutine, CoroutineResult, Yielder, stack::DefaultStack};

use super::wait::Wait;

/// Enough for an executor, the bring-up's futures and a panic in a debug build.
const STACK_SIZE: usize = 128 * 1024;

/// One flow of control, suspended until it is resumed.
pub(super) struct Fiber(Option<Coroutine<(), Wait, ()>>);

thread_local! {
    /// What the fiber that runs on this thread is suspended by.
    static YIELDER: Cell<Option<NonNull<Yielder<(), Wait>>>> = const { Cell::new(None) };
    /// Stacks of fibers that have ended: a simulation needs as many as it has CPUs, and there are
    /// millions of simulations.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

impl Fiber {
    /// Runs `body` when it is first resumed.
    ///
    /// # Errors
    ///
    /// When there is no memory for a stack.
    pub(super) fn new(body: impl FnOnce() + 'static) -> io::Result<Self> {
        let spare = STACKS.with_borrow_mut(Vec::pop);
        let stack = spare.map_or_else(|| DefaultStack::new(STACK_SIZE), Ok)?;
        let coroutine = Coroutine::with_stack(stack, |yielder: &Yielder<(), Wait>, ()| {
            YIELDER.set(Some(NonNull::from(yielder)));
            body();
        });
        Ok(Self(Some(coroutine)))
    }

    /// Goes on until it waits again; `None` when it has ended.
    ///
    /// # Panics
    ///
    /// If the fiber does.
    pub(super) fn resume(&mut self) -> Option<Wait> {
        let coroutine = self.0.as_mut()?;
        let result = coroutine.resume(());
        YIELDER.set(None);
        match result {
            CoroutineResult::Yield(wait) => Some(wait),
            CoroutineResult::Return(()) => None,
        }
    }
}

/// A fiber that is dropped on its way unwinds: what it has on its stack is dropped.
impl Drop for Fiber {
    fn drop(&mut self) {
        if let Some(mut coroutine) = self.0.take() {
            coroutine.force_unwind();
            STACKS.with_borrow_mut(|stacks| stacks.push(coroutine.into_stack()));
        }
    }
}

/// Suspends the fiber that runs on this thread, for so long as `wait` says. Without effect where
/// none runs, and in one that is being dropped.
#[expect(
    unsafe_code,
    reason = "no safe way leads from deep inside a fiber to its yielder"
)]
pub(super) fn suspend(wait: Wait) {
    if std::thread::panicking() {
        return;
    }
    if let Some(yielder) = YIELDER.get() {
        // SAFETY: set by the fiber that runs now, on whose stack it lies, and taken back whenever
        // that one is suspended or has ended.
        unsafe { yielder.as_ref() }.suspend(wait);
        YIELDER.set(Some(yielder));
    }
}
