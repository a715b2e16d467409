//! What a row works with.
//!
//! Judges nothing.

use crate::mm::pmap::Pmap;

/// What a row works with while PMAP is up, on the only CPU that runs.
pub(super) struct EarlyBench<'b> {
    /// The window.
    pub(super) pmap: &'b Pmap,
}

/// What a row works with once every CPU runs. There is one, on the boot CPU.
pub(super) struct Bench(());

impl Bench {
    pub(super) const fn new() -> Self {
        Self(())
    }
}
