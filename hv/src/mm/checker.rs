//! The checker: finds entries that change the way break-before-make forbids, and frames set free too early.
//!
//! A watcher of [`entry::Writer`](super::entry::Writer). Keeps what it was told of each entry, reads no table, allocates
//! nothing. A table that loses its link takes its entries along: whoever freed it before every CPU has forgotten them
//! all, or maps something else where they were, is found. What it forbids: Arm ARM (DDI 0487), "Using break-before-make when updating translation table entries".
//! x86-64 is held to the same rules, which are stricter than its own (Intel SDM volume 3A, "Invalidation of TLBs and
//! Paging-Structure Caches").

mod shadow;
mod violation;

#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, Index};
use spin::mutex::TicketMutex;

use super::entry::{By, Event, Grants, Input, Meaning, Operations, Place, Said, Scope, SeenBy, Watch};
use super::space::SizeChange;
use shadow::Shadow;
use violation::History;

pub use violation::{Violation, Wrong};

/// Entries that were emptied and that some CPU may remember, at most.
const ZAPPED_MAX: usize = 640;

/// What a violation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A panic with the history.
    Stop,
    /// It is kept for [`Checker::first`]; for tests that provoke one.
    Record,
}

/// An entry as it was last told.
#[derive(Clone, Copy, Debug)]
struct Record {
    place: Place,
    said: Said,
}

/// What a CPU may still hold of an entry that was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    /// Its translation; of a guest's entry, combined ones too.
    All,
    /// Combined translations of a guest, after stage 2 alone was invalidated.
    Combined,
}

/// An emptied entry.
#[derive(Clone, Copy, Debug)]
struct Zapped {
    record: Record,
    remembered: Remembered,
}

/// The checker. Follows up to `LIVE` live entries; of more, changes are checked, the frames they lead to are not.
#[derive(Debug)]
pub struct Checker<const LIVE: usize> {
    state: TicketMutex<State<LIVE>>,
    verdict: Verdict,
}

#[derive(Debug)]
struct State<const LIVE: usize> {
    live: Shadow<LIVE>,
    zapped: ArrayVec<Zapped, ZAPPED_MAX>,
    history: History,
    operations: Operations,
    lost: u64,
    violations: u64,
    first: Option<Violation>,
    size_change: SizeChange,
}

impl<const LIVE: usize> Checker<LIVE> {
    /// A checker that has been told nothing.
    pub const fn new(verdict: Verdict) -> Self {
        let state = State {
            live: Shadow::new(),
            zapped: ArrayVec::new_const(),
            history: History::new(),
            operations: Operations::NONE,
            lost: 0,
            violations: 0,
            first: None,
            size_change: SizeChange::UnderRendezvous,
        };
        Self { state: TicketMutex::new(state), verdict }
    }

    /// The same checker, for cores that allow this.
    #[must_use]
    pub fn with_size_change(self, size_change: SizeChange) -> Self {
        self.state.lock().size_change = size_change;
        self
    }

    /// The first violation that was recorded.
    pub fn first(&self) -> Option<Violation> {
        self.state.lock().first.clone()
    }

    /// How many violations were recorded.
    pub fn violations(&self) -> u64 {
        self.state.lock().violations
    }

    /// Entries that could not be followed for want of room.
    pub fn lost(&self) -> u64 {
        self.state.lock().lost
    }

    /// Entries that were emptied and that some CPU may remember.
    pub fn zapped(&self) -> usize {
        self.state.lock().zapped.len()
    }

    /// Apart from [`Watch::event`], which every entry write passes on stacks with little room.
    #[cold]
    #[inline(never)]
    fn report(&self, wrong: Wrong, by: By, place: Place, event: Event) {
        let violation = Violation::new(wrong, by, place, event, &self.state.lock().history);
        match self.verdict {
            Verdict::Stop => panic!("{violation}"),
            Verdict::Record => {
                let mut state = self.state.lock();
                state.violations += 1;
                state.first.get_or_insert(violation);
            }
        }
    }
}

impl<const LIVE: usize> Watch for Checker<LIVE> {
    const WATCHES: bool = true;

