//! What an address leads to on the calling CPU: by its processor, and by the tables below its loaded root.
//!
//! Faults nowhere. Not for addresses of devices, whose registers may act on a load.

use core::fmt;

use paging::{Frame, HostAccess, Leaf, PhysAddr, Translation, VirtAddr};

use crate::arch::this::{self, GuestRegime, HostFormat};
use crate::mm::guest_walk::GuestVirt;
use crate::self_test::live;

/// What the processor says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// A load came back.
    pub readable: bool,
    /// A store would.
    pub writable: bool,
    /// The frame, where an instruction tells it and the tables have one.
    pub frame: Option<Frame>,
}

/// A processor's own walk of a guest's tables: the VMID, the root of ours, the guest's registers, its address.
pub type GuestWalk = fn(u16, Frame, &GuestRegime, GuestVirt) -> Option<PhysAddr>;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Nothing, by processor and tables.
    NoTranslation,
    /// A frame, the same by processor and tables.
    Page {
        /// Which one.
        frame: Frame,
        /// Whether the processor would store to it.
        writable: bool,
        /// Whether its entry lets it be executed.
        executable: bool,
    },
    /// Processor and tables disagree: a translation is remembered, or an entry is none of the format's.
    Torn,
}

/// Looks at `at` on the calling CPU.
pub(super) fn here(at: VirtAddr) -> Probe {
    let found = paging::walk::<HostFormat>(&mut live::Tables, live::root(), at).result;
    let sight = this::probe::look(at);
    match found {
        Translation::Leaf(leaf) => agree(&leaf, at, sight),
        Translation::Invalid | Translation::OutOfRange if !sight.readable && sight.frame.is_none() => {
            Probe::NoTranslation
        }
        Translation::Invalid | Translation::OutOfRange | Translation::Unknown => Probe::Torn,
    }
}

fn agree(leaf: &Leaf<HostFormat>, at: VirtAddr, sight: Sight) -> Probe {
    let page = at.get() % leaf.level.entry_bytes() / paging::PAGE_BYTES;
    let frame = leaf.frame.add(page);
    let access = leaf.attributes.access;
    let same_frame = sight.frame.is_none_or(|seen| seen == frame);
    if !sight.readable || !same_frame || sight.writable != (access == HostAccess::ReadWrite) {
        return Probe::Torn;
    }
    Probe::Page { frame, writable: sight.writable, executable: access == HostAccess::Execute }
}

/// Bits of an encoded probe: kind, then what may be done, then the frame's number.
const KIND: u64 = 0b11;
const KIND_NONE: u64 = 0;
const KIND_PAGE: u64 = 1;
const KIND_TORN: u64 = 2;
const WRITABLE: u64 = 1 << 2;
const EXECUTABLE: u64 = 1 << 3;
const FRAME_SHIFT: u32 = 4;

impl Probe {
    /// As the answer to a request.
    pub(super) fn encode(self) -> u64 {
        match self {
            Self::NoTranslation => KIND_NONE,
            Self::Torn => KIND_TORN,
            Self::Page { frame, writable, executable } => {
                let writable = if writable { WRITABLE } else { 0 };
                let executable = if executable { EXECUTABLE } else { 0 };
                KIND_PAGE | writable | executable | frame.number() << FRAME_SHIFT
            }
        }
    }

    /// From the answer to a request.
    pub(super) fn decode(bits: u64) -> Self {
        match bits & KIND {
            KIND_NONE => Self::NoTranslation,
            KIND_PAGE => Self::Page {
                frame: Frame::new(bits >> FRAME_SHIFT),
                writable: bits & WRITABLE != 0,
                executable: bits & EXECUTABLE != 0,
            },
            _ => Self::Torn,
        }
    }

    /// Whether it is a page at all.
    pub(super) fn is_page(self) -> bool {
        matches!(self, Self::Page { .. })
    }

    /// Whether it is a page of `frame`.
    pub(super) fn shows(self, wanted: Frame) -> bool {
        matches!(self, Self::Page { frame, .. } if frame == wanted)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTranslation => out.write_str("no translation"),
            Self::Torn => out.write_str("one thing by the processor, another by the tables"),
            Self::Page { frame, writable, executable } => {
                let (w, x) = (if *writable { "w" } else { "-" }, if *executable { "x" } else { "-" });
                write!(out, "{frame} r{w}{x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Probe;
    use paging::Frame;

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let page = |writable, executable| Probe::Page { frame: Frame::new(0xf_ffff_ffff), writable, executable };
        for probe in [Probe::NoTranslation, Probe::Torn, page(false, false), page(true, false), page(false, true)] {
            assert_eq!(Probe::decode(probe.encode()), probe);
        }
    }
}
