//! The image and what is planned behind it: sizes for any load address, then the load address.
//!
//! Decides nothing about domains.

use paging::{Frame, FrameRange, Level, PAGE_BYTES, PhysAddr, VirtAddr};

use super::mappings::{Placed, directmap_slots};
use super::parts::{Access, CpuFrames, Flavour, Mapping, MemoryWindows, PlannedSection, PlannedTable};
use super::tables::{self, index};
use super::windows::{BLOCK_BYTES, VirtualMap};
use crate::model::{Board, Extents, Origin};

/// Frames of a secondary CPU's own tables: root and the private area's three levels.
const CPU_TABLE_FRAMES: u64 = 4;

/// What does not depend on the load address.
pub(super) struct Inputs<'a> {
    pub(super) board: &'a Board,
    pub(super) flavour: Flavour,
    pub(super) map: &'a VirtualMap,
    pub(super) memory: &'a MemoryWindows,
    pub(super) trampoline: Option<Frame>,
}

/// Everything that follows from a load address.
pub(super) struct Draft {
    pub(super) load: PhysAddr,
    pub(super) sections: Vec<PlannedSection>,
    pub(super) cpu_frames: Vec<CpuFrames>,
    pub(super) stacks: FrameRange,
    pub(super) scratch: FrameRange,
    pub(super) secondary_tables: FrameRange,
    pub(super) manifest: Frame,
    pub(super) footprint: FrameRange,
    pub(super) mappings: Vec<Mapping>,
    pub(super) tables: Vec<PlannedTable>,
}

/// The image outgrows its window with this many static tables.
pub(super) struct TooLarge {
    pub(super) tables: u64,
}

/// Cuts frames off the front of what lies behind the load address.
struct Cursor(Frame);

impl Cursor {
    fn take(&mut self, frames: u64) -> FrameRange {
        let range = FrameRange::new(self.0, frames);
        self.0 = range.end();
        range
    }
}

