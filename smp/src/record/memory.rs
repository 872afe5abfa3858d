//! The record `memory`: what the CPUs take of the guest's memory.

use super::Balance;

/// Memory before anything was prepared for APs, and once the boot's own bring-up was over: what they take by
/// being there.
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

    /// Bytes that all APs take together, of the heap, and of frames beside it.
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
