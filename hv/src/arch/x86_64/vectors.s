// One stub of 16 bytes for each exception; all push the same frame (`interrupts::Frame`).

    .section .text.vectors, "ax", @progbits
    .balign 16
    .globl exception_stubs
exception_stubs:
    .set vector, 0
    .rept {exceptions}
    .balign 16
    // The processor pushed an error code for the vectors in this mask; the others get zero.
    .if (({error_codes} >> vector) & 1) == 0
    // push 0
    .byte 0x6a, 0
    .endif
    // push vector
    .byte 0x6a, vector
    jmp exception_common
    .set vector, vector + 1
    .endr

    .balign 16
exception_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call {taken}
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    iretq

// A spurious interrupt wants no acknowledgement: Intel SDM vol. 3A, "Spurious Interrupt".
    .balign 16
    .globl spurious_stub
spurious_stub:
    iretq
