//! The kernel: what happens from the first line of Rust on, in order.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use reveille_kernel::exit::exit;
use reveille_kernel::{console, println};

/// Called by `boot/entry.S` on the BSP, in long mode, on the boot stack, interrupts off.
///
/// `start_info` is the physical address of the loader's start info, `entry_tsc` the time stamp
/// counter at the kernel's first instruction.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(start_info: u32, entry_tsc: u64) -> ! {
    console::init();
    println!(
        "reveille: {} (start info at {start_info:#x}, TSC {entry_tsc})",
        env!("CARGO_PKG_VERSION")
    );
    exit(0x10)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    console::print_forced(format_args!("{info}\n"));
    exit(0x12)
}
