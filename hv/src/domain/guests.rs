//! What the ABI keeps of each domain: ports, grants, and where the pages lie that it shares with the hypervisor.
//!
//! The pages are the domain's own memory: it may write anything there at any time, and whatever it writes is checked.
//! One lock for all domains, since most calls of interest are about two of them.

use arrayvec::ArrayVec;
use paging::{Frame, Index, Ipa, PAGE_BYTES};

use super::console_ring::Ring;
use super::events::Events;
use super::grants::{FRAMES, Grants};
use super::world::{DomainNumber, World};
use crate::arch::this;
use crate::board::DOMAINS;
use crate::mm::mapcache::Exhausted;
use crate::sync::{Guard, PolledLock};

/// Domains at most: the plan's; tests make some of their own.
pub const GUESTS: usize = if cfg!(test) { 3 } else { DOMAINS.len() };

/// vCPUs of a domain at most.
pub const VCPUS: usize = if cfg!(test) { 2 } else { most_vcpus() };

const fn most_vcpus() -> usize {
    let (mut most, mut at) = (1, 0);
    while at < DOMAINS.len() {
        if DOMAINS[at].vcpus as usize > most {
            most = DOMAINS[at].vcpus as usize;
        }
        at += 1;
    }
    most
}

/// Where things are in `shared_info`, which differs by architecture. Xen, public/xen.h, `struct shared_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLayout {
    /// vCPUs that have their `vcpu_info` here at first; the others have none.
    pub vcpus: usize,
    /// Words of each.
    pub vcpu_words: usize,
    /// First word of `evtchn_pending`.
    pub pending: usize,
    /// First word of `evtchn_mask`.
    pub mask: usize,
}

impl SharedLayout {
    /// `XEN_LEGACY_MAX_VCPUS` 1, `struct arch_vcpu_info` empty. Xen, public/arch-arm.h.
    pub const AARCH64: Self = Self { vcpus: 1, vcpu_words: 6, pending: 6, mask: 70 };
    /// `XEN_LEGACY_MAX_VCPUS` 32, `struct arch_vcpu_info` two words. Xen, public/arch-x86/xen.h.
    pub const X86_64: Self = Self { vcpus: 32, vcpu_words: 8, pending: 256, mask: 320 };
}

/// This machine's.
pub const SHARED: SharedLayout = this::SHARED_INFO;

/// Where a vCPU's `vcpu_info` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuInfo {
    /// Its page.
    pub frame: Frame,
    /// Its first word.
    pub word: Index,
    /// Whether the guest chose the place.
    pub registered: Registered,
}

/// Whether `VCPUOP_register_vcpu_info` has moved a `vcpu_info`; it may once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// Yes.
    Yes,
    /// Not yet.
    No,
}

/// Where a domain sees the pages that it has for the ABI from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The console's ring; the page behind it holds `shared_info` until the guest says where it wants it.
    pub ring: Ipa,
    /// [`FRAMES`] pages of grant table.
    pub grants: Ipa,
}

/// Pages from [`Window::ring`] on.
pub const RING_PAGES: u64 = 2;

/// One domain.
#[derive(Debug)]
pub struct Guest {
    /// Its ports.
    pub events: Events,
    /// Its grants, and what it has mapped of others'.
    pub grants: Grants,
    /// The page of `shared_info`.
    pub shared: Frame,
    /// Its vCPUs.
    pub vcpus: ArrayVec<Option<VcpuInfo>, VCPUS>,
    /// Its console's ring, as it knows it.
    pub ring: Ipa,
}

/// All domains.
pub struct Guests {
    /// A domain that is not up has none.
    all: PolledLock<[Option<Guest>; GUESTS]>,
    /// Console rings, each with a lock of its own: printing takes long.
    pub rings: [PolledLock<Option<Ring>>; GUESTS],
}

impl Guests {
    /// None is up.
    pub const fn none() -> Self {
        Self { all: PolledLock::new([const { None }; GUESTS]), rings: [const { PolledLock::new(None) }; GUESTS] }
    }

    /// All domains, for the caller alone.
    #[inline(never)]
    pub fn lock<const SLOTS: usize, W: World<SLOTS>>(&self, _: &W) -> Guard<'_, [Option<Guest>; GUESTS]> {
        self.all.lock(W::wait)
    }

    /// A domain starts, its memory zero but for its images.
    ///
    /// # Errors
    /// Where the page is missing that the plan has in its memory.
    pub fn start<const SLOTS: usize, W: World<SLOTS>>(
        &self,
        world: &W,
        whose: DomainNumber,
        vcpus: u32,
        window: Window,
    ) -> Result<(), Ipa> {
        let frame = |at: Ipa, page: u64| {
            let at = Ipa::new(at.get() + page * PAGE_BYTES);
            world.frame(whose, at).ok_or(at)
        };
        let (ring, shared) = (frame(window.ring, 0)?, frame(window.ring, 1)?);
        let mut grants = [shared; FRAMES];
        for (page, grant) in (0..).zip(&mut grants) {
            *grant = frame(window.grants, page)?;
        }
        let info = |vcpu: usize| {
            let word = Index::new(vcpu * SHARED.vcpu_words);
            (vcpu < SHARED.vcpus).then_some(VcpuInfo { frame: shared, word, registered: Registered::No })
        };
        let vcpus = (0..vcpus as usize).map(info).take(VCPUS).collect();
        let guest = Guest { events: Events::new(), grants: Grants::new(grants), shared, vcpus, ring: window.ring };
        *self.rings[whose.index()].lock(W::wait) = Some(Ring::new(ring));
        self.lock(world)[whose.index()] = Some(guest);
        Ok(())
    }

    /// A domain ends: others lose its frames and its events before its memory is given away.
    pub fn end<const SLOTS: usize, W: World<SLOTS>>(&self, world: &mut W, whose: DomainNumber) {
        let mut all = self.lock(&*world);
        super::events::close_all(world, &mut *all, whose);
        super::grants::revoke(world, &mut *all, whose);
        all[whose.index()] = None;
        drop(all);
        *self.rings[whose.index()].lock(W::wait) = None;
    }
}

/// Moves what is in one of the domain's pages to another one of its pages.
pub(super) fn move_page<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    whose: DomainNumber,
    from: Frame,
    to: Frame,
) -> Result<(), Exhausted> {
    let (old, new) = (world.open(whose, from)?, world.open(whose, to)?);
    old.copy_to(0, &new, 0, PAGE_BYTES as usize).expect("a page fits a page");
    Ok(())
}
