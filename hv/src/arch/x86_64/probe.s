// A load and a store that may fault, and where the page-fault gate leads while they are made.

    .section .text.probe, "ax", @progbits

// tabula_probe_load(at, into): 1 and the word in `into`, or 0.
    .globl tabula_probe_load
tabula_probe_load:
probe_load_access:
    mov rax, [rdi]
    mov [rsi], rax
    mov eax, 1
    ret

// tabula_probe_store(at): 1, or 0.
    .globl tabula_probe_store
tabula_probe_store:
probe_store_access:
    lock or qword ptr [rdi], 0
    mov eax, 1
    ret

// Where both go on after a fault.
probe_faulted:
    xor eax, eax
    ret

// Looks the access up. On the stack: RCX, RAX, error code, RIP. AMD APM vol. 2, "Long-Mode Interrupt Stack Frame".
    .globl tabula_probe_fault
tabula_probe_fault:
    push rax
    push rcx
    lea rax, [rip + probe_fixups]
1:  mov rcx, [rax]
    test rcx, rcx
    jz 3f
    cmp rcx, [rsp + 24]
    je 2f
    add rax, 16
    jmp 1b
2:  mov rcx, [rax + 8]
    mov [rsp + 24], rcx
    pop rcx
    pop rax
    add rsp, 8
    iretq
// Not one of ours: as if the usual gate had been there.
3:  pop rcx
    pop rax
    jmp exception_stubs + {page_fault} * 16

// Instruction that may fault, and where to go on. Ends with zero.
    .section .rodata.probe, "a", @progbits
    .balign 8
probe_fixups:
    .quad probe_load_access, probe_faulted
    .quad probe_store_access, probe_faulted
    .quad 0
