// The first instructions of every processor: paging off, flat 32-bit, linked high but run at their load address.
//
// The whole section `.entry` is the first page of text, which the turn-on root also maps at its physical address.
// `{to_physical}` is physical minus virtual; nothing here may use a symbol without adding it until `image_entry`.

    .section .note, "a", @note
    .balign 4
    // Xen public header `elfnote.h`: XEN_ELFNOTE_PHYS32_ENTRY = 18.
    .long 4, 8, 18
    .asciz "Xen"
    .quad pvh_entry + {to_physical}

    .section .entry, "ax", @progbits
    .balign 8
// Multiboot2 Specification 2.0, "OS image format": magic, architecture 0 (32-bit protected mode), length, checksum.
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_header_end - multiboot2_header
    .long 0x100000000 - (0xe85250d6 + multiboot2_header_end - multiboot2_header)
    // Information request (type 1): memory map (6).
    .short 1, 0
    .long 12, 6
    .balign 8
    // The same, optional (flag bit 0): ACPI's root pointers (14, 15).
    .short 1, 1
    .long 16, 14, 15
    // Entry address (type 3).
    .short 3, 0
    .long 12, multiboot2_entry + {to_physical}
    .balign 8
    // End.
    .short 0, 0
    .long 8
multiboot2_header_end:

// Null, then the order of `descriptor::Selector`.
    .balign 8
entry_descriptors:
    .quad 0, {code_64}, {data}, {code_32}
entry_descriptors_end:
entry_descriptors_pointer:
    .short entry_descriptors_end - entry_descriptors - 1
    .long entry_descriptors + {to_physical}

    .code32
// EBX: `hvm_start_info`.
    .globl pvh_entry
pvh_entry:
    mov ebp, {protocol_pvh}
    jmp check_processor

// EAX: the loader's magic; EBX: boot information.
multiboot2_entry:
    cmp eax, 0x36d76289
    lea esi, [message_magic + {to_physical}]
    jne refuse
    mov ebp, {protocol_multiboot2}

// EBP: protocol; EDI: what the loader left. Intel SDM vol. 2A, CPUID: leaf 01H EDX.PAE (bit 6);
// leaf 80000001H EDX.NX (bit 20) and EDX.LM (bit 29).
check_processor:
    cli
    cld
    mov edi, ebx
    mov eax, 0x80000000
    cpuid
    lea esi, [message_long_mode + {to_physical}]
    cmp eax, 0x80000001
    jb refuse
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc refuse
    lea esi, [message_no_execute + {to_physical}]
    bt edx, 20
    jnc refuse
    mov eax, 1
    cpuid
    lea esi, [message_pae + {to_physical}]
    bt edx, 6
    jnc refuse

// EBP: protocol, or 0 on a secondary. Turns paging on in the order of Intel SDM vol. 3A, "Initializing IA-32e Mode":
// CR4.PAE (bit 5); CR3; IA32_EFER.LME (bit 8), here with NXE (bit 11); CR0.PG (bit 31), here with WP (16), NE (5),
// ET (4) and PE (0), and with CD, NW, EM and TS clear.
turn_on:
    mov eax, 0x20
    mov cr4, eax
    mov eax, {turn_on_root}
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, 0x80010031
    mov cr0, eax
    lgdt [entry_descriptors_pointer + {to_physical}]
    // jmp far {selector_code_64}:long_mode
    .byte 0xea
    .long long_mode + {to_physical}
    .short {selector_code_64}

// Where the trampoline jumps: a secondary, flat 32-bit code, data segments still real mode's.
    .globl secondary_entry
secondary_entry:
    mov eax, {selector_data}
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor ebp, ebp
    jmp turn_on

// ESI: message. Sends it by polling the console's ports, where it has ports; then switches the machine off, where that
// takes one 16-bit write to a port; then stops.
refuse:
    mov ecx, {console_port}
    jecxz power_off
next_byte:
    mov edx, {port_ready}
poll:
    in al, dx
    and al, {ready_mask}
    cmp al, {ready_value}
    jne poll
    lodsb
    test al, al
    jz power_off
    mov edx, {port_tx}
    out dx, al
    jmp next_byte
power_off:
    mov edx, {power_port}
    test edx, edx
    jz stop
    mov eax, {power_value}
    out dx, ax
stop:
    hlt
    jmp stop

message_magic:
    .asciz "tabula: panic: entered by a loader that does not speak multiboot2\r\n"
message_long_mode:
    .asciz "tabula: panic: this processor has no long mode (CPUID 80000001H EDX.LM)\r\n"
message_no_execute:
    .asciz "tabula: panic: this processor has no execute-disable (CPUID 80000001H EDX.NX)\r\n"
message_pae:
    .asciz "tabula: panic: this processor has no physical address extension (CPUID 01H EDX.PAE)\r\n"

    .code64
long_mode:
    movabs rax, offset image_entry
    jmp rax

// From here on at the linked address, with the turn-on root still loaded.
    .section .text.image_entry, "ax", @progbits
image_entry:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    test ebp, ebp
    jz secondary_image_entry
    mov rax, {boot_root}
    mov cr3, rax
    mov rsp, {stack_top}
    mov esi, edi
    lea rdi, [rip + __bss_start]
    lea rcx, [rip + __bss_end]
    sub rcx, rdi
    xor eax, eax
    rep stosb
    mov edi, ebp
    xor ebp, ebp
    call {start}
    ud2

// Takes what `smp::start` left for the processor with this APIC id; one that comes late finds another id, or an empty
// box, and sleeps. Intel SDM vol. 2A, CPUID leaf 01H: EBX bits 31..24, initial APIC ID.
secondary_image_entry:
    mov eax, 1
    cpuid
    shr ebx, 24
    cmp ebx, [rip + {mailbox} + {mailbox_apic_id}]
    jne sleep
    xor eax, eax
    xchg rax, [rip + {mailbox} + {mailbox_root}]
    test rax, rax
    jz sleep
    mov cr3, rax
    mov rsp, {stack_top}
    mov edi, [rip + {mailbox} + {mailbox_index}]
    xor ebp, ebp
    call {start_secondary}
    ud2
sleep:
    cli
    hlt
    jmp sleep

// Copied to the planned frame below 1 MiB. Real mode, CS = frame / 16, IP = 0: Intel SDM vol. 3A,
// "MP Initialization Protocol Algorithm". Uses nothing of that frame but these bytes.
    .section .rodata.trampoline, "a", @progbits
    .code16
    .globl trampoline_start, trampoline_end
trampoline_start:
    cli
    cld
    mov ax, cs
    mov ds, ax
    // lgdt with a 32-bit base (operand size prefix).
    .byte 0x66, 0x0f, 0x01, 0x16
    .short trampoline_pointer - trampoline_start
    mov eax, cr0
    or al, 1
    mov cr0, eax
    // jmp far {selector_code_32}:secondary_entry (operand size prefix).
    .byte 0x66, 0xea
    .long secondary_entry + {to_physical}
    .short {selector_code_32}
trampoline_pointer:
    .short entry_descriptors_end - entry_descriptors - 1
    .long entry_descriptors + {to_physical}
trampoline_end:
    .code64
