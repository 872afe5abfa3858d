//! A task's storage: a header of two words, then the future, whose place its output takes.
//!
//! ```text
//!   join word      meaning                              the cell belongs to
//!   NOBODY         runs, a handle exists                executor and handle
//!   (a waiter)     runs, the handle waits               executor and handle
//!   DETACHED       runs, the handle is gone             executor
//!   COMPLETED      ended, the output lies in the cell   handle
//!   ABORTED        ended, the cell is empty             handle
//! ```
//!
//! **Cell Invariant**: while the join word says "runs", the body holds the future; at COMPLETED it
//! holds the output; else nothing. Between the end of a future and the end of its [`Task`] the
//! table's functions say what it holds.
//!
//! **Share Invariant**: the executor has one [`Task`] of a cell until it ends it, the handle one
//! [`Join`] until it drops it. Whoever goes last releases the cell. All of this happens on the
//! owner CPU; no word here is shared.

use core::cell::{Cell, UnsafeCell};
use core::marker::{PhantomData, PhantomPinned};
use core::mem::{ManuallyDrop, forget};
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};

use crate::Aborted;

/// A place for the waker of whoever awaits a [`JoinHandle`](crate::JoinHandle).
pub(crate) type Waiter = Cell<Option<Waker>>;

const NOBODY: *const Waiter = ptr::null();
const DETACHED: *const Waiter = ptr::without_provenance(1);
const COMPLETED: *const Waiter = ptr::without_provenance(2);
const ABORTED: *const Waiter = ptr::without_provenance(3);

/// Storage for one task, for an owner that has no heap.
///
/// Give it to [`Spawner::spawn_in`](crate::Spawner::spawn_in); it serves one task, once. With a
/// heap, `Spawner::spawn` makes one by itself. In a static:
/// [`Executor::in_storage`](crate::Executor::in_storage).
#[repr(C)]
pub struct TaskCell<F: Future> {
    /// First, so that a pointer to it is one to the cell.
    header: Header,
    body: UnsafeCell<Body<F>>,
    _pinned: PhantomPinned,
}

/// The part of a cell that does not depend on the future's type.
struct Header {
    table: &'static Table,
    join: Cell<*const Waiter>,
}

// SAFETY: until it is spawned, a cell is a future, which may be sent, and plain data that nobody
// else points to. Spawning takes the exclusive reference for good: from then on it stays.
unsafe impl<F: Future + Send> Send for TaskCell<F> {}

union Body<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

/// How to handle cells of one type. Every function takes a pointer to such a cell, which it may
/// use as a whole.
struct Table {
    /// Polls the future. If it is done, it is dropped, and the output put in its place, or dropped
    /// as well if the task is detached. If it panics, the body is left empty.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Poll<()>,
    /// Drops the future in the body.
    drop_future: unsafe fn(NonNull<Header>),
    /// Drops the output in the body.
    drop_output: unsafe fn(NonNull<Header>),
    /// The body's address.
    output: unsafe fn(NonNull<Header>) -> NonNull<()>,
    /// Gives the memory of an empty cell back.
    release: unsafe fn(NonNull<Header>),
}

impl<F: Future + 'static> TaskCell<F> {
    /// A cell that holds `future`. Spawning never fails for want of memory, but a cell that is not
    /// spawned leaks its future.
    pub const fn new(future: F) -> Self {
        Self::with_table(future, &const { Self::table(|_| {}) })
    }

    const fn with_table(future: F, table: &'static Table) -> Self {
        Self {
            header: Header {
                table,
                join: Cell::new(NOBODY),
            },
            body: UnsafeCell::new(Body {
                future: ManuallyDrop::new(future),
            }),
            _pinned: PhantomPinned,
        }
    }

    const fn table(release: unsafe fn(NonNull<Header>)) -> Table {
        Table {
            poll: Self::poll,
            drop_future: Self::drop_future,
            drop_output: Self::drop_output,
            output: Self::output,
            release,
        }
    }

    /// # Safety
    ///
    /// `cell` is the header of a live `TaskCell<F>`.
    unsafe fn body(cell: NonNull<Header>) -> *mut Body<F> {
        let cell = cell.cast::<Self>().as_ptr();
        // SAFETY: by the caller's promise.
        unsafe { UnsafeCell::raw_get(&raw const (*cell).body) }
    }

    unsafe fn poll(cell: NonNull<Header>, context: &mut Context<'_>) -> Poll<()> {
        /// Drops the future when it is done or panics.
        struct Done<F: Future + 'static>(NonNull<Header>, PhantomData<F>);
        impl<F: Future + 'static> Drop for Done<F> {
            fn drop(&mut self) {
                // SAFETY: made and dropped while the body holds the future.
                unsafe { TaskCell::<F>::drop_future(self.0) }
            }
        }

        // SAFETY: the table is used for cells of its own type.
        let body = unsafe { Self::body(cell) };
        let done = Done::<F>(cell, PhantomData);
        // SAFETY: the task runs, so the body holds the future (Cell Invariant). Neither a boxed nor
        // a `'static` cell moves, and the future is dropped in its place: it is pinned.
        let future = unsafe { Pin::new_unchecked(&mut *(*body).future) };
        let Poll::Ready(output) = future.poll(context) else {
            forget(done);
            return Poll::Pending;
        };
        drop(done);
        // SAFETY: a live cell. Only now: dropping the future may have dropped the handle.
        if unsafe { cell.as_ref() }.join.get() != DETACHED {
            // SAFETY: the body is empty.
            unsafe { (*body).output = ManuallyDrop::new(output) };
        }
        Poll::Ready(())
    }

    unsafe fn drop_future(cell: NonNull<Header>) {
        // SAFETY: the table is used for cells of its own type, this one while a future is there.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(cell)).future) }
    }

    unsafe fn drop_output(cell: NonNull<Header>) {
        // SAFETY: the table is used for cells of its own type, this one while an output is there.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(cell)).output) }
    }

    unsafe fn output(cell: NonNull<Header>) -> NonNull<()> {
        // SAFETY: the table is used for cells of its own type, whose body is not at address zero.
        unsafe { NonNull::new_unchecked(Self::body(cell)).cast() }
    }

    /// Releases a cell that came out of a box.
    #[cfg(feature = "alloc")]
    unsafe fn unbox(cell: NonNull<Header>) {
        // SAFETY: `Task::boxed` took it out of a box of this type, and the last share is gone.
        drop(unsafe { alloc::boxed::Box::from_raw(cell.cast::<Self>().as_ptr()) });
    }
}

