//! For tests: two domains on the simulated machine, and one that is not up; calls come from CPU 0.
//!
//! A guest's virtual addresses are its intermediate ones, as before it turns its MMU on.

use core::cell::RefCell;
use std::vec::Vec;

use paging::{El2, Frame, FrameRange, GuestAccess, GuestAttributes, Index, Ipa, Level, Memory, PAGE_BYTES, Stage2};

use super::builder::{DomainPlan, DomainSpace, Part, Tools, build};
use super::grants;
use super::guests::{Guests, RING_PAGES, Window};
use super::hypercall::{Outcome, call};
use super::world::{Caller, DomainNumber, ShowError, World};
use crate::board::types::{GuestConsole, Images};
use crate::fault::Attempt;
use crate::mm::checker::Verdict;
use crate::mm::domain_area::{DomainId, DomainSlot, Loaded};
use crate::mm::frames::{Node, Owner};
use crate::mm::guest_rig::{Rig, SLOTS, layout, with};
use crate::mm::guest_tables::{Retention, Stores, TablesError, TablesPlan};
use crate::mm::guest_walk::GuestVirt;
use crate::mm::here::Here;
use crate::mm::mapcache::{Context, Moment, View};
use crate::mm::rig::System;
use crate::sim::Cpu;

/// Where a guest's memory begins, and how many pages it has.
pub(crate) const BASE: u64 = 0x4000_0000;
pub(crate) const PAGES: u64 = 24;
/// Where it sees its window, and where it has nothing.
pub(crate) const WINDOW: Window = Window { ring: Ipa::new(0x0900_0000), grants: Ipa::new(0x0910_0000) };
pub(crate) const EMPTY: u64 = 0x0a00_0000;
/// The page of its memory that its own tables let it read only.
pub(crate) const READ_ONLY: u64 = BASE + 23 * PAGE_BYTES;

pub(crate) const ONE: DomainNumber = DomainNumber::new(1).expect("1 is not 0");
pub(crate) const TWO: DomainNumber = DomainNumber::new(2).expect("2 is not 0");

const MEMORY: [Part; 3] = [
    Part::Heap { at: Ipa::new(BASE), pages: PAGES },
    Part::Heap { at: WINDOW.ring, pages: RING_PAGES },
    Part::Heap { at: WINDOW.grants, pages: grants::FRAMES as u64 },
];

/// Both domains, and what they were told.
pub(crate) struct TestWorld<'r, 's> {
    rig: &'r Rig<'s, El2>,
    system: &'r mut System,
    slots: &'r [DomainSlot],
    spaces: Vec<Option<DomainSpace<Stage2>>>,
    loaded: Option<Loaded<'r>>,
    caller: Caller,
    /// What there is besides.
    pub(crate) guests: &'r Guests,
    /// Upcalls since the test looked.
    pub(crate) upcalls: Vec<(DomainNumber, u32)>,
    /// What was printed.
    pub(crate) printed: RefCell<Vec<u8>>,
}

/// Runs a test with both domains up and the first one loaded; no frame is missing afterwards.
pub(crate) fn with_guests(test: impl FnOnce(&mut TestWorld<'_, '_>)) {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let before = system.domain.counts();
        let guests = Guests::none();
        let built = [ONE, TWO].map(|domain| make(rig, system, domain));
        let (mut slots, mut spaces) = (Vec::new(), Vec::new());
        for (slot, space) in built {
            slots.push(slot);
            spaces.push(space);
        }
        let loaded = rig.cpus[0].switch(None, Some(&slots[0])).expect("open");
        let caller = Caller { domain: ONE, vcpu: 0 };
        let (upcalls, printed) = (Vec::new(), RefCell::new(Vec::new()));
        let mut world =
            TestWorld { rig, system, slots: &slots, spaces, loaded, caller, guests: &guests, upcalls, printed };
        for domain in [ONE, TWO] {
            guests.start(&world, domain, 2, WINDOW).expect("the window is in its memory");
        }
        test(&mut world);
        world.unload();
        [ONE, TWO].into_iter().for_each(|domain| world.end(domain));
        drop(world);
        assert_eq!(system.domain.counts(), before, "every frame is back");
    });
}

