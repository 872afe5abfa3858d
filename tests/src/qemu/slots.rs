//! How many QEMUs run at once: as many small machines as the host has CPUs, and a large machine
//! alone.
//!
//! Test runners start tests side by side, in one process (`cargo test`) or in many (nextest).
//! The slots are locks on files, which hold between both and are given back however a holder ends.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    thread,
};

use anyhow::{Context, Result};

/// From this many vCPUs on, a machine keeps the whole host busy.
const LARGE: u32 = 16;

/// The right to run a machine, given back on drop.
#[derive(Debug)]
pub struct Slot {
    _locks: Vec<File>,
}

impl Slot {
    /// Waits for its turn to run a machine with `cpus` vCPUs. The locks live in `folder`.
    pub fn wait(folder: &Path, cpus: u32) -> Result<Self> {
        let slots = thread::available_parallelism().map_or(1, usize::from);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut locks = Vec::new();
        for number in 0..slots {
            let path = folder.join(format!("slot-{number}"));
            let lock = File::options().create(true).append(true).open(&path);
            locks.push(lock.with_context(|| format!("cannot open {}", path.display()))?);
        }
        // A gate that each passes one by one: a large machine waits in it for the slots to empty,
        // and no small one can overtake it for ever.
        let gate = File::options()
            .create(true)
            .append(true)
            .open(folder.join("gate"))?;
        gate.lock()?;
        if cpus >= LARGE {
            for lock in &locks {
                lock.lock()?;
            }
            return Ok(Self { _locks: locks });
        }
        let taken = locks.pop();
        for lock in locks {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { _locks: vec![lock] }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        let last = taken.context("a host has a CPU")?;
        last.lock()?;
        Ok(Self { _locks: vec![last] })
    }
}
