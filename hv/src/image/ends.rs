//! Where the sections of the linked image end: the linker script's symbols.

// UNSAFETY: declares symbols of the linker script.
#![expect(unsafe_code, reason = "linker symbols")]

use paging::VirtAddr;

unsafe extern "C" {
    /// The byte behind the code.
    safe static __text_end: u8;
    /// The byte behind the constants.
    safe static __rodata_end: u8;
    /// The byte behind the variables, zeroed ones included.
    safe static __bss_end: u8;
}

/// The byte behind each section's last, by its name; `None` for one that fills its extent.
pub(super) fn end(section: &str) -> Option<VirtAddr> {
    let symbol = match section {
        "text" => &raw const __text_end,
        "rodata" => &raw const __rodata_end,
        "data" => &raw const __bss_end,
        _ => return None,
    };
    Some(VirtAddr::new(symbol as u64))
}
