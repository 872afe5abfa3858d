// The code page. Position-independent: it finds itself through CS in real mode and through RIP in
// long mode, and what has to be absolute stands in the mailbox, one page above.
//
// Only registers carry state until the claim is won:
//   EDI:ESI  time stamp counter in real mode      EBP  offset of this AP's byte of evidence
//   R12, R13 the same, and in long mode           R15D the fault on demand of this AP's landing; zero
//   FS   in real mode, where nothing is found          as a rule (fault.rs)
//        by it: the highest basic leaf of CPUID
//
// There are two ways in: at the page's start in real mode, by SIPI, and at `woken` in long mode, from
// the firmware's loop. They meet at `arrived`.

// EBP becomes the offset of this AP's byte of evidence, in either mode; EAX, EBX, ECX and EDX are lost. While
// EAX is the highest basic leaf of CPUID, the instruction `keep` is done, if there is one.
// The initial APIC id of CPUID is but a hint, good for evidence: the APIC's own registers are out of reach
// in real mode when it is in xAPIC mode.
.macro evidence_offset keep:vararg
    xor     eax, eax
    cpuid
    \keep
    cmp     eax, 0xb
    jb      8f
    mov     eax, 0xb
    xor     ecx, ecx
    cpuid
    test    ebx, ebx
    jnz     9f
8:  mov     eax, 1
    cpuid
    mov     edx, ebx
    shr     edx, 24
9:  and     edx, {EVIDENCE_MASK}
    mov     ebp, edx
.endm

.section .rodata.reveille_trampoline, "a"
.balign 16
.code16

.global reveille_trampoline_start
reveille_trampoline_start:
    cli
    cld
    mov     ax, cs
    add     ax, {PAGE_PARAGRAPHS}
    mov     ds, ax
    cmp     dword ptr ds:[{MODE}], {COUNT_MODE}
    je      count

    rdtsc
    mov     esi, eax
    mov     edi, edx

    evidence_offset mov fs, ax

    // The high bits of the byte hold the faults on demand that strike here.
    test    byte ptr ds:[ebp + {EVIDENCE}], {FAULT_SILENT}
    jnz     real_mode_halt
    or      byte ptr ds:[ebp + {EVIDENCE}], {REAL_MODE}
    test    byte ptr ds:[ebp + {EVIDENCE}], {FAULT_REAL_MODE}
    jnz     real_mode_halt

    // Firmware can switch NX off, one CPU at a time. Then NXE below would be a #GP, which without an
    // IDT resets the machine.
    mov     eax, 0x80000001
    cpuid
    test    edx, 1 << 20
    jz      lacks_nx

    // Of the protections that the BSP has on, those that this CPU has come with the first page tables. To
    // turn one on later makes the CPU look up all pages again, and an emulator all code. CPUID.7: SMEP is
    // EBX's bit 7, SMAP its bit 20, UMIP ECX's bit 2 (SDM volume 3, "Control Registers").
    xor     edx, edx
    cmp     dword ptr ds:[{PROTECTIONS}], 0
    je      1f
    mov     ax, fs
    cmp     ax, 7
    jb      1f
    mov     eax, 7
    xor     ecx, ecx
    cpuid
    mov     edx, ebx
    and     edx, 1 << 7
    shl     edx, 20 - 7
    and     ebx, 1 << 20
    shl     ebx, 21 - 20
    or      edx, ebx
    and     ecx, 1 << 2
    shl     ecx, 11 - 2
    or      edx, ecx
    and     edx, dword ptr ds:[{PROTECTIONS}]

    // Real mode to long mode in one step (AMD APM volume 2, "Activating Long Mode").
1:  lgdt    ds:[{GDT_POINTER}]
    or      edx, 0x20               // CR4: PAE
    mov     cr4, edx
    mov     eax, dword ptr ds:[{CR3}]
    mov     cr3, eax
    mov     ecx, 0xc0000080         // EFER: NXE before paging, else the NX bits fault; LME
    rdmsr
    or      eax, 0x900
    wrmsr
    mov     eax, 0x80010033         // CR0: PG, WP, NE, ET, MP, PE; CD and NW clear
    mov     cr0, eax
    .byte   0x66, 0xff, 0x2e        // ljmp [FAR_POINTER], with a 32-bit offset
    .short  {FAR_POINTER}

count:
    lock inc dword ptr ds:[{COUNT}]
    jmp     real_mode_halt
lacks_nx:
    or      byte ptr ds:[ebp + {EVIDENCE}], {NO_NX}
real_mode_halt:
    hlt
    jmp     real_mode_halt

.code64
.global reveille_trampoline_long_mode
reveille_trampoline_long_mode:
    rdtsc
    shl     rdx, 32
    or      rax, rdx
    mov     r13, rax                // time stamp counter in long mode
    mov     r12d, esi
    shl     rdi, 32
    or      r12, rdi                // the same in real mode

