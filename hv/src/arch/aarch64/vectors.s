// EL2's vectors, and the way into a guest.
//
// From EL2 itself: always fatal, reported from a stack of its own, as the usual one may be what failed.
// From a guest: its registers go to its own context, which is where SP_EL2 points while it runs. The stack is empty then.
//
// Offsets and order: Arm ARM (DDI 0487), "Exception vectors".

.macro own number
    .balign 128
    mov     x0, #\number
    b       own_fault
.endm

.macro lower number
    .balign 128
    stp     x0, x1, [sp]
    mov     x1, #\number
    b       leave_guest
.endm

.section .text.vectors, "ax"
.balign 2048
.globl tabula_vectors
tabula_vectors:
    own     0
    own     1
    own     2
    own     3
    own     4
    own     5
    own     6
    own     7
    lower   0
    lower   1
    lower   2
    lower   3
    lower   4
    lower   5
    lower   6
    lower   7

// The first CPU to fail reports; any other, and a second failure, sleeps.
own_fault:
    adrp    x2, {taken}
    add     x2, x2, :lo12:{taken}
1:  ldaxr   w3, [x2]
    cbnz    w3, 2f
    mov     w4, #1
    stxr    w3, w4, [x2]
    cbnz    w3, 1b
    adrp    x2, {last_stack}
    add     x2, x2, :lo12:{last_stack}
    add     sp, x2, #{last_stack_bytes}
    bl      {own}
2:  wfi
    b       2b

leave_guest:
    mov     x0, sp
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    mrs     x3, elr_el2
    stp     x30, x3, [x0, #240]
    mrs     x3, spsr_el2
    str     x3, [x0, #256]
    ldr     x2, ={stack_end}
    mov     sp, x2
    mov     x19, x0
    bl      {exit}
    mov     x0, x19
    b       tabula_enter

// tabula_enter_clean(context): makes this CPU's stack zeroes, and goes on there.
.globl tabula_enter_clean
tabula_enter_clean:
    ldr     x1, ={stack}
    ldr     x2, ={stack_end}
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b

// tabula_enter(context): enters the guest with the context's registers; what was on the stack is gone.
.globl tabula_enter
tabula_enter:
    mov     sp, x0
    ldr     x3, [x0, #256]
    msr     spsr_el2, x3
    ldp     x30, x3, [x0, #240]
    msr     elr_el2, x3
    ldp     x28, x29, [x0, #224]
    ldp     x26, x27, [x0, #208]
    ldp     x24, x25, [x0, #192]
    ldp     x22, x23, [x0, #176]
    ldp     x20, x21, [x0, #160]
    ldp     x18, x19, [x0, #144]
    ldp     x16, x17, [x0, #128]
    ldp     x14, x15, [x0, #112]
    ldp     x12, x13, [x0, #96]
    ldp     x10, x11, [x0, #80]
    ldp     x8, x9, [x0, #64]
    ldp     x6, x7, [x0, #48]
    ldp     x4, x5, [x0, #32]
    ldp     x2, x3, [x0, #16]
    ldp     x0, x1, [x0]
    eret
    // Arm ARM, "Speculation barrier": nothing behind an exception return is speculated.
    dsb     nsh
    isb

// tabula_simd_save(registers): stores v0 to v31, FPCR and FPSR there, and makes them zero.
.globl tabula_simd_save
tabula_simd_save:
    .arch_extension fp
    .arch_extension simd
    stp     q0, q1, [x0, #0]
    stp     q2, q3, [x0, #32]
    stp     q4, q5, [x0, #64]
    stp     q6, q7, [x0, #96]
    stp     q8, q9, [x0, #128]
    stp     q10, q11, [x0, #160]
    stp     q12, q13, [x0, #192]
    stp     q14, q15, [x0, #224]
    stp     q16, q17, [x0, #256]
    stp     q18, q19, [x0, #288]
    stp     q20, q21, [x0, #320]
    stp     q22, q23, [x0, #352]
    stp     q24, q25, [x0, #384]
    stp     q26, q27, [x0, #416]
    stp     q28, q29, [x0, #448]
    stp     q30, q31, [x0, #480]
    mrs     x1, fpcr
    mrs     x2, fpsr
    add     x0, x0, #512
    stp     x1, x2, [x0]
    msr     fpcr, xzr
    msr     fpsr, xzr
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    movi    v\n\().2d, #0
.endr
    ret

// tabula_simd_load(registers): v0 to v31, FPCR and FPSR are those that lie there.
.globl tabula_simd_load
tabula_simd_load:
    .arch_extension fp
    .arch_extension simd
    ldp     q0, q1, [x0, #0]
    ldp     q2, q3, [x0, #32]
    ldp     q4, q5, [x0, #64]
    ldp     q6, q7, [x0, #96]
    ldp     q8, q9, [x0, #128]
    ldp     q10, q11, [x0, #160]
    ldp     q12, q13, [x0, #192]
    ldp     q14, q15, [x0, #224]
    ldp     q16, q17, [x0, #256]
    ldp     q18, q19, [x0, #288]
    ldp     q20, q21, [x0, #320]
    ldp     q22, q23, [x0, #352]
    ldp     q24, q25, [x0, #384]
    ldp     q26, q27, [x0, #416]
    ldp     q28, q29, [x0, #448]
    ldp     q30, q31, [x0, #480]
    add     x0, x0, #512
    ldp     x1, x2, [x0]
    msr     fpcr, x1
    msr     fpsr, x2
    ret

.ltorg
