//! What CPUs remember of guests' tables, and accesses as a guest makes them: one stage, its intermediate addresses.
//!
//! Uses a translation or a link until the guest is invalidated; never remembers that there was none.

use std::sync::Mutex;
use std::vec::Vec;

use paging::{Decoded, Format, Frame, GuestAttributes, Ipa, Level, PhysAddr, Root};

use super::{Cpu, Fault, HostFormat, Sim, lock};
use crate::cpu::CpuIndex;
use crate::machine::{GuestMachine, Machine};

/// A guest on a CPU: whose tables, and where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// The CPU.
    pub cpu: CpuIndex,
    /// The guest.
    pub vmid: u16,
    /// Its root.
    pub root: Root,
}

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Leaf(Frame),
    Link(Root),
}

/// One thing remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remembered {
    cpu: CpuIndex,
    vmid: u16,
    /// First byte that the entry spans.
    first: u64,
    level: Level,
    what: What,
}

impl Remembered {
    fn covers(&self, guest: &Running, at: Ipa) -> bool {
        (self.cpu, self.vmid) == (guest.cpu, guest.vmid) && self.first == at.get() / self.bytes() * self.bytes()
    }

    fn bytes(&self) -> u64 {
        self.level.entry_bytes()
    }
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Guests(Mutex<Vec<Remembered>>);

impl<F: HostFormat> Sim<F> {
    /// Translates as hardware might: from what is cached, or by a walk that begins at a cached link or at the root.
    pub fn guest_translate<G>(&self, guest: &Running, at: Ipa) -> Result<PhysAddr, Fault>
    where
        G: Format<Input = Ipa, Attributes = GuestAttributes>,
    {
        let known: Vec<_> = lock(&self.guests.0).iter().filter(|known| known.covers(guest, at)).copied().collect();
        let leaves = known.iter().filter(|known| matches!(known.what, What::Leaf(_))).count();
        if leaves > 1 && self.dice.roll(4) == 0 {
            return Err(Fault::Conflict);
        }
        let choice = self.dice.roll(known.len() + 1);
        match known.get(choice).map(|known| (known.what, known.first)) {
            Some((What::Leaf(frame), first)) => Ok(PhysAddr::new(frame.address().get() + (at.get() - first))),
            Some((What::Link(table), _)) => self.guest_walk::<G>(guest, at, table),
            None => self.guest_walk::<G>(guest, at, guest.root),
        }
    }

    fn guest_walk<G>(&self, guest: &Running, at: Ipa, start: Root) -> Result<PhysAddr, Fault>
    where
        G: Format<Input = Ipa, Attributes = GuestAttributes>,
    {
        let Root { frame: mut table, mut level } = start;
        loop {
            let entries = self.entries(table, at.index(level)).ok_or(Fault::Bus)?;
            let first = at.get() / level.entry_bytes() * level.entry_bytes();
            let what = match (G::decode(level, entries[self.dice.roll(entries.len())]), level.child()) {
                (Decoded::Table(next), Some(child)) => What::Link(Root::new(next, child)),
                (Decoded::Leaf { frame, .. }, _) => What::Leaf(frame),
                (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => {
                    return Err(Fault::Translation(level));
                }
            };
            self.remember(Remembered { cpu: guest.cpu, vmid: guest.vmid, first, level, what });
            match what {
                What::Link(next) => (table, level) = (next.frame, next.level),
                What::Leaf(frame) => return Ok(PhysAddr::new(frame.address().get() + (at.get() - first))),
            }
        }
    }

    fn remember(&self, found: Remembered) {
        let mut known = lock(&self.guests.0);
        if !known.contains(&found) {
            known.push(found);
        }
    }

    /// Things that CPUs remember of a guest.
    pub fn guest_memories(&self, vmid: u16) -> usize {
        lock(&self.guests.0).iter().filter(|known| known.vmid == vmid).count()
    }
}

impl<F: HostFormat> GuestMachine for Cpu<'_, F> {
    fn flush_guest(&self, vmid: u16) {
        self.sim().flush_begins(self.cpu());
        self.sim().watch.count(|counts| counts.guest_flushes += 1);
        lock(&self.sim().guests.0).retain(|known| known.vmid != vmid);
    }
}
