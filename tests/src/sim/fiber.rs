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
        let _forget = Forget;
        match coroutine.resume(()) {
            CoroutineResult::Yield(wait) => Some(wait),
            CoroutineResult::Return(()) => None,
        }
    }
}

/// Nobody is suspended by a yielder whose fiber does not run, even if that panicked.
struct Forget;

impl Drop for Forget {
    fn drop(&mut self) {
        YIELDER.set(None);
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

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        rc::Rc,
        time::Duration,
    };

    use super::*;

    const A_WHILE: Wait = Wait::Busy(Duration::from_micros(1));

    #[test]
    fn a_fiber_goes_on_where_it_was_suspended_until_it_ends() {
        let mut fiber = Fiber::new(|| {
            suspend(A_WHILE);
            suspend(Wait::Forever);
        })
        .unwrap();
        assert_eq!(fiber.resume(), Some(A_WHILE));
        assert_eq!(fiber.resume(), Some(Wait::Forever));
        assert_eq!(fiber.resume(), None);
    }

    #[test]
    fn nobody_is_suspended_by_a_fiber_that_has_panicked() {
        let mut fiber = Fiber::new(|| panic!("as it was told")).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| fiber.resume())).is_err());
        assert_eq!(YIELDER.get(), None);
        suspend(A_WHILE);
    }

    #[test]
    fn what_a_fiber_has_on_its_stack_is_dropped_with_it_and_is_not_suspended() {
        struct Suspends(#[expect(dead_code, reason = "it is counted")] Rc<()>);
        impl Drop for Suspends {
            fn drop(&mut self) {
                suspend(A_WHILE);
            }
        }
        let counted = Rc::new(());
        let held = Suspends(Rc::clone(&counted));
        let mut fiber = Fiber::new(move || {
            let _held = held;
            suspend(Wait::Forever);
        })
        .unwrap();
        assert_eq!(fiber.resume(), Some(Wait::Forever));
        drop(fiber);
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
