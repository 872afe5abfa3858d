//! Interrupts and exceptions: the tables by which a CPU finds its handlers, and the handlers.
//!
//! All CPUs share one IDT ([`idt`]); each has a GDT and a TSS of its own ([`gdt`]), because a TSS
//! names the stacks of one CPU. [`vectors`] is the map of who uses which vector.

pub mod apic_errors;
pub mod exceptions;
pub(crate) mod for_nothing;
pub mod gdt;
pub mod idt;
pub mod pic;
pub mod vectors;

use linkme::distributed_slice;
use reveille_smp::step::{Run, Section, Site, Step};
use x86_64::{VirtAddr, instructions::interrupts, registers::model_specific::GsBase};

use crate::ladder::STEPS;

#[distributed_slice(STEPS)]
static INTERRUPTS: &dyn Step = &TakeInterrupts;

/// The AP takes interrupts at any time, and not only when it halts.
struct TakeInterrupts;

impl Step for TakeInterrupts {
    fn name(&self) -> &'static str {
        "interrupts"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        // Whatever a subsystem has to do with interrupts off, it does before this.
        u16::MAX
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        interrupts::enable();
        Run::Now(Ok(()))
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        interrupts::disable();
        Run::Now(Ok(()))
    }
}

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
