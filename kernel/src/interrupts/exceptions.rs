//! CPU exceptions: every one ends the run, with all that is known printed.
//!
//! The one that does not is the NMI. By it a CPU that panics stops the others, and by it one asks another
//! what it does (`probe.rs`): then the interrupted code goes on. One that nobody sent, as by a button, ends
//! the run as all others.

use core::{arch::naked_asm, fmt};

use x86_64::{
    registers::control::{Cr0, Cr2, Cr3, Cr4},
    structures::idt::{InterruptDescriptorTable, PageFaultErrorCode, SelectorErrorCode},
};

use super::{gdt::InterruptStack, idt::set_gate};
use crate::{
    backtrace::Backtrace,
    memory::stacks::StackPurpose,
    panic::{self, Reporter},
    percpu::PerCpu,
    probe::{self, Interrupted},
};

/// An exception vector (SDM volume 3, "Exception and Interrupt Reference").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exception(u8);

impl Exception {
    const NMI: Self = Self(2);
    const DOUBLE_FAULT: Self = Self(8);
    const PAGE_FAULT: Self = Self(14);

    /// Whether the CPU pushes an error code.
    const fn has_error_code(self) -> bool {
        matches!(self.0, 8 | 10..=14 | 17 | 21 | 29 | 30)
    }

    const fn name(self) -> &'static str {
        match self.0 {
            0 => "#DE divide error",
            1 => "#DB debug",
            2 => "NMI non-maskable interrupt",
            3 => "#BP breakpoint",
            4 => "#OF overflow",
            5 => "#BR bound range exceeded",
            6 => "#UD invalid opcode",
            7 => "#NM device not available",
            8 => "#DF double fault",
            10 => "#TS invalid TSS",
            11 => "#NP segment not present",
            12 => "#SS stack segment fault",
            13 => "#GP general protection fault",
            14 => "#PF page fault",
            16 => "#MF x87 floating-point error",
            17 => "#AC alignment check",
            18 => "#MC machine check",
            19 => "#XM SIMD floating-point exception",
            20 => "#VE virtualization exception",
            21 => "#CP control protection exception",
            28 => "#HV hypervisor injection exception",
            29 => "#VC VMM communication exception",
            30 => "#SX security exception",
            _ => "reserved exception",
        }
    }
}

pub(super) fn install(table: &mut InterruptDescriptorTable) {
    set_gate(&mut table.divide_error, entry::<0> as *const ());
    set_gate(&mut table.debug, entry::<1> as *const ());
    let nmi = set_gate(&mut table.non_maskable_interrupt, entry::<2> as *const ());
    // SAFETY: every CPU's TSS has the stack, and no other gate uses it; so for the two below.
    unsafe { nmi.set_stack_index(InterruptStack::Nmi as u16) };
    set_gate(&mut table.breakpoint, entry::<3> as *const ());
    set_gate(&mut table.overflow, entry::<4> as *const ());
    set_gate(&mut table.bound_range_exceeded, entry::<5> as *const ());
    set_gate(&mut table.invalid_opcode, entry::<6> as *const ());
    set_gate(&mut table.device_not_available, entry::<7> as *const ());
    let double_fault = set_gate(&mut table.double_fault, entry::<8> as *const ());
    // SAFETY: as above.
    unsafe { double_fault.set_stack_index(InterruptStack::DoubleFault as u16) };
    set_gate(&mut table.invalid_tss, entry::<10> as *const ());
    set_gate(&mut table.segment_not_present, entry::<11> as *const ());
    set_gate(&mut table.stack_segment_fault, entry::<12> as *const ());
    set_gate(
        &mut table.general_protection_fault,
        entry::<13> as *const (),
    );
    set_gate(&mut table.page_fault, entry::<14> as *const ());
    set_gate(&mut table.x87_floating_point, entry::<16> as *const ());
    set_gate(&mut table.alignment_check, entry::<17> as *const ());
    let machine_check = set_gate(&mut table.machine_check, entry::<18> as *const ());
    // SAFETY: as above.
    unsafe { machine_check.set_stack_index(InterruptStack::MachineCheck as u16) };
    set_gate(&mut table.simd_floating_point, entry::<19> as *const ());
    set_gate(&mut table.virtualization, entry::<20> as *const ());
    set_gate(&mut table.cp_protection_exception, entry::<21> as *const ());
    set_gate(&mut table.hv_injection_exception, entry::<28> as *const ());
    set_gate(
        &mut table.vmm_communication_exception,
        entry::<29> as *const (),
    );
    set_gate(&mut table.security_exception, entry::<30> as *const ());
}

/// The interrupted state, as [`save_all`] and the CPU leave it on the stack.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Frame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    vector: u64,
    /// 0 where the exception has none.
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// Where the CPU enters: makes all exceptions look alike, with an error code and the vector.
#[unsafe(naked)]
unsafe extern "C" fn entry<const VECTOR: u8>() {
    naked_asm!(
        ".if {has_error_code} == 0",
        "push 0",
        ".endif",
        "push {vector}",
        "jmp {save_all}",
        has_error_code = const Exception(VECTOR).has_error_code() as u8,
        vector = const VECTOR,
        save_all = sym save_all,
    )
}