    #[inline(never)]
    fn event(&self, by: By, event: Event) {
        let mut state = self.state.lock();
        let Some((wrong, place)) = state.judge(event) else { return state.apply(by, event) };
        drop(state);
        self.report(wrong, by, place, event);
        self.state.lock().apply(by, event);
    }

    fn operations(&self) -> Option<Operations> {
        Some(self.state.lock().operations)
    }
}

impl<const LIVE: usize> State<LIVE> {
    /// What is wrong with it, if anything.
    fn judge(&self, event: Event) -> Option<(Wrong, Place)> {
        match event {
            Event::Write { place, old, new } => self.judge_write(place, old, new).map(|wrong| (wrong, place)),
            Event::Free(frames) => self.judge_free(frames),
            Event::Flush { .. } | Event::Publish => None,
        }
    }

    fn apply(&mut self, by: By, event: Event) {
        self.history.push(by, event);
        self.operations.add(event);
        match event {
            Event::Write { place, old, new } => self.apply_write(place, old, new),
            Event::Flush { scope, on } => self.apply_flush(scope, on),
            Event::Free(_) | Event::Publish => {}
        }
    }

    fn judge_write(&self, place: Place, old: Said, new: Said) -> Option<Wrong> {
        if new.means == Meaning::Unknown {
            return Some(Wrong::Unreadable);
        }
        let known = self.live.get(place.table, place.index);
        if known.is_some_and(|known| known.said.entry != old.entry) {
            return Some(Wrong::BehindTheWriter);
        }
        match (old.means, new.means) {
            (_, Meaning::Invalid) => None,
            (Meaning::Invalid, _) => self.is_zapped(place).then_some(Wrong::ReusedBeforeFlush),
            (Meaning::Leaf(was, granted), Meaning::Leaf(is, grants)) if was.frames == is.frames => {
                let moved = (was != is).then_some(Wrong::AddressChanged);
                moved.or((granted.memory != grants.memory).then_some(Wrong::MemoryKindChanged))
            }
            (Meaning::Table(was), Meaning::Table(is)) => (was != is).then_some(Wrong::AddressChanged),
            (Meaning::Leaf(block, grants), Meaning::Table(table))
            | (Meaning::Table(table), Meaning::Leaf(block, grants))
                if self.size_change == SizeChange::InPlace =>
            {
                let same = same_translations(&self.live, table, block, grants);
                (!same).then_some(Wrong::SizeAndMoreChanged)
            }
            (Meaning::Leaf(..) | Meaning::Table(_) | Meaning::Unknown, _) => Some(Wrong::SizeChanged),
        }
    }

    /// The first live or remembered entry that leads to one of `frames`, or a live one that lies there.
    fn judge_free(&self, frames: FrameRange) -> Option<(Wrong, Place)> {
        let leads = |record: &Record| record.said.means.frames().is_some_and(|to| to.intersects(frames));
        let lies = |record: &Record| frames.contains(record.place.table);
        let live = self.live.iter().find(|record| leads(record) || lies(record));
        let zapped = self.zapped.iter().map(|zapped| &zapped.record).find(|record| leads(record));
        live.map(|record| (Wrong::FreedWhileMapped, record.place))
            .or(zapped.map(|record| (Wrong::FreedBeforeFlush, record.place)))
    }

    fn is_zapped(&self, place: Place) -> bool {
        self.zapped.iter().any(|zapped| overlap(zapped.record.place, place))
    }

    fn apply_write(&mut self, place: Place, old: Said, new: Said) {
        if new.means == Meaning::Invalid {
            self.live.remove(place.table, place.index);
        } else {
            self.zapped.retain(|zapped| !same_entry(zapped.record.place, place));
            let followed = self.live.insert(Record { place, said: new });
            self.lost += u64::from(!followed);
        }
        let gone = match (old.means, new.means) {
            (Meaning::Invalid, _) => false,
            (_, Meaning::Invalid) | (Meaning::Leaf(..), Meaning::Table(_)) | (Meaning::Table(_), Meaning::Leaf(..)) => {
                true
            }
            (Meaning::Leaf(..) | Meaning::Table(_) | Meaning::Unknown, _) => false,
        };
        if gone {
            self.zap(Record { place, said: old });
        }
    }

