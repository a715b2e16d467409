//! Descriptor bits against crates that others wrote: `aarch64-paging` for the Arm formats, `x86_64` for long mode.

use aarch64_paging::descriptor::{El23Attributes, Stage2Attributes};
use paging::{
    El2, Frame, GuestAccess, GuestAttributes, HostAccess, HostAttributes, Level, LongMode, Memory, PAGE_BYTES, Stage2,
};
use x86_64::structures::paging::PageTableFlags;

/// A frame that is aligned to every level.
const FRAME: Frame = Frame::new(0x40_0000);

fn host() -> [HostAttributes; 5] {
    let normal = |access| HostAttributes::new(access, Memory::Normal);
    [
        normal(HostAccess::Execute),
        normal(HostAccess::Read),
        normal(HostAccess::ReadWrite),
        HostAttributes::new(HostAccess::Read, Memory::Device),
        HostAttributes::new(HostAccess::ReadWrite, Memory::Device),
    ]
}

#[test]
fn el2_leaves_are_what_aarch64_paging_would_write() {
    for level in [Level::L1, Level::L2, Level::L3] {
        for attributes in host() {
            let mut flags = El23Attributes::VALID | El23Attributes::ACCESSED | El23Attributes::USER_RES1;
            if level == Level::L3 {
                flags |= El23Attributes::TABLE_OR_PAGE;
            }
            if attributes.memory == Memory::Device {
                flags |= El23Attributes::ATTRIBUTE_INDEX_1;
            } else {
                flags |= El23Attributes::INNER_SHAREABLE;
            }
            if attributes.access != HostAccess::ReadWrite {
                flags |= El23Attributes::READ_ONLY;
            }
            if attributes.access != HostAccess::Execute {
                flags |= El23Attributes::XN;
            }
            let expected = (FRAME.number() * PAGE_BYTES) | flags.bits() as u64;
            let found = El2::leaf(level, FRAME, attributes).get();
            // Shareability of Device memory is ignored (Arm ARM, "Shareability": Device is always Outer Shareable).
            let ignored =
                if attributes.memory == Memory::Device { El23Attributes::INNER_SHAREABLE.bits() as u64 } else { 0 };
            assert_eq!(found & !ignored, expected & !ignored, "{level:?} {attributes:?}");
        }
    }
}

#[test]
fn stage_2_leaves_are_what_aarch64_paging_would_write() {
    let full = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
    let flags = Stage2Attributes::VALID
        | Stage2Attributes::TABLE_OR_PAGE
        | Stage2Attributes::MEMATTR_NORMAL_INNER_WB
        | Stage2Attributes::MEMATTR_NORMAL_OUTER_WB
        | Stage2Attributes::S2AP_ACCESS_RO
        | Stage2Attributes::SH_INNER
        | Stage2Attributes::ACCESS_FLAG;
    // S2AP, bits [7:6]: 0b11 is read and write (Arm ARM, "Stage 2 data access permissions").
    let write = 1 << 7;
    let expected = (FRAME.number() * PAGE_BYTES) | flags.bits() as u64 | write;
    assert_eq!(Stage2::leaf(Level::L3, FRAME, full).get(), expected);
    let data = GuestAttributes::new(GuestAccess::ReadWrite, Memory::Normal);
    assert_eq!(Stage2::leaf(Level::L3, FRAME, data).get(), expected | Stage2Attributes::XN.bits() as u64);
}

#[test]
fn long_mode_leaves_are_what_the_x86_64_crate_would_write() {
    for level in [Level::L1, Level::L2, Level::L3] {
        for attributes in host() {
            let mut flags = PageTableFlags::PRESENT;
            flags.set(PageTableFlags::HUGE_PAGE, level != Level::L3);
            flags.set(PageTableFlags::WRITABLE, attributes.access == HostAccess::ReadWrite);
            flags.set(PageTableFlags::NO_EXECUTE, attributes.access != HostAccess::Execute);
            let device = attributes.memory == Memory::Device;
            flags.set(PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH, device);
            let found = LongMode::leaf(level, FRAME, attributes).get();
            // Accessed and dirty are the processor's to set; we may set them first.
            let hardware = (PageTableFlags::ACCESSED | PageTableFlags::DIRTY | PageTableFlags::GLOBAL).bits();
            assert_eq!(found & !hardware, (FRAME.number() * PAGE_BYTES) | flags.bits(), "{level:?} {attributes:?}");
        }
    }
}
