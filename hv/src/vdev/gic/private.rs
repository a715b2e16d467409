//! One vCPU's part: its SGIs and PPIs, and what is in its list registers.
//!
//! Lies in the vCPU's control page. The list registers here are the hardware's while the vCPU is loaded: whoever calls
//! [`Private::refill`] has read those in use and writes those that changed.

use super::bank::{Latched, Verdict};
use super::list::Announce;
use super::{Bank, Distributor, Intid, Line, ListRegister, State, VcpuNumber, Version, numbers};

/// List registers at most. IHI 0069, ICH_VTR_EL2.ListRegs.
pub(super) const LISTS: usize = 16;

/// SGIs: always edges, always configured.
const SGIS: u32 = 0xffff;

/// What is in a list register.
#[derive(Clone, Copy, Debug)]
struct Listed {
    intid: Intid,
    latched: Latched,
}

/// One vCPU's part.
#[derive(Debug)]
#[repr(C)]
pub struct Private {
    pub(super) number: VcpuNumber,
    pub(super) vcpus: u16,
    pub(super) version: Version,
    pub(super) bank: Bank,
    pub(super) sleep: Sleep,
    /// GICv2: who has sent each SGI, a bit each.
    pub(super) senders: [u8; 16],
    /// List registers in use, a bit each.
    used: u16,
    /// What is in those.
    slots: [Listed; LISTS],
    lists: [ListRegister; LISTS],
}

/// GICR_WAKER.ProcessorSleep, which ChildrenAsleep follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// As after a reset.
    Asleep,
    /// The guest has woken it up.
    Awake,
}

/// Whether list registers have to be filled again as they become empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refill {
    /// All that waits is in them.
    NotNeeded,
    /// More waits: when one of them at most is in use.
    WhenLow,
}

/// What [`Private::refill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refilled {
    /// List registers to be written, a bit each.
    pub changed: u16,
    /// Whether more waits.
    pub refill: Refill,
}

impl Private {
    /// As after a reset; `tied` are PPIs that stand for physical ones, a bit each.
    pub const fn new(version: Version, number: VcpuNumber, vcpus: u16, tied: u32) -> Self {
        let mut bank = Bank::new(!SGIS, SGIS);
        bank.tie(tied);
        Self {
            number,
            vcpus,
            version,
            bank,
            sleep: Sleep::Asleep,
            senders: [0; 16],
            used: 0,
            slots: [Listed { intid: Intid::new(0), latched: Latched::No }; LISTS],
            lists: [ListRegister::EMPTY; LISTS],
        }
    }

    /// Which vCPU of its domain it is.
    pub fn number(&self) -> VcpuNumber {
        self.number
    }

    /// A private interrupt came, once; a physical one that is tied to it stays active until the guest ends it.
    pub fn latch(&mut self, bits: u32) {
        self.bank.latch(bits);
    }

    /// A private line goes up or down.
    pub fn drive(&mut self, bits: u32, line: Line) {
        self.bank.drive(bits, line);
    }

    /// Another vCPU, or this one, sends SGIs.
    pub fn send(&mut self, bits: u32, sender: VcpuNumber) {
        self.bank.latch(bits & SGIS);
        if self.version == Version::V2 {
            let from = 1 << (sender.get() & 7);
            numbers(bits & SGIS).for_each(|sgi| self.senders[sgi] |= from);
        }
    }

    /// Private interrupts that stand for physical ones and have come: active in hardware as long as this vCPU is loaded.
    pub fn in_flight(&self) -> u32 {
        self.bank.in_flight()
    }

    /// List registers in use, a bit each.
    pub fn in_use(&self) -> u16 {
        self.used
    }

    /// A list register.
    pub fn list(&self, number: usize) -> ListRegister {
        self.lists[number]
    }

    /// What the hardware holds in a list register now.
    pub fn set_list(&mut self, number: usize, register: ListRegister) {
        self.lists[number] = register;
    }

    /// Whether the vCPU, while it is not loaded, has something to take.
    pub fn has_work(&self, shared: &Distributor) -> bool {
        let unseen = numbers(self.used.into()).any(|slot| match self.lists[slot].state() {
            State::Pending | State::Both => true,
            State::Invalid | State::Active => false,
        });
        unseen || self.best(shared).is_some()
    }

