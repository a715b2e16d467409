//! Codes of what the hypervisor adds: layout, domains, devices given away, emulator (E04xx).
//!
//! Never about placing, which the planner decides.

use super::codes;

codes! {
    E0401 Error "an extent is not whole pages"
    "Sections of the image and stacks are mapped page by page, with different permissions next to each other; a part of a page can belong to one of them only."
    "stack = { size = \"10000 B\" }"
    "stack = { size = \"12 KiB\" }"

    E0402 Error "a window has too few slots"
    "A walk down the tables holds one PMAP slot a level, four in all. The fixmap needs a slot for each page that is mapped for good, and the firmware window at least one. The map cache holds one page for each level of a guest's tables and one to copy through, and the same again for an interrupt on top of that: ten."
    "pmap = { slots = 3 }"
    "pmap = { slots = 4 }"

    E0403 Error "the windows do not fit their table"
    "Fixmap, PMAP and firmware window share one table of 512 entries with a guard page behind each; a CPU's stack and map cache share another with their guards."
    "fixmap = { slots = 300 }\npmap = { slots = 8 }\nfirmware = { slots = 272 }"
    "fixmap = { slots = 16 }\npmap = { slots = 8 }\nfirmware = { slots = 272 }"

    E0404 Error "the number of virtual CPUs is out of range"
    "A domain has 1 to 512 virtual CPUs; more than the machine has cores is allowed. Its interrupt controller is of the machine's kind, and a GICv2 serves 8."
    "vcpus = 0"
    "vcpus = 1"

    E0405 Error "domains ask for more memory than there is"
    "A domain's memory is one contiguous piece of RAM, and no two domains share any."
    "[[memory.bank]]\nsize = \"1 GiB\"\n\n[[domain]]\nmemory = { base = 0x4000_0000, size = \"2 GiB\" }"
    "[[memory.bank]]\nsize = \"1 GiB\"\n\n[[domain]]\nmemory = { base = 0x4000_0000, size = \"512 MiB\" }"

    E0406 Error "the kernel's reserve does not fit the domain's memory"
    "The kernel lies 2 MiB above the start of the domain's memory, the device tree in its last 64 KiB and the initrd below that."
    "memory = { base = 0x4000_0000, size = \"16 MiB\" }\nkernel-max = \"16 MiB\""
    "memory = { base = 0x4000_0000, size = \"32 MiB\" }\nkernel-max = \"16 MiB\""

    E0407 Error "the domain's memory lies beyond its address bits"
    "A domain sees as many address bits as the machine has for sure (`memory.pa-bits-min`), at most 48."
    "memory = { base = 0x100_0000_0000, size = \"16 MiB\" }   # pa-bits-min = 40"
    "memory = { base = 0x4000_0000, size = \"16 MiB\" }"

    E0408 Error "domains run on AArch64 only"
    "On x86-64 the hypervisor starts all processors, reports its map and powers off; there is nothing that could enter a guest."
    "[platform]\narch = \"x86_64\"\n\n[[domain]]\nname = \"linux\""
    "[platform]\narch = \"x86_64\""

    E0409 Error "a domain asks for a device that is not described"
    "`domain.devices` holds names of `[[device]]` entries."
    "[[domain]]\ndevices = [\"eth0\"]"
    "[[device]]\nname = \"eth0\"\n\n[[domain]]\ndevices = [\"eth0\"]"

    E0410 Error "a device is owned twice"
    "A device passed through belongs to one domain: two drivers on the same registers undo each other's work."
    "[[domain]]\nname = \"a\"\ndevices = [\"eth0\"]\n\n[[domain]]\nname = \"b\"\ndevices = [\"eth0\"]"
    "[[domain]]\nname = \"a\"\ndevices = [\"eth0\"]\n\n[[domain]]\nname = \"b\""

    E0411 Error "a device that masters DMA stands behind no IOMMU"
    "Its owner could read and write all memory through it. No IOMMU is driven, so either the device stays with nobody, or `dma = \"trusted\"` says that its owner may see everything; that is reported at each build and each boot."
    "[[device]]\nname = \"eth0\"\ndma = \"iommu\""
    "[[device]]\nname = \"eth0\"\ndma = \"trusted\""

    E0412 Warning "a trusted device can reach all memory"
    "`dma = \"trusted\"` passes a DMA master through without an IOMMU: the isolation of every domain then rests on the software that drives it. The warning stays, so that the hole is in every report."
    "[[device]]\nname = \"eth0\"\ndma = \"trusted\""
    "[[device]]\nname = \"gpio\"\ndma = \"none\""

    E0414 Error "the emulator has less memory than the banks"
    "The emulated machine would lack RAM that the plan uses, and stop at the first access."
    "[[memory.bank]]\nsize = \"2 GiB\"\n\n[emulator]\nmemory = \"1 GiB\""
    "[[memory.bank]]\nsize = \"2 GiB\"\n\n[emulator]\nmemory = \"2 GiB\""

    E0415 Error "a device passed through shares a page with another"
    "Registers are given to a domain page by page, so the domain would reach its neighbour's registers too."
    "[[device]]\nname = \"uart1\"\nmmio = [{ base = 0x0900_0800, size = 0x100 }]   # the console is at 0x0900_0000"
    "[[device]]\nname = \"uart1\"\nmmio = [{ base = 0x0901_0000, size = 0x100 }]"

    E0416 Error "a device lies on the domain's memory"
    "A device passed through appears to its domain at its physical address, which the domain's own memory must leave free."
    "memory = { base = 0x0800_0000, size = \"32 MiB\" }\ndevices = [\"uart1\"]         # at 0x0901_0000"
    "memory = { base = 0x4000_0000, size = \"32 MiB\" }\ndevices = [\"uart1\"]"

    E0417 Error "the board's console cannot be passed through"
    "`console = \"board\"` gives a domain the registers and the interrupt of the board's console; its device tree can describe a PL011."
    "[console]\nkind = \"xuartps\"\n\n[[domain]]\nconsole = \"board\""
    "[[domain]]\nconsole = \"hypercall\""

    E0418 Error "a virtual CPU is pinned to a CPU that is not there"
    "`domain.cpus` holds places among `[[cpu.core]]`, from 0 on; a virtual CPU that is pinned runs nowhere else."
    "vcpus = 1\ncpus = [4]   # four cores"
    "vcpus = 1\ncpus = [3]"

    E0419 Error "some of a domain's virtual CPUs are pinned, and some are not"
    "`domain.cpus` names a CPU for each virtual CPU, in order; without the key all of them float."
    "vcpus = 2\ncpus = [3]"
    "vcpus = 2\ncpus = [2, 3]"

    E0420 Error "domains need an interrupt controller with a virtual half"
    "A guest sees a CPU interface of its own: GICv2 has GICH and GICV for it, GICv3 registers. The Raspberry Pi's controller and a GICv2 without them have nothing of the kind, so the hypervisor starts all processors there, reports its map and powers off."
    "[irq]\nkind = \"bcm2836\"\n\n[[domain]]\nname = \"linux\""
    "[irq]\nkind = \"gic-v2\"\ngich = { base = 0x0803_0000, size = 0x1_0000 }\ngicv = { base = 0x0804_0000, size = 0x1_0000 }\n\n[[domain]]\nname = \"linux\""
}
