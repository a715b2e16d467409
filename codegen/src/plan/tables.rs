//! The static tables: built with the mapper that edits live ones, then read back as data.
//!
//! Writes no entry by hand except links between tables that must exist while they are empty.

use std::collections::BTreeMap;

use paging::{
    Decoded, El2, Entry, Format, Frame, HostAttributes, Index, Level, LongMode, MapError, Mapper, Root, TableAccess,
    TableSource, VirtAddr,
};

use super::parts::{Mapping, PlannedEntry, PlannedTable, RootKind};
use crate::model::Arch;

/// Where the tables that every plan has lie among the static tables.
pub(super) mod index {
    pub(in crate::plan) const BOOT_ROOT: usize = 0;
    pub(super) const HYPERVISOR_L1: usize = 1;
    pub(super) const HYPERVISOR_L2: usize = 2;
    pub(super) const IMAGE: usize = 3;
    pub(in crate::plan) const WINDOWS: usize = 4;
    pub(in crate::plan) const PRIVATE_L1: usize = 5;
    pub(in crate::plan) const PRIVATE_L2: usize = 6;
    pub(in crate::plan) const PRIVATE_L3: usize = 7;
    pub(in crate::plan) const TURN_ON_ROOT: usize = 8;
    pub(in crate::plan) const FIXED: usize = 9;
}

/// What the tables must say.
pub(super) struct Request<'a> {
    /// Entry formats.
    pub(super) arch: Arch,
    /// Frame of table 0; the others follow.
    pub(super) first: Frame,
    /// First byte of the image window.
    pub(super) image: VirtAddr,
    /// First byte of the private area.
    pub(super) private: VirtAddr,
    /// First bytes of the top-level entries of the directmap window that need a table though nothing is mapped.
    pub(super) directmap: &'a [VirtAddr],
    /// The leaves.
    pub(super) mappings: &'a [Mapping],
}

/// Tables in memory; frame `first + k` is table `k`.
struct Arena {
    first: Frame,
    tables: Vec<[Entry; 512]>,
}

impl Arena {
    fn slot(&self, table: Frame) -> usize {
        (table.number() - self.first.number()) as usize
    }

    fn frame(&self, table: usize) -> Frame {
        self.first.add(table as u64)
    }

    fn link<F: Format>(&mut self, table: usize, index: Index, to: usize) {
        let to = F::table(self.frame(to));
        let table = self.frame(table);
        self.write(table, index, to);
    }
}

impl TableAccess for Arena {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        let slot = self.slot(table);
        self.tables[slot][index.get()]
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        let slot = self.slot(table);
        self.tables[slot][index.get()] = entry;
    }
}

/// Hands out the frames behind the arena's last table. The mapper asks before it writes, so the
/// arena is grown first and cut afterwards.
struct Supply {
    next: Frame,
    end: Frame,
}

impl TableSource for Supply {
    fn allocate(&mut self) -> Option<Frame> {
        let frame = self.next;
        (frame < self.end).then(|| {
            self.next = frame.add(1);
            frame
        })
    }

    /// Frees come back only when a request fails; the plan is dropped then.
    fn free(&mut self, _frame: Frame) {}
}

/// Builds the tables; the error names what meets what.
pub(super) fn build(request: &Request<'_>) -> Result<Vec<PlannedTable>, String> {
    match request.arch {
        Arch::Aarch64 => Builder::<El2>::build(request),
        Arch::X86_64 => Builder::<LongMode>::build(request),
    }
}

struct Builder<F> {
    arena: Arena,
    format: std::marker::PhantomData<F>,
}

impl<F: Format<Input = VirtAddr, Attributes = HostAttributes>> Builder<F> {
    fn build(request: &Request<'_>) -> Result<Vec<PlannedTable>, String> {
        let mut builder = Builder::<F> {
            arena: Arena { first: request.first, tables: vec![[Entry::INVALID; 512]; index::FIXED] },
            format: std::marker::PhantomData,
        };
        builder.link_fixed(request);
        builder.link_directmap(request.directmap);
        for mapping in request.mappings {
            builder.map(mapping).map_err(|error| format!("{}: {error}", mapping.region))?;
        }
        Ok(builder.read_back())
    }

