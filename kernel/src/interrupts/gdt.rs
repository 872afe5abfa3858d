//! The GDT and TSS of one CPU.
//!
//! Three exceptions get stacks of their own through the TSS's interrupt stack table, for they come
//! when the current stack may be of no use: a double fault after the stack ran into its guard page,
//! an NMI and a machine check at any instruction.
//!
//! The tables are filled in by the CPU that loads them, each time anew: loading a TSS marks its
//! descriptor busy, and a CPU that comes back from INIT could not load a busy one.

use core::cell::UnsafeCell;

use x86_64::{
    PrivilegeLevel, VirtAddr,
    instructions::tables::load_tss,
    registers::segmentation::{CS, DS, ES, SS, Segment, SegmentSelector},
    structures::{
        gdt::{Descriptor, GlobalDescriptorTable},
        tss::TaskStateSegment,
    },
};

/// The code segment. The boot GDT has its own at the same place, so the IDT serves under both.
pub const KERNEL_CODE: SegmentSelector = SegmentSelector::new(1, PrivilegeLevel::Ring0);
const KERNEL_DATA: SegmentSelector = SegmentSelector::new(2, PrivilegeLevel::Ring0);
const TASK_STATE: SegmentSelector = SegmentSelector::new(3, PrivilegeLevel::Ring0);

/// The null descriptor, code, data, and the TSS's double one.
const DESCRIPTORS: usize = 5;

/// The exceptions with a stack of their own, by their index in the interrupt stack table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum InterruptStack {
    /// #DF.
    DoubleFault = 0,
    /// NMI.
    Nmi = 1,
    /// #MC.
    MachineCheck = 2,
}

/// Memory for the tables of one CPU, which alone ever touches it.
#[derive(Debug)]
pub struct Tables {
    gdt: UnsafeCell<GlobalDescriptorTable<DESCRIPTORS>>,
    tss: UnsafeCell<TaskStateSegment>,
}

// SAFETY: `load` is the one function that touches the cells, and its contract allows it to one CPU
// only.
unsafe impl Sync for Tables {}

impl Tables {
    /// Tables that nobody uses yet.
    pub const fn new() -> Self {
        Self {
            gdt: UnsafeCell::new(GlobalDescriptorTable::empty()),
            tss: UnsafeCell::new(TaskStateSegment::new()),
        }
    }

    /// Fills the tables in and makes this CPU use them. Neither allocates nor waits.
    ///
    /// `stack_tops` has the stack of each [`InterruptStack`].
    ///
    /// # Safety
    ///
    /// The tables belong to this CPU alone. The stacks are mapped, writable, each used by nothing
    /// else, for as long as the CPU runs.
    pub unsafe fn load(&'static self, stack_tops: [VirtAddr; 3]) {
        // SAFETY: the tables are this CPU's alone. Whether it used them before a reset or not, it
        // does not at this moment: no exception with a stack of its own is expected before the
        // load below is done.
        let (gdt, tss) = unsafe { (&mut *self.gdt.get(), &mut *self.tss.get()) };
        *tss = TaskStateSegment::new();
        // Copied out and in, as the TSS's fields are not aligned.
        let mut stacks = tss.interrupt_stack_table;
        stacks[..stack_tops.len()].copy_from_slice(&stack_tops);
        tss.interrupt_stack_table = stacks;
        *gdt = GlobalDescriptorTable::empty();
        gdt.append(Descriptor::kernel_code_segment());
        gdt.append(Descriptor::kernel_data_segment());
        // SAFETY: `self` is static, and nothing changes the TSS before the next load.
        gdt.append(unsafe { Descriptor::tss_segment_unchecked(self.tss.get()) });

        // SAFETY: the table is static and complete, and the selectors are those of the
        // descriptors just appended. SS is reloaded too, since a return from an interrupt checks
        // it; FS and GS are not, since that would clear their bases.
        unsafe {
            (*self.gdt.get()).load_unsafe();
            CS::set_reg(KERNEL_CODE);
            SS::set_reg(KERNEL_DATA);
            DS::set_reg(KERNEL_DATA);
            ES::set_reg(KERNEL_DATA);
            load_tss(TASK_STATE);
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}
