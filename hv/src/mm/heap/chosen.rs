//! All policies in one image, for boards whose boot command line may choose.
//!
//! Chosen once, when the value is made; boards that fix their policy use that policy's own type instead.

use core::fmt;

use paging::{Frame, VirtAddr};

use super::{Backing, Chunk, Full, Ground, HeapError, NoWindow, OnDemand};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::here::{Here, Reach};
use crate::mm::space::{BootTables, SizeChanges, SpaceError};

/// What is mapped when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All RAM, always.
    Full,
    /// Heap pages, in the window, while they are allocated.
    OnDemand,
    /// Heap pages, in an area of their own, while they are allocated.
    None,
}

impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Full => "full",
            Self::OnDemand => "on-demand",
            Self::None => "none",
        })
    }
}

/// One of them.
#[derive(Debug)]
pub enum Chosen {
    /// Policy `full`.
    Full(Full),
    /// Policy `on-demand`.
    OnDemand(OnDemand),
    /// Policy `none`.
    None(NoWindow),
}

impl Chosen {
    /// Which one.
    pub fn policy(&self) -> Policy {
        match self {
            Self::Full(_) => Policy::Full,
            Self::OnDemand(_) => Policy::OnDemand,
            Self::None(_) => Policy::None,
        }
    }
}

impl Backing for Chosen {
    fn begin(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        ground: &Ground<'_>,
        chosen: Policy,
    ) -> Result<Self, SpaceError> {
        Ok(match chosen {
            Policy::Full => Self::Full(Full::new(here, boot, ground.space, ground.window, ground.ram)?),
            Policy::OnDemand => Self::OnDemand(OnDemand::begin(here, boot, ground, chosen)?),
            Policy::None => Self::None(NoWindow::begin(here, boot, ground, chosen)?),
        })
    }

    fn kept_pages(&self) -> u64 {
        match self {
            Self::Full(backing) => backing.kept_pages(),
            Self::OnDemand(backing) => backing.kept_pages(),
            Self::None(backing) => backing.kept_pages(),
        }
    }

    fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<VirtAddr, HeapError> {
        match self {
            Self::Full(backing) => backing.map(here, domain, chunk),
            Self::OnDemand(backing) => backing.map(here, domain, chunk),
            Self::None(backing) => backing.map(here, domain, chunk),
        }
    }

    fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<(), SpaceError> {
        match self {
            Self::Full(backing) => backing.unmap(here, domain, chunk),
            Self::OnDemand(backing) => backing.unmap(here, domain, chunk),
            Self::None(backing) => backing.unmap(here, domain, chunk),
        }
    }

    fn address_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        frame: Frame,
    ) -> Option<VirtAddr> {
        match self {
            Self::Full(backing) => backing.address_of(here, domain, frame),
            Self::OnDemand(backing) => backing.address_of(here, domain, frame),
            Self::None(backing) => backing.address_of(here, domain, frame),
        }
    }

    fn frame_of(&self, here: &Here<'_, impl Machine, impl Reach>, domain: &DomainHeap, at: VirtAddr) -> Option<Frame> {
        match self {
            Self::Full(backing) => backing.frame_of(here, domain, at),
            Self::OnDemand(backing) => backing.frame_of(here, domain, at),
            Self::None(backing) => backing.frame_of(here, domain, at),
        }
    }

    fn size_changes(&self) -> SizeChanges {
        match self {
            Self::Full(backing) => backing.size_changes(),
            Self::OnDemand(backing) => backing.size_changes(),
            Self::None(backing) => backing.size_changes(),
        }
    }
}
