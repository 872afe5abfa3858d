//! The kernel's image: where the entry code calls Rust, and where panics go.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image {
    use core::panic::PanicInfo;

    use reveille_kernel::{console, panic::panicked, run::run};

    /// Called by `boot/entry.S` on the BSP, in long mode, on the boot stack, interrupts off.
    ///
    /// `start_info` is the physical address of the loader's start info, `entry_tsc` the time stamp
    /// counter at the kernel's first instruction.
    #[unsafe(no_mangle)]
    extern "C" fn kernel_main(start_info: u32, entry_tsc: u64) -> ! {
        console::init();
        // SAFETY: the entry code calls this once, in the state that `run` asks for.
        unsafe { run(start_info.into(), entry_tsc) }
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        panicked(info)
    }
}

/// What a build of the whole workspace for the host gets.
#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a kernel: `cargo xtask run` builds it for x86_64-unknown-none and boots it");
    std::process::exit(1);
}
