//! A task's storage: a header of two words, then the future, which makes room for its output.
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
//! Who holds the cell last releases it. All of this happens on the owner CPU: no word here is
//! shared. **Cell Invariant**: while the join word says "runs", the body holds the future; at
//! COMPLETED it holds the output; else nothing.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomPinned;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};

/// A place for the waker of the one who awaits a [`JoinHandle`](crate::JoinHandle).
pub(crate) type Waiter = Cell<Option<Waker>>;

const NOBODY: *const Waiter = ptr::null();
const DETACHED: *const Waiter = ptr::without_provenance(1);
const COMPLETED: *const Waiter = ptr::without_provenance(2);
const ABORTED: *const Waiter = ptr::without_provenance(3);

/// What a join handle finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Runs,
    Completed,
    Aborted,
}

/// The part of a cell that does not depend on the future's type.
pub(crate) struct Header {
    table: &'static Table,
    join: Cell<*const Waiter>,
}

/// How to handle a cell of one type. Each function takes the pointer that spawn was given.
struct Table {
    /// Polls the future; when it is ready, puts the output in its place, or drops it if detached.
    /// If it panics, the body is empty.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    drop_future: unsafe fn(NonNull<Header>),
    /// The output's address.
    output: unsafe fn(NonNull<Header>) -> NonNull<()>,
    drop_output: unsafe fn(NonNull<Header>),
    /// Gives the memory back.
    release: unsafe fn(NonNull<Header>),
}

/// Storage for one task, for an owner that has no heap.
///
/// Give it to [`Spawner::spawn_in`](crate::Spawner::spawn_in); it serves one task, once. With a
/// heap, [`Spawner::spawn`](crate::Spawner::spawn) makes one by itself.
#[repr(C)]
pub struct TaskCell<F: Future> {
    header: Header,
    body: UnsafeCell<Body<F>>,
    _pinned: PhantomPinned,
}

union Body<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

impl<F: Future + 'static> TaskCell<F> {
    /// A cell that holds `future`. If it is dropped without having been spawned, the future is
    /// leaked, not dropped.
    pub const fn new(future: F) -> Self {
        Self::with_release(future, &Self::STATIC)
    }

    const fn with_release(future: F, table: &'static Table) -> Self {
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

    const STATIC: Table = Self::table(|_| {});

    const fn table(release: unsafe fn(NonNull<Header>)) -> Table {
        Table {
            poll: Self::poll,
            drop_future: Self::drop_future,
            output: |cell| Self::body(cell).cast(),
            drop_output: Self::drop_output,
            release,
        }
    }

    fn body(cell: NonNull<Header>) -> NonNull<Body<F>> {
        let cell = cell.cast::<Self>().as_ptr();
        // SAFETY: the tables are used with pointers to cells of their own type only.
        let body = unsafe { UnsafeCell::raw_get(&raw const (*cell).body) };
        // SAFETY: a field of a live cell is not at address zero.
        unsafe { NonNull::new_unchecked(body) }
    }

    unsafe fn poll(cell: NonNull<Header>, context: &mut Context<'_>) -> bool {
        /// Drops the future when a poll panics and when it is done.
        struct DropFuture<F: Future + 'static>(NonNull<Header>, core::marker::PhantomData<F>);
        impl<F: Future + 'static> Drop for DropFuture<F> {
            fn drop(&mut self) {
                // SAFETY: the body holds the future, and nobody uses it after this.
                unsafe { TaskCell::<F>::drop_future(self.0) }
            }
        }

        let body = Self::body(cell);
        let done = DropFuture::<F>(cell, core::marker::PhantomData);
        // SAFETY: Cell Invariant: a cell is polled while it runs. Neither a boxed cell nor a
        // `'static` one moves, and the future is dropped in its place, so it is pinned.
        let future = unsafe { Pin::new_unchecked(&mut *(*body.as_ptr()).future) };
        let Poll::Ready(output) = future.poll(context) else {
            core::mem::forget(done);
            return false;
        };
        drop(done);
        // SAFETY: the header of a live cell.
        if unsafe { cell.as_ref() }.join.get() != DETACHED {
            // SAFETY: the future is gone, so the body is free.
            unsafe { (*body.as_ptr()).output = ManuallyDrop::new(output) };
        }
        true
    }

    unsafe fn drop_future(cell: NonNull<Header>) {
        // SAFETY: the caller says that the body holds the future.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(cell).as_ptr()).future) }
    }

    unsafe fn drop_output(cell: NonNull<Header>) {
        // SAFETY: the caller says that the body holds the output.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(cell).as_ptr()).output) }
    }
}

/// A spawned task, held by the executor: the executor's share of a cell.
///
/// Not `Drop`: every way out says what becomes of the future.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task(NonNull<Header>);

/// The handle's share of a cell.
pub(crate) struct Join(NonNull<Header>);

