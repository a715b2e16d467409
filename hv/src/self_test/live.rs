//! Everything that the calling CPU's loaded root translates, leaf by leaf, and what the plan says of each.
//!
//! Reads tables, writes none. Tables that have no address are mapped by the map cache for one read each, and no walk finds
//! that mapping: the table that holds it is read through its alias, with nothing mapped.

use core::ops::ControlFlow;

use paging::{Entry, Frame, FrameRange, HostAccess, Index, Leaf, Level, Memory, Root, TableAccess, VirtAddr, Visit};

use crate::arch::this::{self, HostFormat};
use crate::board::types::Access;
use crate::board::{self, CPU_FRAMES, PRIVATE, SECTIONS, tables};
use crate::image;
use crate::mm::mapcache::{self, Context};

/// Tables of the running machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables;

impl TableAccess for Tables {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        if let Some(number) = tables::FRAMES.iter().position(|frame| *frame == table) {
            return image::table(number).load(index);
        }
        let own = CPU_FRAMES[this::cpu::index().get()];
        if table == own.private_l2 {
            return word(PRIVATE.scrub_table, index);
        }
        if table == own.private_l3 {
            return word(PRIVATE.mapcache_table, index);
        }
        let mut cache = mapcache::here().enter(Context::Idle).expect("no row runs where nothing can be masked");
        cache.read(table, index)
    }

    fn write(&mut self, _table: Frame, _index: Index, _entry: Entry) {
        panic!("a walk changes nothing");
    }
}

fn word(page: VirtAddr, index: Index) -> Entry {
    let at = VirtAddr::new(page.get() + (index.get() * size_of::<Entry>()) as u64);
    Entry::new(this::probe::load(at).expect("a table that was just mapped can be read"))
}

/// The root that the calling CPU has loaded.
pub(super) fn root() -> Root {
    Root::new(this::probe::root(), Level::L0)
}

/// What a root holds for an address.
pub(super) type Found = Visit<HostFormat>;

/// How many leaves and unreadable entries below `root` are of a kind.
pub(super) fn count(root: Root, is: impl Fn(&Found) -> bool) -> u64 {
    let mut count = 0;
    let end: ControlFlow<()> = paging::for_each_entry(&mut Tables, root, |found: Found| {
        count += u64::from(is(&found));
        ControlFlow::Continue(())
    });
    assert!(end.is_continue(), "nobody stops the walk");
    count
}

/// Answer of [`pages`] where a table holds what the format does not have.
pub(super) const UNREADABLE: u64 = u64::MAX;

/// Pages of a class below `root`.
pub(super) fn pages(root: Root, class: Class) -> u64 {
    let mut pages = 0;
    let all = paging::for_each_leaf(&mut Tables, root, |leaf: Leaf<HostFormat>| {
        if class_of(&leaf) == Some(class) {
            pages += leaf.level.entry_frames();
        }
    });
    if all.is_ok() { pages } else { UNREADABLE }
}

/// What a leaf is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Code.
    Code,
    /// Constants and what is only read.
    Constants,
    /// Variables, tables, stacks.
    Data,
    /// Device registers.
    Device,
    /// An entry of a window, mapped at run time.
    Window,
}

impl Class {
    pub(super) const ALL: [Self; 5] = [Self::Code, Self::Constants, Self::Data, Self::Device, Self::Window];
}

/// The class of a leaf; `None` where the plan has no such leaf.
pub(super) fn class_of(leaf: &Leaf<HostFormat>) -> Option<Class> {
    let region = board::region(leaf.at)?;
    let last = VirtAddr::new(leaf.at.get() + (leaf.level.entry_bytes() - 1));
    if last.get() - region.base.get() >= region.bytes {
        return None;
    }
    let (access, memory) = (leaf.attributes.access, leaf.attributes.memory);
    match (region.access, access, memory) {
        (Access::Execute, HostAccess::Execute, Memory::Normal) => Some(Class::Code),
        (Access::Read, HostAccess::Read, Memory::Normal) => Some(Class::Constants),
        (Access::ReadWrite, HostAccess::ReadWrite, Memory::Normal) => Some(Class::Data),
        (Access::Device, HostAccess::ReadWrite, Memory::Device) => Some(Class::Device),
        (Access::Window, HostAccess::Read | HostAccess::ReadWrite, _) => Some(Class::Window),
        (Access::Guard, ..) | (Access::Execute | Access::Read | Access::ReadWrite, ..) => None,
        (Access::Device | Access::Window, ..) => None,
    }
}

