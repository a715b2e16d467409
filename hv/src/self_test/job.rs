//! What one CPU may ask of another: a job by its number, with two values, answered by one.
//!
//! Never a pointer. A job runs on the CPU that is asked, with its tables and its windows.

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use crate::arch::this;
use crate::self_test::live::{self, Class};
use crate::self_test::request::Server;
use crate::self_test::{probe, rows};

/// Two values: what they mean is the job's business.
pub(super) type Values = [u64; 2];

/// Answer of [`Job::FirstReadable`] where there is none.
pub(super) const NOWHERE: u64 = u64::MAX;

/// The jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Job {
    /// Which CPU answers.
    WhoAmI,
    /// The number of the frame of the loaded root.
    Root,
    /// An encoded probe of the address that is the first value.
    Probe,
    /// The first page of a range (address, bytes) that can be read, or [`NOWHERE`].
    FirstReadable,
    /// Entries that the plan does not have.
    CountUnplanned,
    /// Identity pages.
    CountIdentity,
    /// Ways to write code.
    CountWritableCode,
    /// Leaves that lead to a range of frames (first, frames).
    CountLeadingTo,
    /// Pages of the class with this number.
    CountClass,
    /// Maps a frame in the map cache's window, answers with its address, unmaps it at the next request.
    HoldPage,
    /// The same for the 2 MiB from a frame, in the scrub window.
    HoldBlock,
    /// Keeps a value on the stack, answers with its address, until the next request.
    HoldWord,
    /// Goes on with what was held.
    Release,
    /// The word at an address, or [`NOWHERE`].
    Load,
    /// The same, until the next request; then whether it can be loaded still, 1 or 0.
    HoldUsed,
    /// Reads and writes pages (address, pages) until the next request; then how often that failed.
    Use,
    /// Reads a page until the next request; then how often that failed.
    Read,
    /// Allocates and frees heap pages (seed, steps); then 0, or 1 where that failed.
    Churn,
    /// Leaves a value on the stack, in frames that return.
    LeaveOnStack,
    /// How many runs of a value the unused stack holds.
    FindOnStack,
    /// Wipes the unused stack.
    WipeStack,
    /// Leaves the machine; answers before.
    Leave,
    /// Switches to another domain with a page mapped; panics.
    SwitchHolding,
    /// Tries to bring the fixmap up a second time; panics.
    ReopenFixmap,
    /// Gives a valid entry another frame, from the first value to the second; panics.
    ChangeValidEntry,
    /// The same by way of an invalid entry that nobody is made to forget; panics.
    ReuseEntry,
}

impl Job {
    const ALL: [Self; 26] = [
        Self::WhoAmI,
        Self::Root,
        Self::Probe,
        Self::FirstReadable,
        Self::CountUnplanned,
        Self::CountIdentity,
        Self::CountWritableCode,
        Self::CountLeadingTo,
        Self::CountClass,
        Self::HoldPage,
        Self::HoldBlock,
        Self::HoldWord,
        Self::Release,
        Self::Load,
        Self::HoldUsed,
        Self::Use,
        Self::Read,
        Self::Churn,
        Self::LeaveOnStack,
        Self::FindOnStack,
        Self::WipeStack,
        Self::Leave,
        Self::SwitchHolding,
        Self::ReopenFixmap,
        Self::ChangeValidEntry,
        Self::ReuseEntry,
    ];

    /// The job with this number.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Does it, on the calling CPU.
    pub(super) fn run(self, values: Values, server: &Server) -> u64 {
        let [first, second] = values;
        let count = |is: fn(&live::Found) -> bool| live::count(live::root(), is);
        match self {
            Self::WhoAmI => this::cpu::index().get() as u64,
            Self::Root => this::probe::root().number(),
            Self::Probe => probe::here(VirtAddr::new(first)).encode(),
            Self::FirstReadable => first_readable(VirtAddr::new(first), second),
            Self::CountUnplanned => count(live::is_unplanned),
            Self::CountIdentity => count(live::is_identity),
            Self::CountWritableCode => count(live::is_writable_code),
            Self::CountLeadingTo => {
                let frames = FrameRange::new(Frame::new(first), second);
                live::count(live::root(), |found| live::leads_to(found, frames))
            }
            Self::CountClass => {
                let class = Class::ALL.into_iter().find(|class| *class as u64 == first);
                live::pages(live::root(), class.expect("rows ask for classes that there are"))
            }
            Self::HoldPage => rows::windows::hold_page(Frame::new(first), server),
            Self::HoldBlock => rows::windows::hold_block(Frame::new(first), server),
            Self::HoldWord => rows::stacks::hold_word(first, server),
            Self::Release => panic!("nothing is held that could be released"),
            Self::Load => this::probe::load(VirtAddr::new(first)).unwrap_or(NOWHERE),
            Self::HoldUsed => hold_used(VirtAddr::new(first), server),
            Self::Use => rows::sizes::use_pages(VirtAddr::new(first), second, server),
            Self::Read => rows::sizes::read_page(VirtAddr::new(first), server),
            Self::Churn => u64::from(rows::heap::churn(first, second).is_err()),
            Self::LeaveOnStack => rows::stacks::leave(first),
            Self::FindOnStack => rows::stacks::find(first),
            Self::WipeStack => {
                this::stack::wipe();
                0
            }
            Self::Leave => server.leave(),
            Self::SwitchHolding => rows::mapcache::switch_holding(Frame::new(first)),
            Self::ReopenFixmap => rows::pmap::reopen(),
            Self::ChangeValidEntry => rows::checker::change(values),
            Self::ReuseEntry => rows::checker::reuse(values),
        }
    }
}

/// An address that this CPU has used: what it holds, then whether it can be used still.
fn hold_used(at: VirtAddr, server: &Server) -> u64 {
    server.hold(this::probe::load(at).unwrap_or(NOWHERE));
    u64::from(this::probe::load(at).is_some())
}

fn first_readable(base: VirtAddr, bytes: u64) -> u64 {
    let mut pages = (0..bytes / PAGE_BYTES).map(|page| VirtAddr::new(base.get() + page * PAGE_BYTES));
    let readable = |at: &VirtAddr| {
        let sight = this::probe::look(*at);
        sight.readable || sight.frame.is_some()
    };
    pages.find(readable).map_or(NOWHERE, VirtAddr::get)
}

#[cfg(test)]
mod tests {
    use super::Job;

    #[test]
    fn every_number_is_its_own_job() {
        for (number, job) in Job::ALL.into_iter().enumerate() {
            assert_eq!(Job::from_number(number as u32), Some(job));
        }
        assert_eq!(Job::from_number(Job::ALL.len() as u32), None);
    }
}