/// Completes the [`Frame`], hands it over, and restores all of it for an NMI, which alone comes back. It runs on a
/// stack of its own, and no other NMI comes before the `iretq` (SDM volume 3, "Handling Multiple NMIs"): what raises
/// an exception meanwhile does not come back.
#[unsafe(naked)]
unsafe extern "C" fn save_all() {
    naked_asm!(
        "push rax",
        "push rbx",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push rbp",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "cld",
        "mov rdi, rsp",
        // The ABI wants the stack aligned to 16 before a call, and keeps RBX over it.
        "mov rbx, rsp",
        "and rsp, -16",
        "call {handle}",
        "mov rsp, rbx",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        // The vector and the error code.
        "add rsp, 16",
        "iretq",
        handle = sym handle,
    )
}

extern "C" fn handle(frame: &mut Frame) {
    match Exception(frame.vector as u8) {
        Exception::NMI => handle_nmi(frame),
        exception => end_run(exception, frame),
    }
}

fn handle_nmi(frame: &mut Frame) {
    panic::halt_if_run_is_ending();
    let Frame {
        rip,
        rflags,
        rsp,
        rbp,
        ..
    } = *frame;
    let interrupted = Interrupted {
        rip,
        rflags,
        rsp,
        rbp,
    };
    match probe::take(interrupted) {
        Some(goes_on_at) => frame.rip = goes_on_at,
        None => end_run(Exception::NMI, frame),
    }
}

fn end_run(exception: Exception, frame: &Frame) -> ! {
    let control = ControlRegisters::read();
    let overflow = StackOverflow::at(exception, control.cr2);
    let headline = Headline {
        exception,
        frame,
        cr2: control.cr2,
        overflow,
    };
    panic::end_run(
        &format_args!("exception on {}: {headline}", Reporter::this_cpu()),
        &format_args!(
            "{}{control}{}",
            Registers(frame),
            Backtrace::from(frame.rbp)
        ),
    )
}

/// What happened, in one line.
struct Headline<'a> {
    exception: Exception,
    frame: &'a Frame,
    cr2: u64,
    overflow: Option<StackOverflow>,
}

impl fmt::Display for Headline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.exception.name())?;
        if let Some(StackOverflow { stack }) = self.overflow {
            write!(
                f,
                ", stack overflow: the {stack} stack ran into its guard page"
            )?;
        }
        let code = self.frame.error_code;
        match self.exception {
            Exception::PAGE_FAULT => write!(
                f,
                ", {}",
                PageFault {
                    code,
                    address: self.cr2
                }
            )?,
            exception if exception.has_error_code() && code != 0 => {
                write!(f, ", {}", SelectorError(code))?;
            }
            _ => {}
        }
        write!(f, ", at {:#018x}", self.frame.rip)
    }
}

/// A page fault's error code in words.
struct PageFault {
    code: u64,
    address: u64,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = PageFaultErrorCode::from_bits_retain(self.code);
        let has = |bit| code.contains(bit);
        let access = if has(PageFaultErrorCode::INSTRUCTION_FETCH) {
            "instruction fetch from"
        } else if has(PageFaultErrorCode::CAUSED_BY_WRITE) {
            "write to"
        } else {
            "read from"
        };
        let mode = if has(PageFaultErrorCode::USER_MODE) {
            "user"
        } else {
            "supervisor"
        };
        let why = if has(PageFaultErrorCode::MALFORMED_TABLE) {
            "reserved bit set in a page table"
        } else if has(PageFaultErrorCode::PROTECTION_VIOLATION) {
            "page protected"
        } else {
            "page not present"
        };
        write!(f, "{mode} {access} {:#018x}, {why}", self.address)
    }
}

/// An error code that names a descriptor, in words.
struct SelectorError(u64);

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = SelectorErrorCode::new_truncate(self.0);
        let table = code.descriptor_table();
        write!(
            f,
            "error code {:#x}: entry {:#x} of the {table:?}",
            self.0,
            code.index()
        )?;
        if code.external() {
            f.write_str(", by an external event")?;
        }
        Ok(())
    }
}

/// The stack whose guard page was hit.
#[derive(Clone, Copy)]
struct StackOverflow {
    stack: StackPurpose,
}

impl StackOverflow {
    /// A page fault in a guard page; or a double fault, when the page fault found no room on the
    /// stack that had just run over, and left its address in CR2.
    fn at(exception: Exception, address: u64) -> Option<Self> {
        if exception != Exception::PAGE_FAULT && exception != Exception::DOUBLE_FAULT {
            return None;
        }
        let stacks = PerCpu::try_current()?.stacks().all();
        let (stack, _) = stacks
            .into_iter()
            .find(|(_, bounds)| bounds.is_guard(address))?;
        Some(Self { stack })
    }
}

/// Everything in a [`Frame`], a few registers a line.
struct Registers<'a>(&'a Frame);