    /// CPUs may remember `record`, which is no more; with a link goes what the table holds, unless another link leads
    /// there or other CPUs than this link's walk it.
    fn zap(&mut self, record: Record) {
        let zapped = Zapped { record, remembered: Remembered::All };
        self.lost += u64::from(self.zapped.try_push(zapped).is_err());
        let Meaning::Table(table) = record.said.means else { return };
        if self.live.iter().any(|other| other.said.means == record.said.means) {
            return;
        }
        for index in Index::all() {
            let below = self.live.get(table, index).copied().filter(|below| below.place.seen == record.place.seen);
            if let Some(below) = below {
                self.live.remove(table, index);
                self.zap(below);
            }
        }
    }

    fn apply_flush(&mut self, scope: Scope, on: SeenBy) {
        self.zapped.retain(|zapped| {
            let place = zapped.record.place;
            if on != SeenBy::All && on != place.seen {
                return true;
            }
            match left(place, scope, zapped.remembered) {
                Some(remembered) => {
                    zapped.remembered = remembered;
                    true
                }
                None => false,
            }
        });
    }
}

fn same_entry(a: Place, b: Place) -> bool {
    a.table == b.table && a.index == b.index
}

/// Whether a CPU may use both entries for one address: `a` was emptied, `b` is written.
fn overlap(a: Place, b: Place) -> bool {
    let walked_together = a.seen == b.seen || a.seen == SeenBy::All || b.seen == SeenBy::All;
    // What CPUs share behind links of their own, each remembers through its link alone: the emptied link stands for it.
    let behind_own_link = a.seen == SeenBy::All && b.seen != SeenBy::All && b.level < a.level;
    let (one, other) = match (a.input, b.input) {
        (Input::Host(one), Input::Host(other)) => (one.get(), other.get()),
        (Input::Guest { vmid, at: one }, Input::Guest { vmid: others, at: other }) if vmid == others => {
            (one.get(), other.get())
        }
        (Input::Host(_) | Input::Guest { .. }, _) => return false,
    };
    walked_together
        && !behind_own_link
        && one - other.min(one) < b.level.entry_bytes()
        && other - one.min(other) < a.level.entry_bytes()
}

/// Whether the leaves of `table` are those that `block` stands for.
fn same_translations<const LIVE: usize>(live: &Shadow<LIVE>, table: Frame, block: FrameRange, grants: Grants) -> bool {
    let frames = block.frames / paging::ENTRIES as u64;
    Index::all().all(|index| {
        let page = FrameRange::new(block.first.add(index.get() as u64 * frames), frames);
        live.get(table, index).is_some_and(|record| record.said.means == Meaning::Leaf(page, grants))
    })
}

/// What a CPU may still hold of an entry at `place` after an invalidation of `scope` there.
fn left(place: Place, scope: Scope, remembered: Remembered) -> Option<Remembered> {
    let spans = |first: u64, at: u64| at.checked_sub(first).is_some_and(|offset| offset < place.level.entry_bytes());
    match (place.input, scope) {
        (Input::Host(first), Scope::HostPage(at)) if spans(first.get(), at.get()) => None,
        (Input::Host(_), Scope::Host) => None,
        (Input::Guest { vmid, at: first }, Scope::GuestPage { vmid: flushed, at })
            if vmid == flushed && spans(first.get(), at.get()) =>
        {
            Some(Remembered::Combined)
        }
        // Combined entries that go before stage 2 does may come back from it.
        (Input::Guest { vmid, .. }, Scope::GuestCombined { vmid: flushed })
            if vmid == flushed && remembered == Remembered::Combined =>
        {
            None
        }
        (Input::Guest { vmid, .. }, Scope::Guest { vmid: flushed }) if vmid == flushed => None,
        (Input::Host(_) | Input::Guest { .. }, _) => Some(remembered),
    }
}
