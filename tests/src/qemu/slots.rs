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
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // All pass this gate one by one. A large machine waits in it until every slot is free, so
        // no small one can overtake it for ever.
        let gate = open(folder, "gate")?;
        gate.lock()?;
        let slots = thread::available_parallelism().map_or(1, usize::from);
        let mut locks = (0..slots)
            .map(|number| open(folder, &format!("slot-{number}")))
            .collect::<Result<Vec<_>>>()?;
        if cpus >= LARGE {
            locks.iter().try_for_each(File::lock)?;
            return Ok(Self { _locks: locks });
        }
        for index in 0..slots {
            match locks[index].try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        _locks: vec![locks.swap_remove(index)],
                    });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        // All are taken. Whichever is waited for may not be the next to be free, which costs some
        // idle time and nothing else.
        let lock = locks.swap_remove(0);
        lock.lock()?;
        Ok(Self { _locks: vec![lock] })
    }
}

fn open(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let file = File::options().create(true).append(true).open(&path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_large_machine_waits_until_the_small_ones_have_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let small = Slot::wait(folder.path(), 2).expect("the first slot is free");
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _large = Slot::wait(folder.path(), LARGE).expect("all become free");
                sender.send("the large one runs").expect("somebody listens");
            });
            // Were it not for the slots, both lines could come in either order.
            sender.send("the small one ends").expect("somebody listens");
            drop(small);
        });
        let order: Vec<_> = receiver.try_iter().collect();
        assert_eq!(order, ["the small one ends", "the large one runs"]);
    }

    #[test]
    fn there_are_as_many_slots_as_the_host_has_cpus() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = thread::available_parallelism().map_or(1, usize::from);
        let held: Vec<_> = (0..count)
            .map(|_| Slot::wait(folder.path(), 1).expect("one is free"))
            .collect();
        for number in 0..count {
            let slot = open(folder.path(), &format!("slot-{number}")).expect("it is there");
            assert!(matches!(slot.try_lock(), Err(TryLockError::WouldBlock)));
        }
        drop(held);
    }
}
