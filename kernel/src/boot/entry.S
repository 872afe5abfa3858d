# The way from the PVH entry into Rust: 32-bit protected mode -> long mode -> kernel_main.
#
# The loader enters at pvh_entry with paging and interrupts off and EBX = physical address of the
# start info (Xen, docs/misc/pvh.pandoc). The static page tables at the end map the first 4 GiB by
# identity with 2 MiB pages, W^X from the first instruction with paging on: text is read and
# execute, read-only data read, all else read and write; what kernel.ld puts where decides which.

.set CR0_PE, 1 << 0
.set CR0_MP, 1 << 1
.set CR0_ET, 1 << 4
.set CR0_NE, 1 << 5
.set CR0_WP, 1 << 16            # read-only means read-only for ring 0 too
.set CR0_PG, 1 << 31
.set CR4_PAE, 1 << 5
.set MSR_EFER, 0xC0000080
.set EFER_LME, 1 << 8
.set EFER_NXE, 1 << 11

.set CPUID_EXTENDED, 0x80000000
.set CPUID_NX, 1 << 20          # leaf 0x80000001, EDX
.set CPUID_LONG_MODE, 1 << 29

.set COM1_DATA, 0x3F8
.set COM1_LINE_STATUS, 0x3FD
.set COM1_CAN_SEND, 1 << 5

.set PAGE_PRESENT, 1 << 0
.set PAGE_WRITABLE, 1 << 1
.set PAGE_ACCESSED, 1 << 5
.set PAGE_DIRTY, 1 << 6
.set PAGE_2MIB, 1 << 7
.set PAGE_NO_EXECUTE, 1 << 63
.set TEXT_PAGE, PAGE_PRESENT | PAGE_ACCESSED | PAGE_2MIB
.set RODATA_PAGE, TEXT_PAGE | PAGE_NO_EXECUTE
.set DATA_PAGE, RODATA_PAGE | PAGE_WRITABLE | PAGE_DIRTY
.set TABLE, PAGE_PRESENT | PAGE_WRITABLE | PAGE_ACCESSED

.set MIB, 1 << 20
.set CODE_SELECTOR, 0x08
.set DATA_SELECTOR, 0x10

# ELF note by which a PVH loader finds the entry: XEN_ELFNOTE_PHYS32_ENTRY.
.section .note.pvh, "a", @note
    .balign 4
    .long 4                     # length of the name
    .long 4                     # length of the value
    .long 18                    # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_entry

.section .text.entry, "ax", @progbits
.code32
.globl pvh_entry
pvh_entry:
    cli
    cld
    # The time of entry, kept in EDI:ESI until Rust takes it.
    rdtsc
    mov esi, eax
    mov edi, edx

    # A CPU without one of these would reset the machine at the first use, with no word said.
    mov ebp, ebx
    mov eax, CPUID_EXTENDED
    cpuid
    cmp eax, CPUID_EXTENDED + 1
    jb cannot_run
    mov eax, CPUID_EXTENDED + 1
    cpuid
    not edx
    test edx, CPUID_LONG_MODE | CPUID_NX
    jnz cannot_run
    mov ebx, ebp

    mov eax, CR4_PAE
    mov cr4, eax
    # NXE before the tables are in use: without it, bit 63 of an entry faults.
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME | EFER_NXE
    wrmsr
    mov eax, offset boot_pml4
    mov cr3, eax
    mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
    mov cr0, eax

    lgdt [boot_gdt_pointer]
    # Into the 64-bit code segment by a far return: the assembler's Intel syntax has no direct
    # far jump to a symbol.
    mov esp, offset __boot_stack_top
    mov eax, CODE_SELECTOR
    push eax
    mov eax, offset long_mode
    push eax
    retf

# Says why on COM1, where an absent port reads as ready, and ends the run as failed.
cannot_run:
    mov esi, offset cannot_run_message
send:
    mov dx, COM1_LINE_STATUS
    in al, dx
    test al, COM1_CAN_SEND
    jz send
    lodsb
    mov dx, COM1_DATA
    out dx, al
    cmp al, '\n'
    jne send
    mov eax, {failed}
    mov edx, {exit_port}
    out dx, eax
stay:
    hlt
    jmp stay

.code64
long_mode:
    mov eax, DATA_SELECTOR
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rsp, offset __boot_stack_top
    # A zero frame pointer ends every back trace.
    xor ebp, ebp

    # kernel_main(start_info: u32, entry_tsc: u64)
    mov esi, esi
    shl rdi, 32
    or rsi, rdi
    mov edi, ebx
    call kernel_main
    ud2

.section .rodata.boot, "a", @progbits
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF    # CODE_SELECTOR: 64-bit code, present, accessed
    .quad 0x00CF93000000FFFF    # DATA_SELECTOR: data, writable, present, accessed
boot_gdt_end:
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .long boot_gdt
    .long 0                     # the upper half of the base, should long mode load it again
cannot_run_message:
    .ascii "reveille: failed: this CPU has no long mode, or no NX\r\n"

# The boot page tables. Accessed and dirty bits are set beforehand: the CPU has nothing to write.
    .balign 4096
boot_pml4:
    .quad boot_pdpt + TABLE
    .fill 511, 8, 0
boot_pdpt:
    .set GIB_INDEX, 0
    .rept 4
    .quad boot_page_directories + GIB_INDEX * 4096 + TABLE
    .set GIB_INDEX, GIB_INDEX + 1
    .endr
    .fill 508, 8, 0
boot_page_directories:
    .quad 0 * MIB + DATA_PAGE
    .quad 2 * MIB + TEXT_PAGE   # TEXT_REGION of kernel.ld
    .quad 4 * MIB + RODATA_PAGE # RODATA_REGION of kernel.ld
    .set PAGE_INDEX, 3          # DATA_REGION of kernel.ld, and the rest of the first 4 GiB
    .rept 4 * 512 - 3
    .quad PAGE_INDEX * 2 * MIB + DATA_PAGE
    .set PAGE_INDEX, PAGE_INDEX + 1
    .endr
