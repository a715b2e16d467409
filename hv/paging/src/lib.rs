//! Page tables as values: typed addresses, levels, entry formats, one walker and one mapper.
//!
//! Pure `no_std` vocabulary with four kinds of user: a generator builds static tables with it, a
//! hypervisor edits live ones, checkers read images and memory dumps, tests simulate an MMU. It
//! never touches memory, registers or barriers itself: tables are reached through [`TableAccess`],
//! and what must be invalidated is reported to the caller.
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod frame;
mod level;
mod table;
mod format;
mod access;
mod walk;
mod visit;
mod map;
mod unmap;
mod request;

pub use access::{TableAccess, TableSource};
pub use addr::{InputAddress, Ipa, PAGE_BYTES, PhysAddr, VirtAddr};
pub use format::attributes::{GuestAccess, GuestAttributes, HostAccess, HostAttributes, Memory};
pub use format::el2::El2;
pub use format::ept::Ept;
pub use format::long_mode::LongMode;
pub use format::npt::Npt;
pub use format::physical_size::PhysicalSize;
pub use format::stage2::Stage2;
pub use format::{Decoded, Format};
pub use frame::{Frame, FrameRange};
pub use level::{Index, Level};
pub use map::{MapError, Mapper};
pub use table::{ENTRIES, Entry, Table};
pub use unmap::Removed;
pub use visit::{Unknown, Visit, for_each_entry, for_each_leaf};
pub use walk::{Leaf, Root, Step, Translation, Walk, translate, walk};
