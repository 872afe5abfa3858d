//! What boots. The image is one piece of memory that stays the firmware's for good.

mod apic;
mod boot;
mod console;
mod interrupts;
mod park;

use core::{arch::global_asm, panic::PanicInfo};

use reveille_test_firmware::{FAILED, MOST_CPUS};

use self::{
    console::{DEBUG_EXIT_PORT, fail},
    park::STACK_SIZE,
};

// `firmware.ld` names its entry; what it calls is here.
global_asm!(
    include_str!("entry.S"),
    failed = const FAILED,
    exit_port = const DEBUG_EXIT_PORT,
    most_cpus = const MOST_CPUS,
    ap_stack_size = const STACK_SIZE,
    boot_stack_size = const 0x10000,
);

/// Called by `entry.S` on the CPU that boots, on the boot stack, interrupts off.
#[unsafe(no_mangle)]
extern "sysv64" fn firmware_main(start_info: u32) -> ! {
    // SAFETY: the entry code calls this once, with the address that the loader gave.
    let Err(failure) = unsafe { boot::boot(start_info) };
    fail(format_args!("{failure}"))
}

/// Called by `entry.S` on an AP that a SIPI has started, on its own stack, interrupts off.
#[unsafe(no_mangle)]
extern "sysv64" fn ap_main(number: usize) -> ! {
    park::arrive(number)
}

/// Called by `entry.S` on an AP that has come back by the reset vector, on its own stack.
#[unsafe(no_mangle)]
extern "sysv64" fn ap_again(number: usize) -> ! {
    park::again(number)
}

/// Called by `entry.S` on any CPU that takes an exception, with its frame's address.
#[unsafe(no_mangle)]
extern "sysv64" fn exception(frame: *const [u64; 4], cr2: u64) -> ! {
    // SAFETY: the processor has just written at least three words there, above others.
    let frame = unsafe { *frame };
    fail(format_args!(
        "an exception while a CPU is the firmware's; frame {frame:#x?}, CR2 {cr2:#x}"
    ))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(format_args!("{info}"))
}