    /// Brings the books up to date with the first `lists` list registers, then fills them with what waits, the most
    /// urgent first. `finish` is told physical interrupts to be deactivated.
    pub fn refill(&mut self, shared: &mut Distributor, lists: usize, mut finish: impl FnMut(Intid)) -> Refilled {
        let lists = lists.min(LISTS);
        let mut changed = 0;
        for slot in numbers(self.used.into()) {
            let before = self.lists[slot];
            self.look(shared, slot, &mut finish);
            changed |= u16::from(before != self.lists[slot]) << slot;
        }
        while let Some((intid, priority)) = self.best(shared) {
            let Some(slot) = self.room(shared, lists, priority) else {
                return Refilled { changed, refill: Refill::WhenLow };
            };
            self.put(shared, slot, intid, priority);
            changed |= 1 << slot;
        }
        Refilled { changed, refill: Refill::NotNeeded }
    }

    fn look(&mut self, shared: &mut Distributor, slot: usize, finish: &mut impl FnMut(Intid)) {
        let listed = self.slots[slot];
        let (register, bit) = (self.lists[slot], listed.intid.place().1);
        let verdict = self.bank(shared, listed.intid).look(bit, register, listed.latched);
        match verdict {
            Verdict::Stays => {
                if register.state() == State::Pending {
                    self.forget_sender(listed.intid, register);
                }
                self.lists[slot] = register.announced(self.announce(shared, listed.intid));
                return;
            }
            Verdict::Finished => register.physical().into_iter().for_each(finish),
            Verdict::Withdrawn if self.bank(shared, listed.intid).pending() & bit != 0 => {
                self.remember_sender(listed.intid, register);
            }
            Verdict::Withdrawn | Verdict::Over => {}
        }
        self.used &= !(1 << slot);
        self.lists[slot] = ListRegister::EMPTY;
    }

    /// The most urgent one that waits: of the lowest priority value, then of the lowest number.
    fn best(&self, shared: &Distributor) -> Option<(Intid, u8)> {
        if !shared.forwards() {
            return None;
        }
        let mut best = None;
        self.bank.most_urgent(self.bank.waiting(), 0, &mut best);
        shared.most_urgent(self.number, &mut best);
        best
    }

    /// An empty list register, or that of a less urgent one that has not been taken, which then waits again.
    fn room(&mut self, shared: &mut Distributor, lists: usize, priority: u8) -> Option<usize> {
        let free = self.used.trailing_ones() as usize;
        if free < lists {
            return Some(free);
        }
        let waits = |slot: &usize| self.lists[*slot].state() == State::Pending;
        let least = (0..lists).filter(waits).max_by_key(|slot| self.lists[*slot].priority())?;
        let (register, listed) = (self.lists[least], self.slots[least]);
        if register.priority() <= priority {
            return None;
        }
        self.bank(shared, listed.intid).evict(listed.intid.place().1, listed.latched);
        self.remember_sender(listed.intid, register);
        self.used &= !(1 << least);
        Some(least)
    }

    fn put(&mut self, shared: &mut Distributor, slot: usize, intid: Intid, priority: u8) {
        let bit = intid.place().1;
        let bank = self.bank(shared, intid);
        let (latched, tied) = (bank.list(bit), bank.is_tied(bit));
        let mut register = ListRegister::pending(intid, priority);
        match self.version {
            Version::V2 if intid.get() < 16 => {
                let sgi = usize::from(intid.get());
                register = register.sent_by(self.senders[sgi].trailing_zeros() as u8);
                self.forget_sender(intid, register);
            }
            Version::V2 => {}
            Version::V3 => register = register.in_group_1(),
        }
        // The hardware's numbers are the guest's.
        register = if tied { register.tied_to(intid) } else { register.announced(self.announce(shared, intid)) };
        self.used |= 1 << slot;
        self.slots[slot] = Listed { intid, latched };
        self.lists[slot] = register;
    }

    fn announce(&mut self, shared: &mut Distributor, intid: Intid) -> Announce {
        if self.bank(shared, intid).more(intid.place().1) { Announce::End } else { Announce::Nothing }
    }

    /// A GICv2's SGI of this sender is in a list register; those of others still wait.
    fn forget_sender(&mut self, intid: Intid, register: ListRegister) {
        if let (Version::V2, Some(senders)) = (self.version, self.senders.get_mut(usize::from(intid.get()))) {
            *senders &= !(1 << register.sender());
            if *senders != 0 {
                self.bank.latch(intid.place().1);
            }
        }
    }

    /// It no longer is.
    fn remember_sender(&mut self, intid: Intid, register: ListRegister) {
        if let (Version::V2, Some(senders)) = (self.version, self.senders.get_mut(usize::from(intid.get()))) {
            *senders |= 1 << register.sender();
        }
    }

    fn bank<'a>(&'a mut self, shared: &'a mut Distributor, intid: Intid) -> &'a mut Bank {
        if intid.is_private() { &mut self.bank } else { shared.bank_of(intid) }
    }
}
