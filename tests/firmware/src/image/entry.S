# All that cannot be Rust: the PVH entry, an AP's start, interrupts, and the way to the kernel.
#
# Everything runs with the page tables at the end, which map the first 4 GiB by identity; the GDT and
# the IDT are shared by all CPUs. Nothing here is ever taken back, as parked APs live in it.

.set CR0_PE, 1 << 0
.set CR0_MP, 1 << 1
.set CR0_ET, 1 << 4
.set CR0_NE, 1 << 5
.set CR0_PG, 1 << 31
.set CR0_LONG_MODE, CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE
.set CR4_PAE, 1 << 5
.set MSR_APIC_BASE, 0x1B
.set APIC_BASE_X2APIC, 1 << 10
.set APIC_BASE_PAGE, 0xFFFFF000
.set MSR_X2APIC_ID, 0x802
.set MSR_X2APIC_EOI, 0x80B
.set XAPIC_ID, 0x20
.set XAPIC_EOI, 0xB0
.set MSR_EFER, 0xC0000080
.set EFER_LME, 1 << 8

.set CPUID_EXTENDED, 0x80000000
.set CPUID_LONG_MODE, 1 << 29   # leaf 0x80000001, EDX

.set COM1_DATA, 0x3F8

.set PAGE_2MIB, 0x83            # present, writable, 2 MiB
.set TABLE, 0x03

# To Rust with the number in EDI, on that AP's own stack and in our code segment.
.macro call_ap function
    lea eax, [rdi + 1]
    imul eax, eax, {ap_stack_size}
    mov rsp, offset ap_stacks
    add rsp, rax
    push CODE_64
    lea rax, [rip + 9f]
    push rax
    retfq
9:  call null_segments
    xor ebp, ebp
    call \function
    ud2
.endm

.set CODE_64, 0x08
.set DATA, 0x10
.set CODE_32, 0x18
.set TASK_32, 0x20

# ELF note by which a PVH loader finds the entry: XEN_ELFNOTE_PHYS32_ENTRY.
.section .note.pvh, "a", @note
    .balign 4
    .long 4                     # length of the name
    .long 4                     # length of the value
    .long 18                    # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long firmware_entry

.section .text.entry, "ax", @progbits

# EBX = the loader's start info; 32-bit protected mode, paging off (Xen, docs/misc/pvh.pandoc).
.code32
.globl firmware_entry
firmware_entry:
    cli
    cld
    mov ebp, ebx
    mov eax, CPUID_EXTENDED
    cpuid
    cmp eax, CPUID_EXTENDED + 1
    jb no_long_mode
    mov eax, CPUID_EXTENDED + 1
    cpuid
    test edx, CPUID_LONG_MODE
    jz no_long_mode

    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, offset page_tables
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, CR0_LONG_MODE
    mov cr0, eax
    lgdt [gdt_pointer]
    mov esp, offset boot_stack_top
    mov eax, CODE_64
    push eax
    mov eax, offset boot_long_mode
    push eax
    retf

no_long_mode:
    mov esi, offset no_long_mode_message
1:  lodsb
    mov dx, COM1_DATA
    out dx, al
    cmp al, '\n'
    jne 1b
    mov eax, {failed}
    mov edx, {exit_port}
    out dx, eax
2:  hlt
    jmp 2b

.code64
boot_long_mode:
    call null_segments
    mov edi, ebp
    xor ebp, ebp
    call firmware_main
    ud2

null_segments:
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    ret

# enter_kernel(entry: u32, start_info: u32): back to 32-bit protected mode without paging, as the
# protocol demands it.
.globl enter_kernel
enter_kernel:
    cli
    mov ebp, edi
    mov ebx, esi
    push CODE_32
    lea rax, [rip + compatibility_mode]
    push rax
    retfq
.code32
compatibility_mode:
    mov eax, CR0_ET | CR0_PE
    mov cr0, eax
    mov ecx, MSR_EFER
    rdmsr
    and eax, ~EFER_LME
    wrmsr
    xor eax, eax
    mov cr4, eax
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov eax, TASK_32
    ltr ax
    jmp ebp

