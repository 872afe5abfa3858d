//! Interrupts and exceptions: the tables by which a CPU finds its handlers, and the handlers.
//!
//! All CPUs share one IDT ([`idt`]); each has a GDT and a TSS of its own ([`gdt`]), because a TSS
//! names the stacks of one CPU. [`vectors`] is the map of who uses which vector.

pub mod apic_errors;
pub mod exceptions;
pub mod gdt;
pub mod idt;
pub mod pic;
pub mod vectors;

use x86_64::{VirtAddr, registers::model_specific::GsBase};

/// Makes the BSP report exceptions, and no device able to interrupt it. To be called first of all
/// on the BSP, with interrupts off.
///
/// Until the BSP enters its [`PerCpu`](crate::percpu::PerCpu) area, which has the stacks for them,
/// a double fault, an NMI or a machine check still resets the machine.
pub fn set_up() {
    // Firmware may have left anything there; 0 is how a CPU without area is known.
    GsBase::write(VirtAddr::zero());
    idt::set_up();
    idt::load();
    pic::silence();
}