fn id(domain: DomainNumber) -> DomainId {
    DomainId { vmid: domain.get(), owner: Owner::domain(domain.get().into()), node: Node(0) }
}

type Made = (DomainSlot, Option<DomainSpace<Stage2>>);

fn make(rig: &Rig<'_, El2>, system: &mut System, domain: DomainNumber) -> Made {
    let tables = TablesPlan {
        root_level: Level::L1,
        largest_leaf: Level::L1,
        retention: Retention::PoolWindow,
        limit_frames: 16,
    };
    let plan = DomainPlan {
        id: id(domain),
        layout: layout::<El2>(),
        tables,
        vcpus: 2,
        memory: &MEMORY,
        images: &[],
        care: Images::Checked,
    };
    let mut scrub = rig.cpus[0].scrub_window();
    rig.cpus[0].idle(|here| {
        let mut tools = Tools { heap: &mut system.domain, vmap: &mut system.vmap, scrub: &mut scrub };
        let (slot, mut space) = (DomainSlot::new(domain.get()), None);
        slot.open(build(here, &mut tools, &plan, &mut space).expect("there is plenty").closed);
        (slot, space)
    })
}

impl<'s> TestWorld<'_, 's> {
    /// From now on calls come from here.
    pub(crate) fn run(&mut self, domain: DomainNumber, vcpu: u32) {
        if domain != self.caller.domain || self.loaded.is_none() {
            let slot = &self.slots[domain.index()];
            self.loaded = self.rig.cpus[0].switch(self.loaded.take(), Some(slot)).expect("open");
        }
        self.caller = Caller { domain, vcpu };
    }

    fn unload(&mut self) {
        self.loaded = self.rig.cpus[0].switch(self.loaded.take(), None).expect("nothing to load");
    }

    /// The end of a domain, which is not loaded.
    pub(crate) fn end(&mut self, domain: DomainNumber) {
        let guests = self.guests;
        if self.spaces[domain.index()].is_none() {
            return;
        }
        guests.end(self, domain);
        let closed = self.slots[domain.index()].close().expect("it is not loaded");
        let mut scrub = self.rig.cpus[0].scrub_window();
        let (System { domain: heap, vmap, .. }, space) = (&mut *self.system, &mut self.spaces[domain.index()]);
        let mut tools = Tools { heap, vmap, scrub: &mut scrub };
        self.rig.cpus[0].idle(|here| DomainSpace::destroy(here, &mut tools, space, closed));
    }

    /// Answers a call of the caller's; nothing stays mapped that must not.
    pub(crate) fn call(&mut self, number: u64, args: [u64; 5]) -> Outcome {
        let guests = self.guests;
        let outcome = call(self, guests, GuestConsole::Hypercall, number, args);
        assert_eq!(self.rig.cpus[0].cache.check_empty(Moment::ReturnToGuest), Ok(()), "no guard outlives a call");
        outcome
    }

    /// Who calls.
    pub(crate) fn who(&self) -> DomainNumber {
        self.caller.domain
    }

    /// The caller writes words, aligned, in its own memory.
    pub(crate) fn poke(&self, at: u64, words: &[u64]) {
        for (word, value) in (0..).zip(words) {
            let (frame, index) = self.place(self.caller.domain, at + 8 * word);
            self.rig.sim.memory.store(frame, index, *value).expect("it is RAM");
        }
    }

    /// A word of a domain's memory.
    pub(crate) fn peek(&self, domain: DomainNumber, at: u64) -> u64 {
        let (frame, index) = self.place(domain, at);
        self.rig.sim.memory.load(frame, index).expect("it is RAM")
    }

    fn place(&self, domain: DomainNumber, at: u64) -> (Frame, Index) {
        let frame = self.shown(domain, Ipa::new(at)).expect("the test has put something there");
        (frame, Index::new((at % PAGE_BYTES / 8) as usize))
    }

    /// What a domain has at an address, its own or not.
    pub(crate) fn shown(&self, domain: DomainNumber, at: Ipa) -> Option<Frame> {
        let space = self.spaces[domain.index()].as_ref()?;
        let leaf = self.rig.cpus[0].idle(|here| space.tables.translate(here, at))?;
        Some(leaf.frame.add((at.get() - leaf.at.get()) / PAGE_BYTES))
    }

    fn edit<R>(
        &mut self,
        domain: DomainNumber,
        work: impl FnOnce(
            &mut DomainSpace<Stage2>,
            &mut Here<'_, Cpu<'s, El2>, View<'_, Cpu<'s, El2>, SLOTS>>,
            &mut System,
        ) -> R,
    ) -> R {
        let space = self.spaces[domain.index()].as_mut().expect("it is up");
        let system = &mut *self.system;
        self.rig.cpus[0].idle(|here| work(space, here, system))
    }
}