    /// Tables that exist whatever is mapped: shared by all roots, or windows that are empty at first.
    fn link_fixed(&mut self, request: &Request<'_>) {
        let windows = VirtAddr::new(request.image.get() + Level::L2.entry_bytes());
        let (image, private) = (request.image, request.private);
        let links = [
            (index::BOOT_ROOT, image.index(Level::L0), index::HYPERVISOR_L1),
            (index::TURN_ON_ROOT, image.index(Level::L0), index::HYPERVISOR_L1),
            (index::HYPERVISOR_L1, image.index(Level::L1), index::HYPERVISOR_L2),
            (index::HYPERVISOR_L2, image.index(Level::L2), index::IMAGE),
            (index::HYPERVISOR_L2, windows.index(Level::L2), index::WINDOWS),
            (index::BOOT_ROOT, private.index(Level::L0), index::PRIVATE_L1),
            (index::PRIVATE_L1, private.index(Level::L1), index::PRIVATE_L2),
            (index::PRIVATE_L2, private.index(Level::L2), index::PRIVATE_L3),
        ];
        for (table, at, to) in links {
            self.arena.link::<F>(table, at, to);
        }
    }

    /// Empty level-1 tables: root entries that all CPUs share exist before the second CPU starts.
    fn link_directmap(&mut self, slots: &[VirtAddr]) {
        for slot in slots {
            let table = self.arena.tables.len();
            self.arena.tables.push([Entry::INVALID; 512]);
            self.arena.link::<F>(index::BOOT_ROOT, slot.index(Level::L0), table);
        }
    }

    fn map(&mut self, mapping: &Mapping) -> Result<(), MapError<F>> {
        let root = match mapping.root {
            RootKind::BootCpu => index::BOOT_ROOT,
            RootKind::TurnOn => index::TURN_ON_ROOT,
        };
        let used = self.arena.tables.len();
        // Only the directmap maps more than a table of pages, and there addresses and frames are aligned alike:
        // a level-2 and a level-3 table at each end, level-1 tables between.
        let most = 8 + mapping.frames.frames / Level::L1.table_frames();
        self.arena.tables.resize(used + most as usize, [Entry::INVALID; 512]);
        let mut supply = Supply { next: self.arena.frame(used), end: self.arena.frame(used + most as usize) };
        let mapper = Mapper::<F>::new(Root::new(self.arena.frame(root), Level::L0));
        let result = mapper.map(&mut self.arena, &mut supply, mapping.at, mapping.frames, mapping.attributes);
        let used = self.arena.slot(supply.next);
        self.arena.tables.truncate(used);
        result
    }

    /// The tables as data, in the order of their frames.
    fn read_back(mut self) -> Vec<PlannedTable> {
        let mut found: BTreeMap<usize, (String, Level)> = BTreeMap::new();
        for (root, name) in [(index::BOOT_ROOT, "boot root"), (index::TURN_ON_ROOT, "turn-on root")] {
            self.discover(root, name.to_owned(), Level::L0, None, &mut found);
        }
        let mut tables = Vec::new();
        for (slot, (name, level)) in found {
            let frame = self.arena.frame(slot);
            let entries = Index::all().filter_map(|at| Some((at, self.entry(frame, level, at)?))).collect();
            tables.push(PlannedTable { name, frame, level, entries });
        }
        tables
    }

    fn entry(&mut self, table: Frame, level: Level, at: Index) -> Option<PlannedEntry> {
        match F::decode(level, self.arena.read(table, at)) {
            Decoded::Invalid | Decoded::Unknown => None,
            Decoded::Table(frame) => Some(PlannedEntry::Table(self.arena.slot(frame))),
            Decoded::Leaf { frame, attributes } => Some(PlannedEntry::Leaf { frame, attributes }),
        }
    }

    /// Names each table after the root that reaches it first and the addresses it serves.
    fn discover(
        &mut self,
        table: usize,
        name: String,
        level: Level,
        at: Option<u64>,
        found: &mut BTreeMap<usize, (String, Level)>,
    ) {
        if found.insert(table, (name.clone(), level)).is_some() {
            return;
        }
        let Some(child) = level.child() else {
            return;
        };
        let frame = self.arena.frame(table);
        for index in Index::all() {
            let Some(PlannedEntry::Table(next)) = self.entry(frame, level, index) else {
                continue;
            };
            if found.contains_key(&next) {
                continue;
            }
            let offset = at.unwrap_or(0) + index.get() as u64 * level.entry_bytes();
            let root = name.split(':').next().unwrap_or(&name);
            let name = format!("{root}: {child:?} of {}", F::input(offset));
            self.discover(next, name, child, Some(offset), found);
        }
    }
}