/// The executor's share of a cell whose future has not ended.
///
/// Comparable, and kept in its slot while it is polled; each way to end it says what became of the
/// future.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task(NonNull<Header>);

impl Task {
    /// A task in memory that the owner gave for good.
    pub(crate) fn in_cell<F: Future + 'static>(
        cell: &'static mut TaskCell<F>,
    ) -> (Self, Join<F::Output>) {
        Self::shares(NonNull::from(cell).cast())
    }

    /// A task in a box of its own.
    #[cfg(feature = "alloc")]
    pub(crate) fn boxed<F: Future + 'static>(future: F) -> (Self, Join<F::Output>) {
        let table = &const { TaskCell::<F>::table(TaskCell::<F>::unbox) };
        let cell = alloc::boxed::Box::new(TaskCell::with_table(future, table));
        Self::shares(NonNull::from(alloc::boxed::Box::leak(cell)).cast())
    }

    fn shares<T>(cell: NonNull<Header>) -> (Self, Join<T>) {
        (Self(cell), Join(cell, PhantomData))
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: Share Invariant.
        unsafe { self.0.as_ref() }
    }

    /// Polls the future. If it is ready, [`complete`](Self::complete) or
    /// [`discard`](Self::discard) comes next; if it panics, [`emptied`](Self::emptied).
    #[inline]
    pub(crate) fn poll(self, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the task runs, and the executor polls one task at a time.
        unsafe { (self.header().table.poll)(self.0, context) }
    }

    /// Ends the task with its output.
    pub(crate) fn complete(self) {
        self.end(COMPLETED);
    }

    /// Ends the task, whose future is gone without an output.
    pub(crate) fn emptied(self) {
        self.end(ABORTED);
    }

    /// Ends the task and drops its future.
    pub(crate) fn abort(self) {
        let _emptied = Emptied(self);
        // SAFETY: the task runs, so the body holds the future (Cell Invariant).
        unsafe { (self.header().table.drop_future)(self.0) };
    }

    /// Ends the task and drops its output.
    pub(crate) fn discard(self) {
        let _emptied = Emptied(self);
        if self.header().join.get() != DETACHED {
            // SAFETY: `poll` put the output there.
            unsafe { (self.header().table.drop_output)(self.0) };
        }
    }

    fn end(self, end: *const Waiter) {
        match self.header().join.replace(end) {
            // SAFETY: there is no handle, so this was the last share; the body is empty.
            DETACHED => unsafe { (self.header().table.release)(self.0) },
            NOBODY => {}
            waiter => {
                // SAFETY: by the promise made to `Join::wait`.
                let waker = unsafe { &*waiter }.take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

/// Ends a task also when the drop of what its body held panics.
struct Emptied(Task);

impl Drop for Emptied {
    fn drop(&mut self) {
        self.0.emptied();
    }
}

/// The handle's share of a cell whose output is a `T`.
pub(crate) struct Join<T>(NonNull<Header>, PhantomData<T>);

impl<T> Join<T> {
    fn header(&self) -> &Header {
        // SAFETY: Share Invariant.
        unsafe { self.0.as_ref() }
    }

    /// The task, for comparison with the one in a slot.
    pub(crate) fn task(&self) -> Task {
        Task(self.0)
    }

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.header().join.get(), COMPLETED | ABORTED)
    }

    /// The end of the task will wake what is in `waiter` then.
    ///
    /// # Safety
    ///
    /// The task runs, and `waiter` stays where it is until the task has ended or this share is
    /// dropped.
    pub(crate) unsafe fn wait(&self, waiter: &Waiter) {
        self.header().join.set(waiter);
    }

    /// What the task, which has ended, came to.
    pub(crate) fn into_output(self) -> Result<T, Aborted> {
        if self.header().join.get() != COMPLETED {
            return Err(Aborted);
        }
        // From here on the body counts as empty.
        self.header().join.set(ABORTED);
        // SAFETY: the body holds the output (Cell Invariant), which is a `T`, and is read once.
        Ok(unsafe { (self.header().table.output)(self.0).cast::<T>().read() })
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        /// Releases the cell also when the drop of its output panics.
        struct Release(NonNull<Header>, &'static Table);
        impl Drop for Release {
            fn drop(&mut self) {
                // SAFETY: the executor's share is gone, so this was the last; the body is empty.
                unsafe { (self.1.release)(self.0) }
            }
        }

        if !self.has_ended() {
            self.header().join.set(DETACHED);
            return;
        }
        let release = Release(self.0, self.header().table);
        if self.header().join.get() == COMPLETED {
            // SAFETY: the body holds the output (Cell Invariant).
            unsafe { (release.1.drop_output)(self.0) }
        }
    }
}
