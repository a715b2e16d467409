//! What a CPU asks of others, and what it needs for that.

use paging::{PAGE_BYTES, VirtAddr};

use crate::cpu::CpuIndex;

/// The CPU that runs this, towards the others. Two implementors: the architecture, and the model of tests.
pub trait Peer {
    /// Which CPU this is.
    fn cpu(&self) -> CpuIndex;

    /// Forgets the translation of a page, and the links that led to it, on this CPU; complete on return.
    fn forget_page(&self, at: VirtAddr);

    /// Forgets every translation of the hypervisor on this CPU; complete on return.
    fn forget_all(&self);

    /// After a wait, before this CPU goes on: it executes nothing that it fetched before. AArch64: ISB; x86-64: a
    /// serializing instruction.
    fn synchronize(&self);

    /// Makes another CPU poll soon, after everything that this CPU has written is visible to it. May come late or get
    /// lost; it is called again as long as there is no answer.
    fn interrupt(&self, other: CpuIndex);

    /// Lets others go first.
    fn relax(&self);
}

/// What all CPUs are asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Forget one page.
    ForgetPage(VirtAddr),
    /// Forget everything.
    ForgetAll,
    /// Wait, and do nothing but what is asked.
    Stop,
    /// Go on.
    GoOn,
}

impl Request {
    const FORGET_ALL: u64 = 1;
    const STOP: u64 = 2;
    const GO_ON: u64 = 3;
    const FORGET_PAGE: u64 = 4;

    /// As one word: a page's address leaves room below.
    pub(super) const fn to_word(self) -> u64 {
        match self {
            Self::ForgetPage(at) => (at.get() - at.page_offset()) | Self::FORGET_PAGE,
            Self::ForgetAll => Self::FORGET_ALL,
            Self::Stop => Self::STOP,
            Self::GoOn => Self::GO_ON,
        }
    }

    /// The request of a word.
    ///
    /// # Panics
    /// When no request was written there.
    pub(super) const fn from_word(word: u64) -> Self {
        match word % PAGE_BYTES {
            Self::FORGET_PAGE => Self::ForgetPage(VirtAddr::new(word - Self::FORGET_PAGE)),
            Self::FORGET_ALL => Self::ForgetAll,
            Self::STOP => Self::Stop,
            Self::GO_ON => Self::GoOn,
            _ => panic!("only requests are written there"),
        }
    }
}