# The page that a SIPI starts: copied below 1 MiB, it finds its own data by CS, and the image by
# addresses that the linker knows. Long mode is entered from real mode in one step (AMD APM volume 2,
# "Activating Long Mode").
.code16
.globl startup_begin
startup_begin:
    cli
    cld
    mov ax, cs
    mov ds, ax
    .byte 0x66, 0x0f, 0x01, 0x16    # lgdt [startup_gdt_pointer], with a 32-bit base
    .short startup_gdt_pointer - startup_begin
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, offset page_tables
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, CR0_LONG_MODE
    mov cr0, eax
    .byte 0x66, 0xff, 0x2e      # ljmp [far_pointer], with a 32-bit offset
    .short far_pointer - startup_begin
    .balign 4
far_pointer:
    .long ap_long_mode
    .short CODE_64
startup_gdt_pointer:
    .short gdt_end - gdt - 1
    .long gdt
.globl startup_end
startup_end:

# Each AP takes the next number, which is its stack and its place among the ids.
.code64
ap_long_mode:
    mov edi, 1
    lock xadd dword ptr [rip + AP_NUMBERS], edi
    cmp edi, {most_cpus}
    jae halt_for_good
    call_ap ap_main

# What a CPU jumps to that is to be parked again (the reset vector): 64-bit, interrupts off, on page
# tables that show this page by identity and perhaps no other of ours, and on nobody's stack. So our own
# tables come first. No AP can have come this way that had no place before.
    .balign 64
.globl firmware_reset
firmware_reset:
    cli
    cld
    mov eax, offset page_tables
    mov cr3, rax
    lgdt [rip + gdt_pointer]
    mov eax, CR4_PAE
    mov cr4, rax
    mov eax, CR0_LONG_MODE
    mov cr0, rax

    mov ecx, MSR_APIC_BASE
    rdmsr
    test eax, APIC_BASE_X2APIC
    jnz 1f
    and eax, APIC_BASE_PAGE
    mov eax, dword ptr [rax + XAPIC_ID]
    shr eax, 24
    jmp 2f
1:  mov ecx, MSR_X2APIC_ID
    rdmsr
2:  mov rdx, offset AP_IDS
    mov ecx, dword ptr [rip + AP_NUMBERS]
    xor edi, edi
3:  cmp edi, ecx
    jae halt_for_good
    cmp eax, dword ptr [rdx + rdi * 4]
    je 4f
    inc edi
    jmp 3b
4:  call_ap ap_again

halt_for_good:
    cli
    hlt
    jmp halt_for_good

# Interrupts. In 64-bit mode each gate needs the address of its handler and no more.
.globl interrupt_exception
interrupt_exception:
    cld
    mov rdi, rsp
    mov rsi, cr2
    and rsp, -16
    call exception
    ud2

# Somebody stops all other CPUs: a parked one stands still already.
.globl interrupt_nmi
interrupt_nmi:
    iretq

# It only ends a halt.
.globl interrupt_wake
interrupt_wake:
    push rax
    push rcx
    push rdx
    mov ecx, MSR_APIC_BASE
    rdmsr
    test eax, APIC_BASE_X2APIC
    jnz 1f
    and eax, APIC_BASE_PAGE
    mov dword ptr [rax + XAPIC_EOI], 0
    jmp 2f
1:  mov ecx, MSR_X2APIC_EOI
    xor eax, eax
    xor edx, edx
    wrmsr
2:  pop rdx
    pop rcx
    pop rax
    iretq

.section .data.boot, "aw", @progbits
    .balign 8
gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF    # CODE_64
    .quad 0x00CF93000000FFFF    # DATA
    .quad 0x00CF9B000000FFFF    # CODE_32
    .quad 0x0000890000000067    # TASK_32: base 0, limit 0x67, not busy
gdt_end:
gdt_pointer:
    .short gdt_end - gdt - 1
    .quad gdt
no_long_mode_message:
    .ascii "firmware: this CPU has no long mode\r\n"

    .balign 4096
page_tables:
    .quad page_pointers + TABLE
    .fill 511, 8, 0
page_pointers:
    .set INDEX, 0
    .rept 4
    .quad page_directories + INDEX * 4096 + TABLE
    .set INDEX, INDEX + 1
    .endr
    .fill 508, 8, 0
page_directories:
    .set INDEX, 0
    .rept 4 * 512
    .quad INDEX * 0x200000 + PAGE_2MIB
    .set INDEX, INDEX + 1
    .endr

.section .bss.boot, "aw", @nobits
    .balign 4096
    .skip {boot_stack_size}
boot_stack_top:
ap_stacks:
    .skip {most_cpus} * {ap_stack_size}
.text