impl fmt::Display for Registers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame {
            rax,
            rbx,
            rcx,
            rdx,
            rsi,
            rdi,
            rbp,
            rsp,
            rip,
            ..
        } = self.0;
        let Frame {
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            ..
        } = self.0;
        let Frame {
            rflags,
            cs,
            ss,
            error_code,
            ..
        } = self.0;
        writeln!(
            f,
            "  RIP {rip:016x}  RSP {rsp:016x}  RBP {rbp:016x}  RFLAGS {rflags:08x}"
        )?;
        writeln!(
            f,
            "  RAX {rax:016x}  RBX {rbx:016x}  RCX {rcx:016x}  RDX {rdx:016x}"
        )?;
        writeln!(
            f,
            "  RSI {rsi:016x}  RDI {rdi:016x}  R8  {r8:016x}  R9  {r9:016x}"
        )?;
        writeln!(
            f,
            "  R10 {r10:016x}  R11 {r11:016x}  R12 {r12:016x}  R13 {r13:016x}"
        )?;
        writeln!(
            f,
            "  R14 {r14:016x}  R15 {r15:016x}  CS {cs:04x}  SS {ss:04x}  error code {error_code:x}"
        )
    }
}

/// The control registers that say how memory was seen.
struct ControlRegisters {
    cr0: u64,
    cr2: u64,
    cr3: u64,
    cr4: u64,
}

impl ControlRegisters {
    fn read() -> Self {
        let (table, flags) = Cr3::read_raw();
        Self {
            cr0: Cr0::read_raw(),
            cr2: Cr2::read_raw(),
            cr3: table.start_address().as_u64() | u64::from(flags),
            cr4: Cr4::read_raw(),
        }
    }
}

impl fmt::Display for ControlRegisters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cr0, cr2, cr3, cr4 } = self;
        writeln!(
            f,
            "  CR0 {cr0:08x}  CR2 {cr2:016x}  CR3 {cr3:016x}  CR4 {cr4:08x}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::ToString};

    use super::*;

    #[test]
    fn page_faults_are_told_in_words() {
        let told = |code| {
            PageFault {
                code,
                address: 0x10,
            }
            .to_string()
        };
        assert_eq!(
            told(0b00010),
            "supervisor write to 0x0000000000000010, page not present"
        );
        assert_eq!(
            told(0b00000),
            "supervisor read from 0x0000000000000010, page not present"
        );
        assert_eq!(
            told(0b10001),
            "supervisor instruction fetch from 0x0000000000000010, page protected"
        );
        assert_eq!(
            told(0b01101),
            "user read from 0x0000000000000010, reserved bit set in a page table"
        );
    }

    #[test]
    fn selector_errors_name_the_table_and_the_entry() {
        assert_eq!(
            SelectorError(0x302).to_string(),
            "error code 0x302: entry 0x60 of the Idt"
        );
        assert_eq!(
            SelectorError(0x19).to_string(),
            "error code 0x19: entry 0x3 of the Gdt, by an external event"
        );
    }

    #[test]
    fn a_headline_says_what_and_where() {
        let frame = Frame {
            vector: 13,
            rip: 0x20_1234,
            ..Frame::default()
        };
        let headline = Headline {
            exception: Exception(13),
            frame: &frame,
            cr2: 0,
            overflow: None,
        };
        assert_eq!(
            headline.to_string(),
            "#GP general protection fault, at 0x0000000000201234"
        );
        let overflow = Some(StackOverflow {
            stack: StackPurpose::Main,
        });
        let headline = Headline {
            exception: Exception(8),
            overflow,
            ..headline
        };
        assert_eq!(
            headline.to_string(),
            "#DF double fault, stack overflow: the main stack ran into its guard page, \
             at 0x0000000000201234"
        );
    }

    #[test]
    fn the_dump_has_every_register_with_its_own_value() {
        // Each register gets the number of its word in the frame, so a swapped pair would show.
        let words: [u64; 22] = core::array::from_fn(|word| 0xa00 + word as u64);
        // SAFETY: the frame is 22 words of plain numbers.
        let frame: Frame = unsafe { core::mem::transmute(words) };
        let dump = Registers(&frame).to_string();
        let order = [
            "R15", "R14", "R13", "R12", "R11", "R10", "R9 ", "R8 ", "RBP", "RDI", "RSI", "RDX",
            "RCX", "RBX", "RAX",
        ];
        for (word, name) in order.iter().enumerate() {
            assert!(
                dump.contains(&format!("{name} {:016x}", 0xa00 + word)),
                "{name} in {dump}"
            );
        }
        for (name, word) in [("RIP", 17), ("RSP", 20)] {
            assert!(
                dump.contains(&format!("{name} {:016x}", 0xa00 + word)),
                "{name} in {dump}"
            );
        }
        for expected in ["error code a10", "CS 0a12", "RFLAGS 00000a13", "SS 0a15"] {
            assert!(dump.contains(expected), "{expected} in {dump}");
        }
    }

    #[test]
    fn error_codes_come_with_the_vectors_of_the_manual() {
        let with = (0..32).filter(|&vector| Exception(vector).has_error_code());
        assert!(with.eq([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]));
    }
}
