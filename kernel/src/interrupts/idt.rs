//! The one interrupt descriptor table, which all CPUs share.
//!
//! It is made once, by the BSP, before anything else can go wrong, and never changes: an AP loads
//! it without asking anybody.

use conquer_once::spin::OnceCell;
use x86_64::{
    VirtAddr,
    structures::idt::{Entry, EntryOptions, InterruptDescriptorTable},
};

use super::{exceptions, gdt::KERNEL_CODE, vectors};

static IDT: OnceCell<InterruptDescriptorTable> = OnceCell::uninit();

/// Makes the table; later calls do nothing. To be called on the BSP, first of all.
pub fn set_up() {
    IDT.init_once(|| {
        let mut table = InterruptDescriptorTable::new();
        exceptions::install(&mut table);
        vectors::install(&mut table);
        table
    });
}

/// Makes this CPU use the table.
///
/// The exceptions with a stack of their own work only once the CPU has its TSS too; all others
/// from here on.
///
/// # Panics
///
/// If [`set_up`] has not been called.
pub fn load() {
    IDT.try_get()
        .expect("the BSP makes the IDT before any CPU loads it")
        .load();
}

/// Lets a vector lead to the code at `entry`, with interrupts off.
pub(super) fn set_gate<F>(gate: &mut Entry<F>, entry: *const ()) -> &mut EntryOptions {
    // SAFETY: the callers give entry stubs that end in `iretq` or never return, and the code
    // segment is in the boot GDT and in each CPU's own.
    unsafe {
        gate.set_handler_addr(VirtAddr::from_ptr(entry))
            .set_code_selector(KERNEL_CODE)
    }
}
