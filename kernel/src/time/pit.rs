//! The 8254 programmable interval timer, channel 0 (Intel 8254 data sheet).
//!
//! Channel 2, which many kernels calibrate with, is gated through port 0x61. QEMU's microvm has
//! the timer but not that port (`hw/i386/microvm.c` makes an i8254 and no pcspk), so what is read
//! there has nothing to do with time. Channel 0 is never gated: it counts, and a latch command
//! freezes a copy of the count to read at leisure.

use x86_64::instructions::port::{Port, PortWriteOnly};

use super::measure::Counter;

/// Channel 0, counting.
pub(super) struct Pit {
    command: PortWriteOnly<u8>,
    channel_0: Port<u8>,
}

impl Pit {
    /// Starts the channel over its whole 16 bits, in mode 0: the one mode that raises its
    /// interrupt line once and then never again, while the count goes on round.
    pub(super) fn start() -> Self {
        const CHANNEL_0_BOTH_BYTES_MODE_0: u8 = 0b0011_0000;
        let mut pit = Self {
            command: PortWriteOnly::new(0x43),
            channel_0: Port::new(0x40),
        };
        // SAFETY: the ports are the timer's on every PC; they touch no memory. Nobody else uses
        // channel 0, and its interrupt is masked.
        unsafe {
            pit.command.write(CHANNEL_0_BOTH_BYTES_MODE_0);
            // A count of 0 stands for 65,536.
            pit.channel_0.write(0);
            pit.channel_0.write(0);
        }
        pit
    }
}

impl Counter for Pit {
    fn hz(&self) -> u64 {
        1_193_182
    }

    fn mask(&self) -> u64 {
        0xffff
    }

    fn read(&mut self) -> u64 {
        const LATCH_CHANNEL_0: u8 = 0;
        // SAFETY: as in `start`.
        let down = unsafe {
            self.command.write(LATCH_CHANNEL_0);
            u16::from_le_bytes([self.channel_0.read(), self.channel_0.read()])
        };
        // The channel counts down, a `Counter` up.
        u64::from(!down)
    }
}
