//! Entry and exit pages: what code that enters or leaves a guest reads and writes, at one address for each vCPU.
//!
//! That code may map nothing, so its pages are there from the vCPU's creation to its destruction, in sight of the CPUs
//! that have the domain loaded and of no other. What they held is wiped before their frames are given away.

use paging::{Frame, FrameRange, HostAccess, VirtAddr};

use super::{AreaError, DomainArea};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::Order;
use crate::mm::here::Here;
use crate::mm::mapcache::View;

/// One of a vCPU's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcpuPage {
    /// The guest's general and floating-point registers.
    Registers,
    /// What the processor or the hypervisor keeps of it besides: VMCB or VMCS, or the state of the virtual GIC.
    Control,
    /// The root of the tables that translate the guest's memory, to be read.
    RootAlias,
}

impl VcpuPage {
    /// All of them, in the order of their addresses.
    pub const ALL: [Self; 3] = [Self::Registers, Self::Control, Self::RootAlias];

    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Registers => 0,
            Self::Control => 1,
            Self::RootAlias => 2,
        }
    }

    const fn access(self) -> HostAccess {
        match self {
            Self::Registers | Self::Control => HostAccess::ReadWrite,
            Self::RootAlias => HostAccess::Read,
        }
    }
}

impl DomainArea {
    /// vCPUs that have pages: numbers below this one.
    pub fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// Where a vCPU has a page, or would have.
    pub fn vcpu_page(&self, vcpu: u32, page: VcpuPage) -> VirtAddr {
        self.layout.vcpu_page(vcpu, page)
    }

    /// Makes the pages of the next vCPU, of zeroes, whose guest's tables begin at `root`; returns its number.
    ///
    /// # Errors
    /// It has no pages, and every frame is back.
    pub fn add_vcpu<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        root: Frame,
    ) -> Result<u32, AreaError> {
        const { assert!(VcpuPage::ALL.len() == 3, "numbers follow the order of ALL") };
        assert!(VcpuPage::ALL.len() < self.layout.vcpu_pages as usize, "the plan keeps a page between vCPUs unmapped");
        let vcpu = self.vcpus;
        for (made, page) in VcpuPage::ALL.into_iter().enumerate() {
            if let Err(error) = self.add_page(here, heap, vcpu, page, root) {
                VcpuPage::ALL.into_iter().take(made).for_each(|page| self.remove_page(here, heap, vcpu, page));
                return Err(error);
            }
        }
        self.vcpus += 1;
        Ok(vcpu)
    }

    /// Takes the pages of the vCPU with the highest number away; `None` when there is none.
    pub fn remove_last_vcpu<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
    ) -> Option<u32> {
        let vcpu = self.vcpus.checked_sub(1)?;
        VcpuPage::ALL.into_iter().for_each(|page| self.remove_page(here, heap, vcpu, page));
        self.vcpus = vcpu;
        Some(vcpu)
    }

    fn add_page<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        vcpu: u32,
        page: VcpuPage,
        root: Frame,
    ) -> Result<(), AreaError> {
        let own = match page {
            VcpuPage::Registers | VcpuPage::Control => {
                let frame = heap.allocate(here, Order::FRAME, self.id.owner, self.id.node);
                Some(frame.map_err(|_| AreaError::OutOfFrames)?)
            }
            VcpuPage::RootAlias => None,
        };
        own.into_iter().for_each(|frame| wipe(here, frame));
        let frames = FrameRange::new(own.unwrap_or(root), 1);
        let mapped = self.map(here, heap, self.vcpu_page(vcpu, page), frames, page.access());
        mapped.inspect_err(|_| own.into_iter().for_each(|frame| self.give_back(here, heap, frame)))
    }

    fn remove_page<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        vcpu: u32,
        page: VcpuPage,
    ) {
        let mut frame = None;
        self.unmap(here, heap, self.vcpu_page(vcpu, page), 1, |frames| frame = Some(frames.first))
            .expect("add_page has mapped exactly this page, and only this function unmaps it");
        if page != VcpuPage::RootAlias {
            frame.into_iter().for_each(|frame| self.give_back(here, heap, frame));
        }
    }

    fn give_back<M: Machine, const SLOTS: usize>(
        &self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        frame: Frame,
    ) {
        wipe(here, frame);
        here.released(FrameRange::new(frame, 1));
        heap.free(here, frame, Order::FRAME, self.id.owner).expect("add_page took it for this domain");
    }
}

fn wipe<M: Machine, const SLOTS: usize>(here: &mut Here<'_, M, View<'_, M, SLOTS>>, frame: Frame) {
    here.reach.map_foreign(frame).expect("wiping a page holds one slot, and the planner left room for it").scrub();
}
