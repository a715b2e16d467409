// From the boot loader to Rust: the image's header, the first instructions of the boot CPU and of every other.
//
// The first part runs with the MMU off at whatever address it was loaded; it lies in the identity page and uses
// nothing but its own literals. Registers held throughout: x20 what x0 was, x21 where the image is, x22 where it
// should be.

.section .entry, "ax"

// The header. Linux, "Booting AArch64 Linux", "Call the kernel image": code0, code1, text_offset, image_size, flags
// (little-endian, 4 KiB pages, anywhere in memory), three reserved, magic, reserved.
.globl _start
_start:
    b       boot_entry
    .long   0
    .quad   0
    .quad   {footprint_bytes}
    .quad   1 << 1 | 1 << 3
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

boot_entry:
    msr     daifset, #0b1111
    msr     spsel, #1
    mov     x20, x0
    adr     x21, _start
    ldr     x22, ={load}
    ldr     x0, ={early_stack_end}
    add     x0, x21, x0
    mov     sp, x0
    // CurrentEL.EL, bits [3:2].
    mrs     x0, currentel
    lsr     x0, x0, #2
    cmp     x0, #{entry_el}
    b.ne    {wrong_level}
    cmp     x21, x22
    b.ne    move_image
    bl      mmu_on
    ldr     x0, =boot_mapped
    br      x0

// Where the others start, by PSCI CPU_ON or from the word they poll: each finds its number by its MPIDR_EL1. One that
// the board file does not list goes no further. The image is where it was linked for but for the MMU, so its constants
// are as far away as when it is on.
.globl tabula_secondary_entry
tabula_secondary_entry:
    msr     daifset, #0b1111
    msr     spsel, #1
    mrs     x1, mpidr_el1
    ldr     x2, ={affinity}
    and     x1, x1, x2
    adrp    x2, {ids}
    add     x2, x2, :lo12:{ids}
    mov     x20, #0
1:  ldr     x3, [x2, x20, lsl #3]
    cmp     x3, x1
    b.eq    2f
    add     x20, x20, #1
    cmp     x20, #{cpus}
    b.lo    1b
    wfe
    b       tabula_secondary_entry
2:  bl      mmu_on
    ldr     x0, =secondary_mapped
    br      x0

// MMU and caches on, in the turn-on root. Every register whole: nothing of the firmware's values is kept.
mmu_on:
    ldr     x0, ={hcr}
    msr     hcr_el2, x0
    // The others mean what they mean with HCR_EL2.E2H clear.
    isb
    ldr     x0, ={mair}
    msr     mair_el2, x0
    // ID_AA64MMFR0_EL1.PARange, bits [3:0], goes into TCR_EL2.PS, up to what the entries can hold.
    mrs     x1, id_aa64mmfr0_el1
    and     x1, x1, #0xf
    mov     x2, #{ps_max}
    cmp     x1, x2
    csel    x1, x1, x2, lo
    ldr     x0, ={tcr}
    orr     x0, x0, x1, lsl #{ps_shift}
    msr     tcr_el2, x0
    ldr     x0, ={turn_on_root}
    msr     ttbr0_el2, x0
    isb
    ic      iallu
    tlbi    alle2
    dsb     nsh
    isb
    ldr     x0, ={sctlr}
    msr     sctlr_el2, x0
    isb
    ret

// Loaded elsewhere than planned. `may_move` returns the bytes to copy, or does not return.
move_image:
    mov     x0, x21
    mov     x1, x20
    bl      {may_move}
    mov     x2, x0
    // Nothing of the destination may stay in a cache and come back over what is written now.
    mov     x4, x22
    add     x5, x22, x2
    bl      forget
    // The copy may overwrite this page, so it runs from the bottom of the early stack of the higher place, behind
    // both the source and the destination.
    cmp     x21, x22
    csel    x9, x21, x22, hi
    ldr     x0, ={early_stack}
    add     x9, x9, x0
    mov     x4, x9
    add     x5, x9, #(copy_end - copy)
    bl      forget
    adr     x10, copy
    mov     x11, x9
    adr     x12, copy_end
1:  ldr     w13, [x10], #4
    str     w13, [x11], #4
    cmp     x10, x12
    b.lo    1b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    mov     x0, x22
    mov     x1, x21
    br      x9

// Cleans and invalidates the lines of x4..x5 to the point of coherency; changes x3, x4, x6.
// CTR_EL0.DminLine, bits [19:16]: log2 of words.
forget:
    mrs     x6, ctr_el0
    ubfx    x6, x6, #16, #4
    mov     x3, #4
    lsl     x3, x3, x6
    sub     x6, x3, #1
    bic     x4, x4, x6
1:  dc      civac, x4
    add     x4, x4, x3
    cmp     x4, x5
    b.lo    1b
    dsb     sy
    ret

// Copies x2 bytes, a multiple of 16, from x1 to x0, in the direction that leaves overlapping ranges right; then starts
// over at the destination. Position-independent, complete in itself.
copy:
    mov     x4, x0
    add     x5, x0, x2
    cmp     x0, x1
    b.hi    2f
1:  ldp     x6, x7, [x1], #16
    stp     x6, x7, [x0], #16
    subs    x2, x2, #16
    b.ne    1b
    b       4f
2:  add     x0, x0, x2
    add     x1, x1, x2
3:  ldp     x6, x7, [x1, #-16]!
    stp     x6, x7, [x0, #-16]!
    subs    x2, x2, #16
    b.ne    3b
4:  dsb     sy
    mrs     x6, ctr_el0
    ubfx    x6, x6, #16, #4
    mov     x3, #4
    lsl     x3, x3, x6
    sub     x6, x3, #1
    bic     x4, x4, x6
5:  dc      civac, x4
    add     x4, x4, x3
    cmp     x4, x5
    b.lo    5b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    mov     x0, x20
    br      x22
copy_end:

.ltorg

.section .text.mapped, "ax"

// Virtual addresses from here on.
boot_mapped:
    ldr     x0, ={boot_root}
    bl      own_root
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
1:  cmp     x0, x1
    b.hs    2f
    str     xzr, [x0], #8
    b       1b
2:  mov     x0, x20
    b       {boot}

secondary_mapped:
    adrp    x1, {roots}
    add     x1, x1, :lo12:{roots}
    ldr     x0, [x1, x20, lsl #3]
    bl      own_root
    mov     x0, x20
    b       {secondary}

// Loads the root in x0 for good, and the stack and vectors that go with it. The turn-on root's identity page is
// forgotten with everything else.
own_root:
    msr     ttbr0_el2, x0
    isb
    tlbi    alle2
    dsb     nsh
    isb
    adrp    x0, tabula_vectors
    add     x0, x0, :lo12:tabula_vectors
    msr     vbar_el2, x0
    isb
    ldr     x0, ={stack_end}
    mov     sp, x0
    ret

.ltorg