/// Whether the plan has no such entry.
pub(super) fn is_unplanned(found: &Found) -> bool {
    match found {
        Visit::Table { .. } => false,
        Visit::Leaf(leaf) => class_of(leaf).is_none(),
        Visit::Unknown(_) => true,
    }
}

/// Whether a translation ends where it begins.
pub(super) fn is_identity(found: &Found) -> bool {
    matches!(found, Visit::Leaf(leaf) if leaf.at.get() == leaf.frame.address().get())
}

/// Whether it leads to one of `frames`.
pub(super) fn leads_to(found: &Found, frames: FrameRange) -> bool {
    matches!(found, Visit::Leaf(leaf) if FrameRange::new(leaf.frame, leaf.level.entry_frames()).intersects(frames))
}

/// Whether code could be written through it: it is executable and no code of the image, or shows that code writable,
/// or is no entry of the format, which has none that are both.
pub(super) fn is_writable_code(found: &Found) -> bool {
    // What the section leaves of its extent is free RAM, and no code.
    let text = FrameRange::between(Frame::containing(SECTIONS[0].base), image::slack(&SECTIONS[0]).frames.first);
    match found {
        Visit::Table { .. } => false,
        Visit::Leaf(leaf) => {
            let frames = FrameRange::new(leaf.frame, leaf.level.entry_frames());
            match leaf.attributes.access {
                HostAccess::Execute => !text.contains_range(frames),
                HostAccess::Read => false,
                HostAccess::ReadWrite => text.intersects(frames),
            }
        }
        Visit::Unknown(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, class_of, is_identity, is_unplanned, is_writable_code};
    use crate::arch::this::HostFormat;
    use crate::board::types::Access;
    use crate::board::{REGIONS, SECTIONS};
    use paging::{Entry, Frame, HostAccess, HostAttributes, Leaf, Level, Memory, VirtAddr, Visit};

    const NORMAL_DATA: HostAttributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);

    fn region(access: Access) -> VirtAddr {
        REGIONS.iter().find(|region| region.access == access).expect("the model board has one").base
    }

    fn leaf(at: VirtAddr, frame: Frame, attributes: HostAttributes) -> Leaf<HostFormat> {
        Leaf { at, level: Level::L3, frame, attributes }
    }

    #[test]
    fn a_leaf_is_of_its_regions_class_or_of_none() {
        let class = |access, attributes| class_of(&leaf(region(access), Frame::new(1), attributes));
        assert_eq!(class(Access::ReadWrite, NORMAL_DATA), Some(Class::Data));
        assert_eq!(class(Access::Window, NORMAL_DATA), Some(Class::Window));
        for access in [Access::Execute, Access::Read, Access::Device, Access::Guard] {
            assert_eq!(class(access, NORMAL_DATA), None, "{access:?}");
        }
    }

    #[test]
    fn a_leaf_that_outgrows_its_region_is_of_no_class() {
        let mut block = leaf(region(Access::ReadWrite), Frame::new(512), NORMAL_DATA);
        block.level = Level::L2;
        assert!(is_unplanned(&Visit::Leaf(block)));
    }

    #[test]
    fn text_shown_writable_is_found() {
        let text = Frame::containing(SECTIONS[0].base);
        let shown = |frame, access| {
            let attributes = HostAttributes::new(access, Memory::Normal);
            is_writable_code(&Visit::Leaf(leaf(VirtAddr::new(0x1000), frame, attributes)))
        };
        assert!(shown(text, HostAccess::ReadWrite));
        assert!(!shown(text, HostAccess::Execute));
        assert!(!shown(text, HostAccess::Read));
        assert!(shown(Frame::new(1), HostAccess::Execute), "code that is no text");
        let at = VirtAddr::new(0x1000);
        let unknown = paging::Unknown { at, level: Level::L3, table: Frame::new(2), entry: Entry::new(u64::MAX) };
        assert!(is_writable_code(&Visit::Unknown(unknown)));
    }

    #[test]
    fn identity_is_the_same_address_on_both_sides() {
        let page = |at| is_identity(&Visit::Leaf(leaf(VirtAddr::new(at), Frame::new(0x4_0200), NORMAL_DATA)));
        assert!(page(0x4020_0000));
        assert!(!page(0x4020_1000));
    }
}