impl Inputs<'_> {
    pub(super) fn extents(&self) -> &Extents {
        match self.flavour {
            Flavour::Release => &self.board.layout.release,
            Flavour::Debug => &self.board.layout.debug,
            Flavour::SelfTest => &self.board.layout.self_test,
        }
    }

    /// Bytes of the image with this many static tables.
    pub(super) fn image_bytes(&self, tables: u64) -> u64 {
        let extents = self.extents();
        let parts = [extents.text.value, extents.rodata.value, tables * PAGE_BYTES, extents.data.value];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Frames of the footprint with this many static tables.
    pub(super) fn footprint_frames(&self, tables: u64) -> u64 {
        let cpus = self.board.cpus.cores.len() as u64;
        let stacks = cpus * self.board.layout.stack_bytes.value;
        let own_tables = cpus.saturating_sub(1) * CPU_TABLE_FRAMES;
        let scratch = cpus * self.map.private.scratch_bytes;
        (self.image_bytes(tables) / PAGE_BYTES) + (stacks + scratch) / PAGE_BYTES + own_tables + 1
    }

    /// Whether an identity page at `frame` would need the top-level entry of the image window.
    pub(super) fn meets_image_window(&self, frame: Frame) -> bool {
        let at = VirtAddr::new(frame.address().get());
        let slot = |at: VirtAddr| at.get() / Level::L0.entry_bytes();
        slot(at) == slot(self.map.image)
    }

    /// Tables and mappings for an image at `load`: built until the section of tables holds them.
    ///
    /// `load` must lie where entries can hold its frames and must not meet the image window.
    pub(super) fn draft(&self, load: PhysAddr) -> Result<Draft, TooLarge> {
        let mut count = index::FIXED;
        loop {
            if self.image_bytes(count as u64) > IMAGE_WINDOW_BYTES {
                return Err(TooLarge { tables: count as u64 });
            }
            let mut draft = self.draft_with(load, count as u64);
            let needed = draft.tables.len();
            if needed <= count {
                // A longer guess may itself have saved a table: the rest stays empty.
                let spare = needed..count;
                let first = Frame::containing(draft.sections[2].base);
                draft.tables.extend(spare.map(|table| PlannedTable {
                    name: "spare".into(),
                    frame: first.add(table as u64),
                    level: Level::L3,
                    entries: Vec::new(),
                }));
                return Ok(draft);
            }
            count = needed;
        }
    }

    fn draft_with(&self, load: PhysAddr, tables: u64) -> Draft {
        let sections = self.sections(load, tables);
        let table_frame = Frame::containing(sections[2].base);
        let image_frames = sections.iter().map(|section| section.bytes).sum::<u64>() / PAGE_BYTES;
        let mut cursor = Cursor(Frame::containing(load));
        cursor.take(image_frames);
        let cpus = self.board.cpus.cores.len() as u64;
        let stacks = cursor.take(cpus * self.board.layout.stack_bytes.value / PAGE_BYTES);
        let scratch = cursor.take(cpus * self.map.private.scratch_bytes / PAGE_BYTES);
        let secondary_tables = cursor.take(cpus.saturating_sub(1) * CPU_TABLE_FRAMES);
        let manifest = cursor.take(1).first;
        let footprint = FrameRange::between(Frame::containing(load), cursor.0);
        let cpu_frames = self.cpu_frames(table_frame, [stacks, scratch], secondary_tables);
        let mappings = Placed {
            board: self.board,
            map: self.map,
            interrupts: self.memory.interrupts,
            sections: &sections,
            footprint,
            boot_cpu: cpu_frames[0],
            manifest,
            trampoline: self.trampoline,
        }
        .mappings();
        let tables = tables::build(&tables::Request {
            arch: self.board.arch,
            first: table_frame,
            image: self.map.image,
            private: self.map.slots.private,
            directmap: &directmap_slots(self.board, self.map),
            mappings: &mappings,
        })
        .expect("windows are disjoint, the load address is one that entries can hold");
        Draft { load, sections, cpu_frames, stacks, scratch, secondary_tables, manifest, footprint, mappings, tables }
    }

    /// Text, rodata, tables and data, one behind the other from `load` and from the image window's start.
    pub(super) fn sections(&self, load: PhysAddr, tables: u64) -> Vec<PlannedSection> {
        let extents = self.extents();
        let parts = [
            ("text", extents.text.value, Access::Execute, extents.text.from),
            ("rodata", extents.rodata.value, Access::Read, extents.rodata.from),
            ("tables", tables * PAGE_BYTES, Access::ReadWrite, Origin::Default),
            ("data", extents.data.value, Access::ReadWrite, extents.data.from),
        ];
        let mut offset = 0;
        let section = |(name, bytes, access, from)| {
            let at = offset;
            offset += bytes;
            PlannedSection {
                name,
                base: PhysAddr::new(load.get() + at),
                link: VirtAddr::new(self.map.image.get() + at),
                bytes,
                access,
                from,
            }
        };
        parts.into_iter().map(section).collect()
    }

    /// The boot CPU's tables are static; the others' lie behind the stacks.
    fn cpu_frames(&self, tables: Frame, [stacks, scratch]: [FrameRange; 2], secondaries: FrameRange) -> Vec<CpuFrames> {
        let stack_frames = self.board.layout.stack_bytes.value / PAGE_BYTES;
        let scratch_frames = self.map.private.scratch_bytes / PAGE_BYTES;
        let cpus = self.board.cpus.cores.len() as u64;
        let table = |slot: usize| tables.add(slot as u64);
        (0..cpus)
            .map(|cpu| {
                let stack = stacks.first.add(cpu * stack_frames);
                let scratch = scratch.first.add(cpu * scratch_frames);
                match cpu.checked_sub(1) {
                    None => CpuFrames {
                        root: table(index::BOOT_ROOT),
                        private_l1: table(index::PRIVATE_L1),
                        private_l2: table(index::PRIVATE_L2),
                        private_l3: table(index::PRIVATE_L3),
                        stack,
                        scratch,
                    },
                    Some(secondary) => {
                        let root = secondaries.first.add(secondary * CPU_TABLE_FRAMES);
                        CpuFrames {
                            root,
                            private_l1: root.add(1),
                            private_l2: root.add(2),
                            private_l3: root.add(3),
                            stack,
                            scratch,
                        }
                    }
                }
            })
            .collect()
    }
}

/// The largest image that one table of pages maps.
pub(super) const IMAGE_WINDOW_BYTES: u64 = BLOCK_BYTES;
