//! What the Xen ABI asks of the machine around it: whose call it is, where frames are, what other vCPUs are told.
//!
//! Two implementors: the machine that runs guests, and the simulated one of host tests. Knows no call.

use core::num::NonZeroU16;

use paging::{Frame, GuestAccess, Index, Ipa, PAGE_BYTES};

use crate::fault::Attempt;
use crate::machine::Machine;
use crate::mm::guest_walk::GuestVirt;
use crate::mm::mapcache::{Exhausted, Mapped, View};

/// A domain, as the ABI and the plan number them: from 1 on, in file order. 0 is the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainNumber(NonZeroU16);

impl DomainNumber {
    /// The domain with this number; 0 is none.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// As the ABI writes it.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// Its place in tables of all domains.
    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its domain.
    pub domain: DomainNumber,
    /// Its number in the domain.
    pub vcpu: u32,
}

/// Why a frame is not shown in a guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowError {
    /// The guest has something there, or can have nothing there.
    Place,
    /// No table left for it.
    Room,
}

/// What other writers of a word may keep this CPU from doing.
const ATTEMPTS: u32 = 64;

/// The machine, for the length of one call.
pub trait World<const SLOTS: usize> {
    /// The processor.
    type Machine: Machine;

    /// Who calls.
    fn caller(&self) -> Caller;

    /// This CPU's window onto frames, on behalf of the caller.
    fn view(&self) -> View<'_, Self::Machine, SLOTS>;

    /// The frame behind one of the caller's virtual addresses, where it is the domain's own memory and the guest may
    /// access it like this.
    fn translate(&self, at: GuestVirt, access: Attempt) -> Option<Frame>;

    /// Whether the caller reads and writes past the caches.
    fn past_caches(&self) -> bool;

    /// The frame of a domain's own memory that it has at `at`. A domain keeps its memory, each page in its place, until
    /// its end.
    fn frame(&self, whose: DomainNumber, at: Ipa) -> Option<Frame>;

    /// Shows a frame in a domain's memory, where it has nothing.
    ///
    /// # Errors
    /// Nothing has changed.
    fn show(&mut self, to: DomainNumber, at: Ipa, frame: Frame, access: GuestAccess) -> Result<(), ShowError>;

    /// Takes back what [`World::show`] showed; no CPU reaches the frame through the domain's memory on return.
    fn hide(&mut self, from: DomainNumber, at: Ipa);

    /// A vCPU's upcall has become pending: it looks again before it runs on.
    fn upcall(&mut self, whose: DomainNumber, vcpu: u32);

    /// Whether one of the caller's vCPUs runs.
    fn is_up(&self, vcpu: u32) -> bool;

    /// `HVM_PARAM_CALLBACK_IRQ`: how the caller is told of events.
    fn callback(&self) -> u64;

    /// Prints what the caller wrote.
    fn print(&self, text: &[u8]);

    /// Lets others go first while a lock is waited for.
    fn wait();

    /// Maps a frame of a domain: another one's for no longer than the guard lives.
    ///
    /// # Errors
    /// Every slot is live.
    #[track_caller]
    fn open(&self, whose: DomainNumber, frame: Frame) -> Result<Mapped<'_, Self::Machine, SLOTS>, Exhausted> {
        let view = self.view();
        if whose == self.caller().domain { view.map(frame) } else { view.map_foreign(frame) }
    }
}

/// What became of a word that a guest writes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// It was this, and has changed.
    Changed(u64),
    /// It was this, and is left alone.
    Kept(u64),
    /// The guest has changed it every time: nothing was written.
    Contended,
}

/// Changes a word of a page in one step: `change` says to what, or to leave it alone.
pub fn update<M: Machine, const SLOTS: usize>(
    page: &Mapped<'_, M, SLOTS>,
    index: Index,
    mut change: impl FnMut(u64) -> Option<u64>,
) -> Updated {
    for _ in 0..ATTEMPTS {
        let old = page.load(index);
        match change(old) {
            Some(new) if page.exchange(index, old, new) => return Updated::Changed(old),
            Some(_) => {}
            None => return Updated::Kept(old),
        }
    }
    Updated::Contended
}

/// Clears bits of a word of a page, and sets others, in one step; where nothing changes nothing is written.
#[inline(never)]
pub fn change<M: Machine, const SLOTS: usize>(
    page: &Mapped<'_, M, SLOTS>,
    index: Index,
    clear: u64,
    set: u64,
) -> Updated {
    update(page, index, |old| Some(old & !clear | set).filter(|new| *new != old))
}

/// The page that a guest calls by this frame number.
pub fn page_at(number: u64) -> Option<Ipa> {
    number.checked_mul(PAGE_BYTES).map(Ipa::new)
}
