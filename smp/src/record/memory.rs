//! The record `memory`: what the guest's memory is taken by, as far as that may grow with the number of CPUs.

use super::Balance;

/// Memory before anything was prepared for APs, and once the boot's own bring-up was over: what they take by
/// being there, and some that is the same for any number of them, such as the executor of the BSP, the
/// ladder, and what the run knows of itself. So what an AP takes is the slope over several numbers of APs, and not a
/// quotient of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Memory {
    /// APs that have a slot, whether they came up or not.
    pub aps: u32,
    /// What was in use.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub balance: Balance,
}

impl Memory {
    /// Bytes of a frame.
    const FRAME: i64 = 4096;

    /// Bytes that were taken meanwhile, of the heap, and of frames beside it: by all APs together, and by what does not
    /// depend on their number.
    pub const fn bytes(&self) -> i64 {
        self.balance.heap_growth() + Self::FRAME * self.balance.frames_growth()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_the_heap_and_frames_beside_it_add_up() {
        let balance = Balance {
            heap_before: 1_000,
            heap_after: 4_500,
            frames_before: 70,
            frames_after: 72,
            disturbed: false,
        };
        let memory = Memory { aps: 1, balance };
        assert_eq!(memory.bytes(), 3_500 + 2 * 4096);
    }
}