impl Task {
    /// A task in memory that the owner gave for good.
    pub(crate) fn in_cell<F: Future + 'static>(cell: &'static mut TaskCell<F>) -> (Self, Join) {
        let header = NonNull::from(cell).cast();
        (Self(header), Join(header))
    }

    /// A task in a box of its own.
    #[cfg(feature = "alloc")]
    pub(crate) fn boxed<F: Future + 'static>(future: F) -> (Self, Join) {
        struct Boxed<F>(F);
        impl<F: Future + 'static> Boxed<F> {
            const TABLE: Table = TaskCell::<F>::table(|cell| {
                // SAFETY: the cell came out of a box of this type, and its last holder calls this.
                drop(unsafe { alloc::boxed::Box::from_raw(cell.cast::<TaskCell<F>>().as_ptr()) });
            });
        }
        let cell = alloc::boxed::Box::new(TaskCell::with_release(future, &Boxed::<F>::TABLE));
        let header = NonNull::from(alloc::boxed::Box::leak(cell)).cast();
        (Self(header), Join(header))
    }

    fn header(&self) -> &Header {
        // SAFETY: a `Task` is a share of the cell, so the cell is live.
        unsafe { self.0.as_ref() }
    }

    /// Polls the future. `true`: it is done, and [`completed`](Self::completed) comes next.
    /// If it panics, [`emptied`](Self::emptied) comes next.
    pub(crate) fn poll(self, context: &mut Context<'_>) -> bool {
        // SAFETY: the executor polls tasks that run, one at a time.
        unsafe { (self.header().table.poll)(self.0, context) }
    }

    /// Gives up the share after the future has completed.
    pub(crate) fn completed(self) {
        self.end(COMPLETED);
    }

    /// Gives up the share after the future has been dropped.
    pub(crate) fn emptied(self) {
        self.end(ABORTED);
    }

    /// Drops the future and gives up the share.
    pub(crate) fn abort(self) {
        /// Also when the future's drop panics, the cell is not forgotten.
        struct End(Task);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.emptied();
            }
        }
        let _end = End(self);
        // SAFETY: the task runs, so the body holds the future.
        unsafe { (self.header().table.drop_future)(self.0) };
    }

    /// Drops the output and gives up the share: the task was aborted by its own last poll.
    pub(crate) fn abort_completed(self) {
        struct End(Task);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.emptied();
            }
        }
        let _end = End(self);
        if self.header().join.get() != DETACHED {
            // SAFETY: the future has completed for a handle, so the body holds the output.
            unsafe { (self.header().table.drop_output)(self.0) };
        }
    }

    fn end(self, end: *const Waiter) {
        match self.header().join.replace(end) {
            // SAFETY: there is no handle, so this was the last share, and the body is empty.
            DETACHED => unsafe { (self.header().table.release)(self.0) },
            NOBODY => {}
            waiter => {
                // SAFETY: the handle is pinned and takes its waiter back before it goes.
                let waker = unsafe { &*waiter }.take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

impl Join {
    fn header(&self) -> &Header {
        // SAFETY: a `Join` is a share of the cell, so the cell is live.
        unsafe { self.0.as_ref() }
    }

    /// The task that this is the handle of; for comparison with the task in a slot.
    pub(crate) fn task(&self) -> Task {
        Task(self.0)
    }

    pub(crate) fn fate(&self) -> Fate {
        match self.header().join.get() {
            COMPLETED => Fate::Completed,
            ABORTED => Fate::Aborted,
            _ => Fate::Runs,
        }
    }

    /// The end of the task will wake `waiter`.
    ///
    /// # Safety
    ///
    /// The task runs, and `waiter` stays where it is until the task has ended or this share has
    /// been dropped.
    pub(crate) unsafe fn wait(&self, waiter: &Waiter) {
        self.header().join.set(waiter);
    }

    /// The output.
    ///
    /// # Safety
    ///
    /// The task has completed with an output of type `T`, which has not been taken before.
    pub(crate) unsafe fn take_output<T>(self) -> T {
        // SAFETY: by the caller's promise the body holds a `T`, and it is taken once.
        let output = unsafe { (self.header().table.output)(self.0).cast::<T>().read() };
        self.header().join.set(ABORTED);
        output
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        let table = self.header().table;
        match self.fate() {
            Fate::Runs => self.header().join.set(DETACHED),
            Fate::Aborted => {
                // SAFETY: the executor has given up its share, and the body is empty.
                unsafe { (table.release)(self.0) }
            }
            Fate::Completed => {
                struct Release(&'static Table, NonNull<Header>);
                impl Drop for Release {
                    fn drop(&mut self) {
                        // SAFETY: the last share, and the body is empty.
                        unsafe { (self.0.release)(self.1) }
                    }
                }
                let _release = Release(table, self.0);
                // SAFETY: Cell Invariant: the body holds the output.
                unsafe { (table.drop_output)(self.0) }
            }
        }
    }
}
