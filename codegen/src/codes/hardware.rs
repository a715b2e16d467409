//! Codes of the machine: memory, registers, processors, interrupts, console, boot (E02xx, E03xx).
//!
//! Never about what the hypervisor adds to the machine.

use super::codes;

codes! {
    E0201 Error "a range is empty"
    "A size of zero describes nothing; the entry is either unfinished or should go."
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = 0"
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"1 GiB\""

    E0202 Error "an address or size is misaligned"
    "RAM is handed out in frames of 4 KiB, domain memory and the image in blocks of 2 MiB. A value in between cannot be mapped."
    "memory = { base = 0x4000_0000, size = \"17 MiB\" }"
    "memory = { base = 0x4000_0000, size = \"18 MiB\" }"

    E0203 Error "two memory banks overlap"
    "Each byte of RAM belongs to one bank. Shrink or move one of them; a part that must not be used is a `memory.reserved` entry."
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"192 MiB\"\n\n[[memory.bank]]\nbase = 0x4800_0000\nsize = \"128 MiB\""
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"128 MiB\"\n\n[[memory.bank]]\nbase = 0x4800_0000\nsize = \"128 MiB\""

    E0204 Error "a range runs past the end of the address space"
    "Base plus size is more than 2^64 (or more than 2^16 for I/O ports). One of the two is mistyped."
    "base = 0xffff_ffff_ffff_f000\nsize = \"1 GiB\""
    "base = 0x4000_0000\nsize = \"1 GiB\""

    E0205 Error "a range lies beyond the physical address bits"
    "`memory.pa-bits-min` says how many address bits the machine is sure to have; tables are built for that many. Raise it if the processor has more (AArch64: ID_AA64MMFR0_EL1.PARange; x86-64: CPUID 8000_0008h)."
    "[memory]\npa-bits-min = 32\n\n[[memory.bank]]\nbase = 0x1_0000_0000"
    "[memory]\npa-bits-min = 40\n\n[[memory.bank]]\nbase = 0x1_0000_0000"

    E0206 Warning "a reserved range touches no RAM"
    "Nothing would be allocated there anyway, because no bank covers it. Either a bank is missing or the address is mistyped."
    "[[memory.reserved]]\nname = \"tfa\"\nbase = 0x0"
    "[[memory.reserved]]\nname = \"tfa\"\nbase = 0x4000_0000"

    E0207 Error "device registers lie in RAM"
    "An address is either RAM or a register. Mapped as RAM, a register would be cached; allocated as RAM, it would be written. Shrink the bank or correct the device; a `memory.reserved` entry of kind \"hole\" takes a part out of a bank."
    "[[memory.bank]]\nbase = 0x0\nsize = \"4 GiB\"\n\n[console]\nbase = 0x0900_0000"
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"1 GiB\"\n\n[console]\nbase = 0x0900_0000"

    E0208 Error "register ranges of two devices overlap"
    "Each register belongs to one device. A range is often written too long: data sheets give the window of the bus, not of the device."
    "gicd = { base = 0x0800_0000, size = 0x2_0000 }\ngicc = { base = 0x0801_0000, size = 0x1_0000 }"
    "gicd = { base = 0x0800_0000, size = 0x1_0000 }\ngicc = { base = 0x0801_0000, size = 0x1_0000 }"

    E0209 Error "the board has no memory bank"
    "With `banks-from = \"static\"` the banks in the file are all the RAM there is."
    "[memory]\nbanks-from = \"static\""
    "[memory]\nbanks-from = \"static\"\n\n[[memory.bank]]\nbase = 0x4000_0000\nsize = \"1 GiB\""

    E0210 Error "banks cannot come from there"
    "`firmware-dtb` (AArch64) and `e820` (x86-64) let firmware say at boot how much RAM there is: inside the banks of the file, where everything is planned, and never more. Each word needs what boot loaders of its architecture hand over, and a directmap that never shows all RAM, since that one is planned whole."
    "[platform]\narch = \"aarch64\"\n\n[memory]\nbanks-from = \"e820\""
    "[platform]\narch = \"aarch64\"\n\n[memory]\nbanks-from = \"firmware-dtb\""

    E0301 Error "the board has no processor"
    "List every core in logical order; the first one boots."
    "[cpu]\nenable-method = \"psci\""
    "[cpu]\nenable-method = \"psci\"\n\n[[cpu.core]]\nmpidr = 0x0"

    E0302 Error "two cores have the same id"
    "Cores are started and found by their id, so each has its own."
    "[[cpu.core]]\nmpidr = 0x0\n\n[[cpu.core]]\nmpidr = 0x0"
    "[[cpu.core]]\nmpidr = 0x0\n\n[[cpu.core]]\nmpidr = 0x1"

    E0303 Error "a core's id is impossible"
    "`mpidr` holds affinity fields only: Aff0 to Aff2 in bits [23:0] and Aff3 in bits [39:32] (Arm ARM DDI 0487, MPIDR_EL1); bits 31, 30 and 24 are left out. `apic-id` is at most 254: 255 addresses all processors (Intel SDM vol. 3, local APIC ID)."
    "mpidr = 0x8000_0001"
    "mpidr = 0x1"

    E0304 Error "the cores cannot be started this way"
    "AArch64 starts secondaries by PSCI, x86-64 by INIT and SIPI; \"none\" leaves only the first core."
    "[platform]\narch = \"aarch64\"\n\n[cpu]\nenable-method = \"sipi\""
    "[platform]\narch = \"aarch64\"\n\n[cpu]\nenable-method = \"psci\"\npsci = { conduit = \"smc\" }"

    E0305 Error "an interrupt number is out of range"
    "GIC numbers are absolute INTIDs: 16 to 31 private to a core (PPI n is 16 + n), 32 to 1019 shared (SPI n is 32 + n). Raw device tree cells lack the 16 or 32. x86-64 numbers are I/O APIC inputs, 0 to 239."
    "hyp-phys = 10           # the device tree's cell"
    "hyp-phys = 26           # 16 + 10"

    E0306 Error "an interrupt number is claimed twice"
    "One source, one number: a second claim is usually a cell copied without its offset."
    "phys = 30\nvirt = 30"
    "phys = 30\nvirt = 27"

    E0307 Error "the console's registers cannot be reached as described"
    "Widths are 1, 2 or 4 bytes, registers are aligned to their width, and each lies inside `console.size`."
    "kind = \"ns16550\"\nsize = 0x8\nreg-shift = 2"
    "kind = \"ns16550\"\nsize = 0x20\nreg-shift = 2"

    E0308 Error "the baud rate cannot be made from the clock"
    "The divisor is clock-hz / (16 * baud), rounded to a whole number of at most 16 bits; the rate it gives must be within 3 % of the one asked for, or the other end reads noise."
    "clock-hz = 1_843_200\nbaud = 1_500_000"
    "clock-hz = 24_000_000\nbaud = 1_500_000"

    E0309 Error "this entry protocol belongs to the other architecture"
    "AArch64 images are entered as \"linux-image\", x86-64 images as \"pvh\" (which carries a multiboot2 header too)."
    "[platform]\narch = \"aarch64\"\n\n[boot]\nentry = \"pvh\""
    "[platform]\narch = \"aarch64\"\n\n[boot]\nentry = \"linux-image\""

    E0310 Error "the hypervisor must be entered at EL2"
    "EL1 cannot control guests, and a step down from EL3 is the firmware's task. The image checks CurrentEL when it starts and says so on the console."
    "entry-el = 1"
    "entry-el = 2"

    E0311 Error "the trampoline frame cannot be used"
    "A start-up interrupt begins in real mode at a whole frame below 1 MiB (Intel SDM vol. 3, INIT-SIPI-SIPI). Frame 0 holds the real-mode vectors; 0xa_0000 and above is video memory and ROM."
    "trampoline = 0x10_0000"
    "trampoline = 0x8000"

    E0312 Error "the way to power off is incomplete"
    "x86-64 has no firmware call for it that every machine offers, and PSCI needs a conduit: one write to a port or a register says how. `width` is 1, 2 or 4 and the value fits it."
    "power-off = { width = 2, value = 0x2000 }"
    "power-off = { port = 0x604, width = 2, value = 0x2000 }"

    E0313 Error "an interrupt controller window is too small"
    "GICv2: distributor 4 KiB, CPU interfaces 8 KiB, 128 KiB with `gicc-alias = \"64k\"` (Arm IHI 0048). GICv3: distributor 64 KiB, redistributors 128 KiB for each core (Arm IHI 0069)."
    "gicr = [{ base = 0x080a_0000, size = 0x2_0000 }]    # four cores"
    "gicr = [{ base = 0x080a_0000, size = 0x8_0000 }]"
}
