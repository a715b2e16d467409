//! How this crate reaches tables: through whoever knows where their bytes are.
//!
//! Implementors decide how a frame becomes readable (a static array, a window, a dump file).

use crate::frame::Frame;
use crate::level::Index;
use crate::table::Entry;

/// Reads and writes entries of tables named by frame.
pub trait TableAccess {
    /// Reads one entry.
    fn read(&mut self, table: Frame, index: Index) -> Entry;

    /// Writes one entry. A table walker sees writes in the order in which they were made: the
    /// mapper fills a table first and links it last.
    fn write(&mut self, table: Frame, index: Index, entry: Entry);
}

/// Where tables come from and go to.
pub trait TableSource {
    /// A frame of zeroes that nobody else uses; `None` when there is none left.
    fn allocate(&mut self) -> Option<Frame>;

    /// Takes back a table. Its entries are all invalid and no table links to it any more.
    fn free(&mut self, table: Frame);
}