impl<'s> World<SLOTS> for TestWorld<'_, 's> {
    type Machine = Cpu<'s, El2>;

    fn caller(&self) -> Caller {
        self.caller
    }

    fn view(&self) -> View<'_, Self::Machine, SLOTS> {
        let context = match self.loaded {
            Some(_) => Context::Guest { vmid: self.caller.domain.get() },
            None => Context::Idle,
        };
        self.rig.cpus[0].cache.enter(context).expect("the caller is loaded")
    }

    fn translate(&self, at: GuestVirt, access: Attempt) -> Option<Frame> {
        let read_only = (READ_ONLY..READ_ONLY + PAGE_BYTES).contains(&at.get());
        let allowed = access == Attempt::Read || !read_only;
        allowed.then(|| self.frame(self.caller.domain, Ipa::new(at.get())))?
    }

    fn past_caches(&self) -> bool {
        false
    }

    fn frame(&self, whose: DomainNumber, at: Ipa) -> Option<Frame> {
        let own = MEMORY.iter().any(|part| {
            let Part::Heap { at: first, pages } = part else { return false };
            (first.get()..first.get() + pages * PAGE_BYTES).contains(&at.get())
        });
        own.then(|| self.shown(whose, at))?
    }

    fn show(&mut self, to: DomainNumber, at: Ipa, frame: Frame, access: GuestAccess) -> Result<(), ShowError> {
        let attributes = GuestAttributes::new(access, Memory::Normal);
        self.edit(to, |space, here, system| {
            let mut stores = Stores { heap: &mut system.domain, vmap: &mut system.vmap, area: &mut space.area };
            space.tables.map(here, &mut stores, at, FrameRange::new(frame, 1), attributes).map_err(
                |error| match error {
                    TablesError::Map(_) => ShowError::Place,
                    TablesError::Limit | TablesError::Frames(_) | TablesError::Area(_) | TablesError::Vmap(_) => {
                        ShowError::Room
                    }
                },
            )
        })
    }

    fn hide(&mut self, from: DomainNumber, at: Ipa) {
        self.edit(from, |space, here, system| {
            let mut stores = Stores { heap: &mut system.domain, vmap: &mut system.vmap, area: &mut space.area };
            let hidden = space.tables.unmap(here, &mut stores, at, 1, |_| {});
            hidden.expect("it was shown there");
        });
    }

    fn upcall(&mut self, whose: DomainNumber, vcpu: u32) {
        self.upcalls.push((whose, vcpu));
    }

    fn is_up(&self, vcpu: u32) -> bool {
        vcpu == 0
    }

    fn callback(&self) -> u64 {
        2 << 56 | 31
    }

    fn print(&self, text: &[u8]) {
        self.printed.borrow_mut().extend_from_slice(text);
    }

    fn wait() {}
}