arrived:
    // Null is a valid SS in ring 0 of 64-bit mode; what real mode left is not.
    xor     eax, eax
    mov     ss, eax
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax

    lea     rbx, [rip + reveille_trampoline_start + {PAGE_SIZE}]
    mov     ebp, ebp
    or      byte ptr [rbx + rbp + {EVIDENCE}], {LONG_MODE}

    // From here on a machine check finds a gate and a stack, so it may come: one that is broadcast
    // shuts the machine down over a single CPU that does not take it (SDM volume 3, CR4.MCE). The
    // stack is one place in the mailbox for all: nothing comes back from there. A CPU whose own CPUID
    // has no machine checks, or no status to be told over in, would take the bit amiss.
    lidt    [rbx + {IDT_POINTER}]
    lea     rsp, [rbx + {SCRATCH_END}]
    mov     r8, rbx
    mov     eax, 1
    cpuid
    mov     rbx, r8
    not     edx
    test    edx, {MCE_AND_MCA}
    jnz     1f
    mov     rdx, cr4
    or      rdx, qword ptr [rbx + {CR4}]
    mov     cr4, rdx
1:  mov     r9d, ecx

    // The id comes from the APIC (some firmware leaves another one in CPUID). After RESET the APIC
    // is in xAPIC mode, after INIT in the mode it had (SDM volume 3, "x2APIC State Transitions"). A CPU
    // without x2APIC mode would take EXTD amiss, too.
    mov     ecx, 0x1b               // IA32_APIC_BASE: EN is bit 11, EXTD bit 10
    rdmsr
    test    eax, 0x400
    jnz     2f
    cmp     dword ptr [rbx + {X2APIC}], 0
    je      3f
    test    r9d, 1 << 21
    jz      lacks_x2apic
    or      eax, 0xc00
    wrmsr
2:  mov     ecx, 0x802              // x2APIC id
    rdmsr
    jmp     find_landing
3:  mov     rax, qword ptr [rbx + {XAPIC_BASE}]
    mov     eax, dword ptr [rax + 0x20]
    shr     eax, 24

    // Halve [r8, r9) until the id in EAX is found; at most 32 turns.
find_landing:
    mov     r10, qword ptr [rbx + {LANDINGS}]
    xor     r8d, r8d
    mov     r9, qword ptr [rbx + {LANDINGS_LEN}]
5:  cmp     r8, r9
    jae     stranger
    lea     r11, [r8 + r9]
    shr     r11, 1
    mov     r14, r11
    shl     r14, {LANDING_SHIFT}
    add     r14, r10
    cmp     eax, dword ptr [r14 + {LANDING_APIC_ID}]
    je      7f
    jb      6f
    lea     r8, [r11 + 1]
    jmp     5b
6:  mov     r9, r11
    jmp     5b

7:  mov     r15d, dword ptr [r14 + {LANDING_FAULT}]
    test    r15d, r15d
    jnz     fault

    // The claim: one compare-and-swap from kicked to claimed, with the generation kept. Whoever
    // loses it comes late or twice.
claim:
    mov     rcx, qword ptr [r14 + {LANDING_STATE}]
    mov     eax, dword ptr [rcx]
    mov     edx, eax
    and     edx, dword ptr [rbx + {CLAIM_MASK}]
    cmp     edx, dword ptr [rbx + {CLAIM_KICKED}]
    jne     late
    mov     edx, eax
    add     edx, dword ptr [rbx + {CLAIM_DELTA}]
    lock cmpxchg dword ptr [rcx], edx
    jne     late
    cmp     r15d, {FAULT_TWICE}
    je      claim

    mov     rsp, qword ptr [r14 + {LANDING_STACK_TOP}]
    push    2                       // the firmware may have left any flags but IF
    popfq
    mov     rdi, qword ptr [r14 + {LANDING_ARGUMENT}]
    mov     rsi, r12
    mov     rdx, r13
    xor     ebp, ebp                // back traces end here
    call    qword ptr [r14 + {LANDING_ENTRY}]
    ud2

// Where the firmware's loop lets an AP go (ACPI 6.6, section 5.2.12.19): in long mode, interrupts off,
// this page mapped at its own address. The stack, the tables and all else are the firmware's, and
// nothing says that the next page is mapped. So the root of the kernel's tables stands on this one.
.global reveille_trampoline_woken
reveille_trampoline_woken:
    cli
    cld
    rdtsc
    shl     rdx, 32
    or      rax, rdx
    mov     r12, rax                // it has been in no real mode
    mov     r13, rax

    // By the same hint as in real mode, so that the same byte tells of it.
    evidence_offset
    lea     r14, [rip + reveille_trampoline_start + {PAGE_SIZE}]

    // Tables of four levels cannot be loaded while CR4.LA57 asks for five, and that bit does not
    // change in long mode. Such an AP parks as it is, unseen: evidence lies on the next page.
    mov     r11, cr4
    test    r11d, {LA57}
    jnz     park

    // As in real mode, and in the same order. A bit that has its value already is not written: some
    // hypervisors take it amiss.
    mov     ecx, 0xc0000080         // EFER: NXE
    rdmsr
    bts     eax, 11
    jc      2f
    wrmsr
