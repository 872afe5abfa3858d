//! Spawning tasks, and why it may fail.

use core::fmt;

use crate::JoinHandle;
use crate::slots::Slot;
use crate::storage::Local;
use crate::task::{Join, Task, TaskCell};

/// Spawns tasks on the executor that it came from. Cheap to clone, usable from within tasks.
///
/// Belongs to the CPU of its executor: neither `Send` nor `Sync`.
#[derive(Clone)]
pub struct Spawner {
    local: &'static Local,
}

/// Why a task was not spawned. Its future has been dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// All slots hold tasks. Spawn again when one has ended, or give the executor more slots.
    Full,
    /// The executor is gone, or is being reset.
    Closed,
}

impl Spawner {
    pub(crate) fn new(local: &'static Local) -> Self {
        Self { local }
    }

    /// Spawns a task from the heap; its memory is given back when the task has ended and the
    /// handle is gone. The task takes the lowest vacant slot and is polled in this round or in the
    /// next.
    ///
    /// # Cancellation
    ///
    /// The task runs by itself: dropping the handle detaches it.
    /// [`JoinHandle::abort`] and [`Executor::reset`](crate::Executor::reset) drop its future.
    #[cfg(feature = "alloc")]
    pub fn spawn<F: Future + 'static>(
        &self,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        let slot = self.vacant()?;
        Ok(self.put(slot, Task::boxed(future)))
    }

    /// Spawns the task that lies in `cell`: for owners without a heap. Else as
    /// `spawn`.
    ///
    /// A cell that is refused is spent: like any other future that is refused, its own is dropped.
    /// [`Executor::in_storage`](crate::Executor::in_storage) has an example.
    pub fn spawn_in<F: Future + 'static>(
        &self,
        cell: &'static mut TaskCell<F>,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        let task = Task::in_cell(cell);
        match self.vacant() {
            Ok(slot) => Ok(self.put(slot, task)),
            Err(error) => {
                task.0.abort();
                Err(error)
            }
        }
    }

    /// Whether [`spawn_in`](Self::spawn_in) and `spawn` would take a task now. It stays so until
    /// somebody on this CPU spawns one, or resets or drops the executor.
    pub fn room(&self) -> Result<(), SpawnError> {
        self.vacant().map(drop)
    }

    fn vacant(&self) -> Result<Slot, SpawnError> {
        let slots = &self.local.slots;
        if !slots.is_open() {
            return Err(SpawnError::Closed);
        }
        slots.vacant().ok_or(SpawnError::Full)
    }

    fn put<T>(&self, slot: Slot, (task, join): (Task, Join<T>)) -> JoinHandle<T> {
        let slots = &self.local.slots;
        slots.put(slot, task);
        JoinHandle::new(slots, slot, join)
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "all slots of the executor hold tasks",
            Self::Closed => "the executor is gone or is being reset",
        })
    }
}

impl core::error::Error for SpawnError {}
