//! The RAM of a machine that stands still, as a file.
//!
//! Frames outside RAM read as nothing; a table there is what the walk of a broken root would meet.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use codegen::plan::Plan;
use paging::{Entry, Frame, FrameRange, Index, PAGE_BYTES, TableAccess};

use crate::failure::Failure;

/// A page.
pub(super) type Page = [u8; 4096];

/// RAM, bank by bank, in the order of addresses: as QEMU's AArch64 machines lay it out in their file.
pub(super) struct Dump {
    file: File,
    banks: Vec<FrameRange>,
    tables: HashMap<u64, Page>,
    /// The last table that a walk asked for and that is not in RAM.
    pub(super) outside: Option<Frame>,
}

impl Dump {
    /// Opens the file of a machine that was built from `plan`.
    pub(super) fn open(path: &Path, plan: &Plan) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| Failure::file("open", path, &error))?;
        let banks = plan.board.memory.banks.iter().map(|bank| bank.frames).collect();
        Ok(Self { file, banks, tables: HashMap::new(), outside: None })
    }

    /// Whether all of these frames are RAM.
    pub(super) fn holds(&self, frames: FrameRange) -> bool {
        self.banks.iter().any(|bank| bank.contains_range(frames))
    }

    /// One page, or nothing where there is no RAM.
    pub(super) fn page(&self, frame: Frame) -> Option<Page> {
        let mut page = [0; PAGE_BYTES as usize];
        self.file.read_exact_at(&mut page, self.offset(frame)?).ok()?;
        Some(page)
    }

    /// Calls `each` with every page of RAM.
    pub(super) fn each_page(&self, mut each: impl FnMut(Frame, &[u8])) -> Result<(), Failure> {
        /// Pages read at once.
        const PAGES: u64 = 256;
        let failed = |error| Failure::Run(format!("the machine's RAM cannot be read: {error}"));
        let mut bytes = vec![0; (PAGES * PAGE_BYTES) as usize];
        let mut offset = 0;
        for bank in &self.banks {
            for first in (0..bank.frames).step_by(PAGES as usize) {
                let pages = PAGES.min(bank.frames - first);
                let part = &mut bytes[..(pages * PAGE_BYTES) as usize];
                self.file.read_exact_at(part, offset + first * PAGE_BYTES).map_err(failed)?;
                for (number, page) in part.chunks(PAGE_BYTES as usize).enumerate() {
                    each(bank.first.add(first + number as u64), page);
                }
            }
            offset += bank.bytes();
        }
        Ok(())
    }

    fn offset(&self, frame: Frame) -> Option<u64> {
        let mut offset = 0;
        for bank in &self.banks {
            if bank.contains(frame) {
                return Some(offset + (frame.number() - bank.first.number()) * PAGE_BYTES);
            }
            offset += bank.bytes();
        }
        None
    }
}

impl TableAccess for Dump {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        if !self.tables.contains_key(&table.number()) {
            match self.page(table) {
                Some(page) => drop(self.tables.insert(table.number(), page)),
                None => {
                    self.outside = Some(table);
                    return Entry::INVALID;
                }
            }
        }
        let at = index.get() * size_of::<u64>();
        let bytes = self.tables.get(&table.number()).and_then(|page| page.get(at..at + size_of::<u64>()));
        let entry = bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        entry.map_or(Entry::INVALID, Entry::new)
    }

    fn write(&mut self, _table: Frame, _index: Index, _entry: Entry) {
        // A machine under audit is never changed: the walker has no reason to write.
    }
}