2:  mov     eax, r11d
    and     eax, 0x40               // CR4: MCE as it is, PAE
    or      eax, 0x20
    mov     cr4, rax
    mov     eax, dword ptr [rip + reveille_trampoline_cr3]
    mov     cr3, rax
    lgdt    [r14 + {GDT_POINTER}]
    .byte   0x41, 0xff, 0xae        // ljmp [r14 + WOKEN_POINTER], with a 32-bit offset
    .long   {WOKEN_POINTER}
.global reveille_trampoline_woken_flat
reveille_trampoline_woken_flat:
    mov     eax, 0x80010033         // CR0: as in real mode
    mov     cr0, rax

    // One that is to be silent parks unseen, but for machine checks.
    test    byte ptr [r14 + rbp + {EVIDENCE}], {FAULT_SILENT}
    jz      arrived
    lidt    [r14 + {IDT_POINTER}]
    lea     rsp, [r14 + {SCRATCH_END}]
    jmp     park

    // EAX is what the state word was. If the slot has been given up, leave word of having come; if
    // that fails, somebody has moved on, and nothing is to be said.
late:
    mov     edx, eax
    and     edx, dword ptr [rbx + {CLAIM_MASK}]
    cmp     edx, dword ptr [rbx + {CLAIM_GIVEN_UP}]
    jne     park
    mov     edx, eax
    add     edx, dword ptr [rbx + {CLAIM_LATE_DELTA}]
    lock cmpxchg dword ptr [rcx], edx
    jmp     park

lacks_x2apic:
    or      byte ptr [rbx + rbp + {EVIDENCE}], {NO_X2APIC}
    jmp     park

stranger:
    mov     dword ptr [rbx + {LAST_STRANGER}], eax
    lock inc dword ptr [rbx + {STRANGERS}]
    jmp     park

// R15D is not zero: this AP is to fail, in the manner that its lowest byte tells.
fault:
    cmp     r15b, {FAULT_LONG_MODE}
    je      park
    cmp     r15b, {FAULT_WRONG_ID}
    je      wrong_id
    cmp     r15b, {FAULT_LATE}
    jne     claim

    // It spins, as nothing could wake it from a halt: its interrupts are off, for they have no gates.
    // It looks at the clock seldom and never pauses, for both make an emulator leave the guest.
    shr     r15d, {FAULT_KIND_BITS}
    shl     r15, {FAULT_DELAY_SHIFT}
    add     r15, r13
8:  mov     ecx, {FAULT_TURNS_A_LOOK}
9:  dec     ecx
    jnz     9b
    rdtsc
    shl     rdx, 32
    or      rax, rdx
    cmp     rax, r15
    jb      8b
    xor     r15d, r15d
    jmp     claim

// No landing has the complement of an id that has a fault.
wrong_id:
    not     eax
    jmp     find_landing

// A CPU that parks of its own will: RDI holds the address of its state word, ESI what to write
// there. It leaves its own tables and stack for those of these pages, which serve it should a machine
// check come. Behind the store it touches no memory but them.
.global reveille_trampoline_park
reveille_trampoline_park:
    lea     rbx, [rip + reveille_trampoline_start + {PAGE_SIZE}]
    lgdt    [rbx + {GDT_POINTER}]
    lidt    [rbx + {IDT_POINTER}]
    lea     rsp, [rbx + {SCRATCH_END}]
    mov     dword ptr [rdi], esi
.global reveille_trampoline_halt
reveille_trampoline_halt:
park:
    hlt
    jmp     park

// A machine check on a CPU that is parked, or on its way and without tables of its own. It says that
// the check is over, as a second one would shut the machine down (SDM volume 3, "IA32_MCG_STATUS
// MSR"), and halts: what is to become of the machine is decided elsewhere.
.global reveille_trampoline_machine_check
reveille_trampoline_machine_check:
    mov     ecx, {MCG_STATUS}
    xor     eax, eax
    xor     edx, edx
    wrmsr
    jmp     park

.balign 8
.global reveille_trampoline_cr3
reveille_trampoline_cr3:
    .long   0                       // written when the page is installed
.balign 8
.global reveille_trampoline_gdt
reveille_trampoline_gdt:
    .quad   0
    .quad   0x00209b0000000000      // 64-bit code, present, ring 0, accessed already

// The IDT of CPUs that have none of their own. Its gates are filled in where the page is copied to,
// as they have addresses (idt.rs).
.balign 16
.global reveille_trampoline_idt
reveille_trampoline_idt:
    .fill   {IDT_SIZE}, 1, 0
.global reveille_trampoline_end
reveille_trampoline_end:
.text
