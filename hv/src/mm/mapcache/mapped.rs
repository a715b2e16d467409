//! A frame that is mapped while its guard lives.
//!
//! Copies in and out; never becomes a reference, since a guest may change the bytes at any time.

use paging::{Index, PAGE_BYTES, VirtAddr};

use super::slots::Slot;
use super::{MapCache, Retention};
use crate::machine::Machine;
use crate::mm::entry::Cells;

/// A mapped frame. It belongs to one CPU, so it cannot be sent:
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// fn mapped<M: hv::machine::Machine>() {
///     send::<hv::mm::mapcache::Mapped<'static, M, 64>>();
/// }
/// ```
#[must_use = "the frame is unmapped when this is dropped"]
pub struct Mapped<'c, M: Machine, const SLOTS: usize> {
    cache: &'c MapCache<'c, M, SLOTS>,
    at: VirtAddr,
    /// `None` where the directmap shows the frame: nothing was mapped, and nothing is unmapped.
    slot: Option<(&'c Slot, Retention)>,
}

/// A copy that would leave the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutsidePage;

impl<'c, M: Machine, const SLOTS: usize> Mapped<'c, M, SLOTS> {
    #[inline(always)]
    pub(super) fn new(cache: &'c MapCache<'c, M, SLOTS>, slot: &'c Slot, retention: Retention) -> Self {
        Self { cache, at: slot.at, slot: Some((slot, retention)) }
    }

    /// A frame that is mapped for good, at this address.
    #[inline(always)]
    pub(super) fn shown(cache: &'c MapCache<'c, M, SLOTS>, at: VirtAddr) -> Self {
        Self { cache, at, slot: None }
    }

    /// Reads one word, once.
    #[inline]
    pub fn load(&self, index: Index) -> u64 {
        self.cache.machine.load(self.word(index))
    }

    /// Writes one word, once.
    #[inline]
    pub fn store(&self, index: Index, value: u64) {
        self.cache.machine.store(self.word(index), value);
    }

    /// Copies bytes from the page, from byte `offset` on.
    ///
    /// # Errors
    /// Some of them lie beyond the page; nothing was copied.
    pub fn copy_out(&self, offset: usize, into: &mut [u8]) -> Result<(), OutsidePage> {
        let from = self.bytes(offset, into.len())?;
        self.cache.machine.copy_out(from, into);
        Ok(())
    }

    /// Copies bytes to the page, from byte `offset` on.
    ///
    /// # Errors
    /// Some of them would lie beyond the page; nothing was copied.
    pub fn copy_in(&self, offset: usize, from: &[u8]) -> Result<(), OutsidePage> {
        let to = self.bytes(offset, from.len())?;
        self.cache.machine.copy_in(to, from);
        Ok(())
    }

    /// Writes one word, in one step, where it is `old`; whether it has. May fail although it is, so that nobody who writes
    /// there can hold this CPU up.
    #[inline]
    pub fn exchange(&self, index: Index, old: u64, new: u64) -> bool {
        self.cache.machine.exchange(self.word(index), old, new)
    }

    /// Copies `bytes` bytes to another page, from byte `offset` of this one to byte `at` of that one.
    ///
    /// # Errors
    /// Some of them lie beyond a page; nothing was copied.
    pub fn copy_to(&self, offset: usize, to: &Self, at: usize, bytes: usize) -> Result<(), OutsidePage> {
        let (from, to) = (self.bytes(offset, bytes)?, to.bytes(at, bytes)?);
        self.cache.machine.copy(from, to, bytes as u64);
        Ok(())
    }

    /// Fills the page with zeroes.
    pub fn zero(&self) {
        self.cache.machine.zero(self.first(), PAGE_BYTES);
    }

    /// Cleans the page to the point of coherency.
    pub fn clean(&self) {
        self.cache.machine.clean(self.first(), PAGE_BYTES);
    }

    /// Fills the page with zeroes and cleans it to the point of coherency.
    pub fn scrub(&self) {
        self.cache.machine.scrub(self.first(), PAGE_BYTES);
    }

    /// The page as a table, for [`Writer`](crate::mm::entry::Writer).
    pub fn cells(&self) -> Cells<'_> {
        Cells::Mapped(self.first())
    }

    #[inline(always)]
    fn first(&self) -> VirtAddr {
        self.at
    }

    #[inline(always)]
    fn word(&self, index: Index) -> VirtAddr {
        VirtAddr::new(self.first().get() + (index.get() * size_of::<u64>()) as u64)
    }

    fn bytes(&self, offset: usize, bytes: usize) -> Result<VirtAddr, OutsidePage> {
        let end = offset.checked_add(bytes).ok_or(OutsidePage)?;
        let fits = end <= PAGE_BYTES as usize;
        fits.then(|| VirtAddr::new(self.first().get() + offset as u64)).ok_or(OutsidePage)
    }
}

impl<M: Machine, const SLOTS: usize> Drop for Mapped<'_, M, SLOTS> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some((slot, retention)) = self.slot {
            self.cache.put(slot, retention);
        }
    }
}
