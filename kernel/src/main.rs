//! The kernel: what happens from the first line of Rust on, in order.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use core::error::Error;
use core::panic::PanicInfo;

use reveille_kernel::boot::pvh;
use reveille_kernel::command_line::Options;
use reveille_kernel::exit::exit;
use reveille_kernel::memory::physical::BootMapping;
use reveille_kernel::{acpi, console, memory, println};
use reveille_smp::record::exit_code;

/// Called by `boot/entry.S` on the BSP, in long mode, on the boot stack, interrupts off.
///
/// `start_info` is the physical address of the loader's start info, `entry_tsc` the time stamp
/// counter at the kernel's first instruction.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(start_info: u32, entry_tsc: u64) -> ! {
    console::init();
    println!("reveille: {}", env!("CARGO_PKG_VERSION"));
    let code = match run(start_info, entry_tsc) {
        Ok(()) => {
            println!("reveille: ok");
            exit_code::OK
        }
        Err(error) => {
            println!("reveille: failed: {error}");
            exit_code::FAILED
        }
    };
    exit(code)
}

fn run(start_info: u32, _entry_tsc: u64) -> Result<(), Box<dyn Error>> {
    // SAFETY: the boot page tables stay in use until `memory::init`.
    let physical = unsafe { BootMapping::assume() };
    let boot = pvh::parse(&physical, start_info.into())?;
    let _options = Options::parse(&boot.command_line)?;
    let acpi = acpi::read(&physical, boot.rsdp)?;
    // SAFETY: the first call, on the BSP alone; of the loader's memory nothing is wanted any more.
    unsafe { memory::init(&boot)? };
    println!(
        "memory: {} MiB free, heap {} of {} KiB in use, MADT {} bytes, {:?}, HPET {:x?}",
        memory::free_frames() >> 8,
        memory::heap::HEAP.bytes_in_use() >> 10,
        (memory::heap::HEAP.bytes_free() + memory::heap::HEAP.bytes_in_use()) >> 10,
        acpi.madt.len(),
        acpi.pm_timer,
        acpi.hpet,
    );
    Ok(())
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    console::print_forced(format_args!("{info}\n"));
    exit(exit_code::PANICKED)
}
