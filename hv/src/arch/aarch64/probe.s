// A load that may be aborted, and the vectors that are in force while it is made.
//
// Offsets and order: Arm ARM (DDI 0487), "Exception vectors".

.macro usual number
    .balign 128
    b       tabula_vectors + \number * 128
.endm

.section .text.probe, "ax"
.balign 2048
probe_vectors:
    usual   0
    usual   1
    usual   2
    usual   3
    // Synchronous, from the own level with its own stack: the one load that runs with these vectors. x2: where it goes on.
    .balign 128
    msr     elr_el2, x2
    eret
    usual   5
    usual   6
    usual   7
    usual   8
    usual   9
    usual   10
    usual   11
    usual   12
    usual   13
    usual   14
    usual   15

// tabula_probe_load(at, into): 1 and the word in `into`, or 0.
.globl tabula_probe_load
tabula_probe_load:
    mrs     x9, vbar_el2
    adr     x10, probe_vectors
    adr     x2, 1f
    mov     x11, #0
    msr     vbar_el2, x10
    isb
    ldr     x12, [x0]
    mov     x11, #1
1:  msr     vbar_el2, x9
    isb
    cbz     x11, 2f
    str     x12, [x1]
2:  mov     x0, x11
    ret
