//! Memory that is mapped for a while: frames of its own, at addresses of the window (`window.rs`).
//!
//! All CPUs may use it as long as it is there. It is given back in whole pages, when no CPU can reach it any
//! more (`shoot_down.rs`); before that neither its frames nor its addresses are anybody else's.

use core::{mem, ops::Range, ptr::NonNull};

use reveille_executor::Timer;

use super::{
    frames::FrameRun,
    kernel,
    paging::MapError,
    shoot_down::{ShootDownError, drop_everywhere},
};

/// Memory that is mapped for a while. Dropped, it stays so for good: [`give_back`](Self::give_back) waits, and
/// a drop cannot.
#[derive(Debug)]
#[must_use]
pub struct Temporary {
    pages: Range<u64>,
    frames: FrameRun,
}

impl Temporary {
    /// So many pages of 4 KiB, for reading and writing, with whatever was in their frames.
    ///
    /// # Errors
    ///
    /// [`MapError::NoFrame`] if there are not as many frames behind each other, or addresses.
    pub fn map(pages: u64) -> Result<Self, MapError> {
        let (pages, frames) = kernel::map_in_window(pages)?;
        Ok(Self { pages, frames })
    }

    /// The first byte. Whoever uses the memory sees to it that nobody else does so at the same time, and that
    /// nobody does once it is given back.
    pub fn start(&self) -> NonNull<u8> {
        let start = core::ptr::with_exposed_provenance_mut(self.pages.start as usize);
        NonNull::new(start).expect("the window does not begin at address 0")
    }

    /// Lets the same addresses lead to other frames, and gives the old ones back once no CPU reaches them any
    /// more. What was written is lost.
    ///
    /// # Errors
    ///
    /// [`ShootDownError`]: the old frames are lost if a CPU may still reach them.
    ///
    /// # Cancellation
    ///
    /// The old frames are lost, and some CPUs may still reach them.
    pub async fn exchange(&mut self, timer: &Timer) -> Result<(), ShootDownError> {
        let fresh = kernel::remap(self.pages.clone())?;
        let old = mem::replace(&mut self.frames, fresh);
        drop_everywhere(self.pages.clone(), timer).await?;
        kernel::free(old);
        Ok(())
    }

    /// Unmaps it, and gives frames and addresses back once no CPU reaches them any more.
    ///
    /// # Errors
    ///
    /// [`ShootDownError`]: both are lost if a CPU may still reach them.
    ///
    /// # Cancellation
    ///
    /// Both are lost.
    pub async fn give_back(self, timer: &Timer) -> Result<(), ShootDownError> {
        kernel::unmap_in_tables(self.pages.clone())?;
        drop_everywhere(self.pages.clone(), timer).await?;
        kernel::free(self.frames);
        kernel::free_in_window(self.pages);
        Ok(())
    }
}
