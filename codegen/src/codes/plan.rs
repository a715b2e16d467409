//! Codes of placing: what no reader of the file alone can see (E05xx to E07xx).
//!
//! Never about a single key; those are in the other tables.

use super::codes;

codes! {
    E0501 Error "the image lies on something else"
    "At `boot.load` come the four sections, then every processor's stack and tables, the manifest and the domains' stage-2 tables. No reservation, device, trampoline or domain may share a byte with them."
    "[boot]\nload = 0x4800_0000   # where firmware leaves the device tree"
    "[boot]\nload = \"auto\""

    E0502 Error "the image does not lie in RAM"
    "The image with its stacks and tables is one contiguous piece, so one bank has to hold all of it, not only its first byte."
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"64 MiB\"\n\n[boot]\nload = 0x4400_0000"
    "[boot]\nload = 0x4020_0000"

    E0503 Error "no hole in RAM holds the image"
    "\"auto\" takes the lowest free 2 MiB aligned hole, leaving the first 2 MiB of RAM to firmware that the file does not list. Reservations and domains with a given place may have cut RAM into pieces that are all too small; many cores with large stacks may need more than there is."
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"2 MiB\""
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"64 MiB\""

    E0504 Error "the image is larger than its window"
    "Text, rodata, boot tables and data are mapped by the pages of one table, 2 MiB in all. The extents are reserved whether sections fill them or not."
    "[layout]\nimage = { text = \"2 MiB\", rodata = \"16 KiB\", data = \"16 KiB\" }"
    "[layout]\nimage = { text = \"64 KiB\", rodata = \"16 KiB\", data = \"16 KiB\" }"

    E0505 Error "the entry code's own address meets the image window"
    "While the MMU comes on, the first page of text is mapped at its physical address too. That address and the image window must not share a top-level entry (512 GiB), or the page would stay visible in every processor's tables."
    "[[memory.bank]]\nbase = 0xa00_0000_0000   # the image window is here, virtually"
    "[layout]\nimage = { base = 0xa80_0020_0000, text = \"48 KiB\", rodata = \"16 KiB\", data = \"16 KiB\" }"

    E0506 Error "the image window cannot start there"
    "Window, guard below and the shared windows above are served by one level-2 table, and the top-level entries of the domain, the private areas and the directmap are taken. On x86-64 code is compiled for the last 2 GiB of the address space."
    "[layout]\nimage = { base = 0x4000_0000, text = \"48 KiB\", rodata = \"16 KiB\", data = \"16 KiB\" }"
    "[layout]\nimage = { base = \"auto\", text = \"48 KiB\", rodata = \"16 KiB\", data = \"16 KiB\" }"

    E0507 Error "the image lies where its entry code cannot run"
    "x86-64 processors start in 32-bit mode and load the first page table root from below 4 GiB. AArch64 maps the entry code at its physical address, which has 48 bits at most."
    "[platform]\narch = \"x86_64\"\n\n[boot]\nload = 0x1_0000_0000"
    "[boot]\nload = 0x20_0000"

    E0508 Error "the trampoline frame is not free RAM"
    "Secondaries start in it, so it has to be RAM that nothing else claims."
    "[[memory.reserved]]\nname = \"ebda\"\nbase = 0x9_e000\n\n[boot]\ntrampoline = 0x9_e000"
    "[boot]\ntrampoline = \"auto\""

    E0509 Error "no frame is left for the trampoline"
    "A start-up interrupt begins below 1 MiB (Intel SDM vol. 3, INIT-SIPI-SIPI), and above 640 KiB a PC has no RAM. The planner takes the highest free frame there."
    "[[memory.bank]]\nbase = 0x10_0000\nsize = 0x3fee_0000"
    "[[memory.bank]]\nbase = 0x0\nsize = 0x9_f000\n\n[[memory.bank]]\nbase = 0x10_0000\nsize = 0x3fee_0000"

    E0601 Error "a domain's memory does not lie in RAM"
    "It is one contiguous piece, so one bank has to hold all of it."
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"1 GiB\"\n\n[[domain]]\nmemory = { base = 0x4000_0000, size = \"16 MiB\", at = 0x9000_0000 }"
    "memory = { base = 0x4000_0000, size = \"16 MiB\", at = 0x6000_0000 }"

    E0602 Error "a domain's memory lies on something else"
    "Two domains, a reservation, a device or the hypervisor would share it: what one writes the other reads."
    "memory = { base = 0x4000_0000, size = \"16 MiB\", at = 0x4800_0000 }   # the firmware's device tree"
    "memory = { base = 0x4000_0000, size = \"16 MiB\" }"

    E0603 Error "no hole in RAM holds a domain's memory"
    "\"auto\" takes the lowest free 2 MiB aligned hole once the hypervisor and everything with a given place have theirs. The sum of what is free does not help: the memory is one piece."
    "[[memory.bank]]\nsize = \"64 MiB\"\n\n[[domain]]\nmemory = { base = 0x4000_0000, size = \"62 MiB\" }"
    "memory = { base = 0x4000_0000, size = \"32 MiB\" }"

    E0604 Error "the directmap window does not cover RAM"
    "RAM appears in the window at its physical address plus the window's start, and the window has the top-level entries that nothing else needs: 128 TiB on AArch64, 126 TiB on x86-64."
    "[[memory.bank]]\nbase = 0x8000_0000_0000\nsize = \"1 GiB\"\n\n[directmap]\npolicy = \"on-demand\""
    "[directmap]\npolicy = \"none\""

    E0605 Error "the memory system's windows do not fit"
    "Records of memory, global maps and heap pages have addresses below the root entry of the image, 512 GiB in all. Frame records take a page of addresses for each 2 MiB from the lowest bank to the highest, holes included; frames are spent on blocks that are split only."
    "[layout]\nheap = { size = \"1 TiB\" }"
    "[layout]\nheap = { size = \"64 GiB\" }"

    E0606 Error "the heap's fixed pools do not fit in RAM"
    "`pools = \"fixed\"` sets whole 2 MiB blocks aside at boot, out of what the image, reservations and domains leave."
    "[[memory.bank]]\nsize = \"1 GiB\"\n\n[heap]\npools = \"fixed\"\nsize = \"2 GiB\""
    "[heap]\npools = \"fixed\"\nsize = \"64 MiB\""

    E0607 Error "no guest-physical addresses are left for a domain's devices"
    "Its interrupt controller, consoles and grant table appear beside its memory and beside devices passed through, above 128 MiB and below the end of what its stage 2 translates."
    "[memory]\npa-bits-min = 32\n\n[[domain]]\nmemory = { base = 0x800_0000, size = \"3968 MiB\" }"
    "memory = { base = 0x4000_0000, size = \"3 GiB\" }"

    E0608 Error "a domain's tables are more than its pool can hold"
    "The tables that translate a domain's memory are frames of its pool: 2048 of them, 8 MiB. A table serves 1 GiB of memory in blocks of 2 MiB, and one more each 512 GiB."
    "[[domain]]\nmemory = { base = 0x4000_0000, size = \"2 TiB\" }"
    "[[domain]]\nmemory = { base = 0x4000_0000, size = \"1 TiB\" }"

    E0609 Warning "little room is left to grow"
    "The next kernel of a guest, the next feature of the hypervisor or one more core needs some. `layout.headroom-min` says how many per cent of the image's window and of RAM are to stay free; 0 asks for none."
    "[[memory.bank]]\nsize = \"64 MiB\"\n\n[[domain]]\nmemory = { base = 0x4000_0000, size = \"58 MiB\" }"
    "memory = { base = 0x4000_0000, size = \"48 MiB\" }"
}
