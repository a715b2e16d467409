//! A test with a name, and why one failed.
//!
//! Runs nothing.

use core::fmt::{self, Write};

use arrayvec::ArrayString;
use paging::{Level, VirtAddr};

use crate::arch::this;
use crate::board;
use crate::mm::heap::{Leaves, Policy};
use crate::mm::mapcache::Retention;
use crate::self_test::bench::{Bench, EarlyBench};

/// Enough for a sentence with two addresses; it is passed by value.
const REASON_BYTES: usize = 120;

/// How a row ended.
pub(super) type Outcome = Result<(), Failure>;

/// One line of the report. `xtask` knows every name.
pub(super) struct Row<T> {
    /// What holds, after the patch or item it belongs to.
    pub(super) name: &'static str,
    /// Shows it.
    pub(super) test: T,
    when: When,
}

impl<T> Row<T> {
    /// A row of every board.
    pub(super) const fn new(name: &'static str, test: T) -> Self {
        Self::when(When::Always, name, test)
    }

    /// A row of some boards.
    pub(super) const fn when(when: When, name: &'static str, test: T) -> Self {
        Self { name, test, when }
    }

    /// Whether this board has it.
    pub(super) fn is_due(&self) -> bool {
        self.when.holds()
    }
}

/// On which boards a row holds. `xtask` knows the same of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// On all.
    Always,
    /// Not all RAM is mapped.
    Sparse,
    /// All RAM is mapped.
    Full,
    /// There is a directmap window, and not all RAM is mapped in it.
    OnDemand,
    /// There is no window.
    NoWindow,
    /// Heap pages are mapped one by one, so that their pools become blocks.
    ByPage,
    /// The heap takes its pools from all free memory.
    Elastic,
    /// The heap's pools were set aside at boot.
    Fixed,
    /// Pages of the loaded domain stay mapped until the next one's turn.
    Lazy,
    /// They do not.
    Strict,
    /// RAM is of several nodes.
    Nodes,
    /// There is a window that is not populated, and RAM needs several root entries of it.
    TwoSlots,
    /// The processor walks a guest's tables for the hypervisor.
    GuestAt,
}

impl When {
    fn holds(self) -> bool {
        let policy = board::DIRECTMAP.policy;
        let sparse = policy != Policy::Full;
        match self {
            Self::Always => true,
            Self::Sparse => sparse,
            Self::Full => !sparse,
            Self::OnDemand => policy == Policy::OnDemand,
            Self::NoWindow => policy == Policy::None,
            Self::ByPage => sparse && board::HEAP.mapped_by == Leaves::Pages,
            Self::Elastic => board::HEAP.fixed_blocks.is_none(),
            Self::Fixed => board::HEAP.fixed_blocks.is_some(),
            Self::GuestAt => this::probe::GUEST_WALK.is_some(),
            Self::Lazy => sparse && board::RETENTION == Retention::Lazy,
            Self::Strict => sparse && board::RETENTION == Retention::Strict,
            Self::TwoSlots => policy == Policy::OnDemand && slots_of_window() > 1,
            Self::Nodes => board::RAM.iter().any(|bank| bank.node != board::RAM[0].node),
        }
    }
}

/// A test while PMAP is up, on the only CPU that runs.
pub(super) type Early = fn(&EarlyBench<'_>) -> Outcome;
/// A test once every CPU runs.
pub(super) type Late = fn(&mut Bench) -> Outcome;

/// Root entries from the first byte of RAM to the last.
fn slots_of_window() -> usize {
    let slot = |byte: u64| VirtAddr::new(board::DIRECTMAP.base.get() + byte).index(Level::L0).get();
    match (board::DIRECTMAP_RAM.first(), board::DIRECTMAP_RAM.last()) {
        (Some(first), Some(last)) => slot(last.base.get() + last.bytes - 1) + 1 - slot(first.base.get()),
        _ => 0,
    }
}

/// Why a row failed.
#[derive(Debug)]
pub(super) struct Failure(ArrayString<REASON_BYTES>);

impl Failure {
    /// With this reason, cut short where it is longer than any should be.
    pub(super) fn new(reason: fmt::Arguments<'_>) -> Self {
        let mut text = Text(ArrayString::new());
        // `Text` itself never fails; what is left of a value that cannot be printed is better than nothing.
        if text.write_fmt(reason).is_err() {
            text.0.truncate(0);
        }
        Self(text.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Text that ends where its room does.
pub(super) struct Text<const BYTES: usize>(pub(super) ArrayString<BYTES>);

impl<const BYTES: usize> fmt::Write for Text<BYTES> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = |bytes: &usize| text.is_char_boundary(*bytes);
        let bytes = (0..=text.len().min(self.0.remaining_capacity())).rev().find(fits).unwrap_or(0);
        self.0.push_str(&text[..bytes]);
        Ok(())
    }
}

/// Ends the row with a reason unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err($crate::self_test::row::Failure::new(format_args!($($reason)+)));
        }
    };
}
/// Ends the row unless its negative control holds: without that, its result means nothing.
macro_rules! control {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err($crate::self_test::row::Failure::new(format_args!("control: {}", format_args!($($reason)+))));
        }
    };
}
pub(super) use {control, ensure};

#[cfg(test)]
mod tests {
    use super::Failure;
    use std::string::{String, ToString};

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let long: String = std::iter::repeat_n('ä', 500).collect();
        let failure = Failure::new(format_args!("{long}")).to_string();
        assert_eq!(failure.len(), super::REASON_BYTES);
        assert!(long.starts_with(&failure));
    }
}
