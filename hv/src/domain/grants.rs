//! Grants, version 1: pages that a domain lets another one copy or map. Xen, public/grant_table.h.
//!
//! The table is the granting domain's own memory: an entry is read once, and the bits that say it is in use are set in
//! the same step. Pages that are copied are mapped for the copy alone; pages that are mapped are in the other domain's
//! translation, never in the hypervisor's.

use arrayvec::ArrayVec;
use paging::{Frame, GuestAccess, Index, Ipa, PAGE_BYTES};

use super::guests::Guest;
use super::world::{DomainNumber, ShowError, Updated, World, change, page_at, update};

#[cfg(test)]
mod tests;

/// Frames of a domain's table.
pub const FRAMES: usize = 4;
/// Grants that a domain may have mapped at once.
pub const MAPS: usize = 64;
/// Entries of a frame: `struct grant_entry_v1` has 8 bytes.
const ENTRIES: u32 = 512;

/// `GTF_permit_access` under `GTF_type_mask`, with none of the kinds of version 2 (`GTF_sub_page`, bit 8).
const TYPE_MASK: u64 = 0b11 | 1 << 8;
const PERMIT_ACCESS: u64 = 1;
/// `GTF_readonly`, `GTF_reading`, `GTF_writing`.
const READONLY: u64 = 1 << 2;
const READING: u64 = 1 << 3;
const WRITING: u64 = 1 << 4;

/// `GNTST_*`: what an operation on a grant comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Status {
    /// It is done.
    Okay = 0,
    /// It makes no sense.
    General = -1,
    /// There is no such domain.
    BadDomain = -2,
    /// There is no such grant, or not for this domain.
    BadReference = -3,
    /// There is no such mapping.
    BadHandle = -4,
    /// Nothing can be mapped there.
    BadAddress = -5,
    /// The grant is for reading only.
    Denied = -8,
    /// The granting domain has no memory there.
    BadPage = -9,
    /// The bytes leave their page.
    BadCopy = -10,
    /// No handle or no table left.
    NoSpace = -13,
}

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRef {
    /// Who grants.
    pub by: DomainNumber,
    /// Which entry of its table.
    pub entry: u32,
}

/// A grant that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Which.
    pub grant: GrantRef,
    /// Where the domain sees it.
    pub at: Ipa,
    /// For what.
    pub access: GuestAccess,
}

/// A domain's grants.
#[derive(Debug)]
pub struct Grants {
    /// Its table.
    pub frames: [Frame; FRAMES],
    /// What it has mapped of others'; a handle is a place here.
    maps: ArrayVec<Option<Map>, MAPS>,
    /// How often others have mapped grants of its own.
    mapped: u32,
}

impl Grants {
    pub(super) fn new(frames: [Frame; FRAMES]) -> Self {
        Self { frames, maps: ArrayVec::new(), mapped: 0 }
    }

    /// Grants that it has mapped.
    pub fn maps(&self) -> impl Iterator<Item = Map> {
        self.maps.iter().filter_map(|map| *map)
    }
}

type All = [Option<Guest>];

fn guest(all: &mut All, whose: DomainNumber) -> Result<&mut Guest, Status> {
    super::events::guest(all, whose).map_err(|_| Status::BadDomain)
}

/// One side of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// What is copied from or to.
    pub page: Page,
    /// First byte in the page.
    pub offset: u16,
}

/// A page, as a copy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The caller's own, by its number.
    Own(u64),
    /// A granted one.
    Granted(GrantRef),
}

/// A page that is used, and how it is given back.
struct Pinned {
    whose: DomainNumber,
    frame: Frame,
    grant: Option<(GrantRef, GuestAccess)>,
}

/// Copies `bytes` bytes.
pub(super) fn copy<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    from: Side,
    to: Side,
    bytes: u16,
) -> Status {
    let ends_in_page = |side: &Side| u64::from(side.offset) + u64::from(bytes) <= PAGE_BYTES;
    if !ends_in_page(&from) || !ends_in_page(&to) {
        return Status::BadCopy;
    }
    let source = match pin(world, all, from.page, GuestAccess::Read) {
        Ok(source) => source,
        Err(status) => return status,
    };
    let status = match pin(world, all, to.page, GuestAccess::ReadWrite) {
        Ok(target) => {
            let done = move_bytes(world, (&source, from.offset), (&target, to.offset), bytes);
            unpin(world, all, &target);
            done
        }
        Err(status) => status,
    };
    unpin(world, all, &source);
    status
}

fn move_bytes<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    (source, from): (&Pinned, u16),
    (target, to): (&Pinned, u16),
    bytes: u16,
) -> Status {
    let opened = (world.open(source.whose, source.frame), world.open(target.whose, target.frame));
    let (Ok(source), Ok(target)) = opened else { return Status::NoSpace };
    match source.copy_to(usize::from(from), &target, usize::from(to), usize::from(bytes)) {
        Ok(()) => Status::Okay,
        Err(_) => Status::BadCopy,
    }
}

fn pin<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    page: Page,
    access: GuestAccess,
) -> Result<Pinned, Status> {
    let me = world.caller().domain;
    match page {
        Page::Own(number) => {
            let frame = page_at(number).and_then(|at| world.frame(me, at)).ok_or(Status::BadPage)?;
            Ok(Pinned { whose: me, frame, grant: None })
        }
        Page::Granted(grant) => {
            let frame = acquire(world, all, grant, me, access)?;
            Ok(Pinned { whose: grant.by, frame, grant: Some((grant, access)) })
        }
    }
}

fn unpin<const SLOTS: usize>(world: &impl World<SLOTS>, all: &mut All, page: &Pinned) {
    if let Some((grant, access)) = page.grant {
        release(world, all, grant, access);
    }
}

/// Where an entry is.
fn entry(all: &mut All, grant: GrantRef) -> Result<(Frame, Index), Status> {
    let table = &guest(all, grant.by)?.grants.frames;
    let frame = table.get((grant.entry / ENTRIES) as usize).ok_or(Status::BadReference)?;
    Ok((*frame, Index::new((grant.entry % ENTRIES) as usize)))
}

/// The frame of a grant, whose entry says from now on that it is in use.
fn acquire<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    grant: GrantRef,
    user: DomainNumber,
    access: GuestAccess,
) -> Result<Frame, Status> {
    let (frame, index) = entry(all, grant)?;
    let page = world.open(grant.by, frame).map_err(|_| Status::NoSpace)?;
    let permits = |word: u64| {
        let (flags, domain) = (word & 0xffff, word >> 16 & 0xffff);
        flags & TYPE_MASK == PERMIT_ACCESS && domain == u64::from(user.get())
    };
    let used = in_use(access);
    let allowed = |word: u64| permits(word) && (word & READONLY == 0 || used & WRITING == 0);
    match update(&page, index, |word| allowed(word).then_some(word | used)) {
        Updated::Changed(word) => {
            drop(page);
            let frame = page_at(word >> 32).and_then(|at| world.frame(grant.by, at));
            frame.ok_or_else(|| {
                release(world, all, grant, access);
                Status::BadPage
            })
        }
        Updated::Kept(word) if permits(word) => Err(Status::Denied),
        Updated::Kept(_) => Err(Status::BadReference),
        Updated::Contended => Err(Status::General),
    }
}

/// The bits that say for what an entry is in use.
fn in_use(access: GuestAccess) -> u64 {
    match access {
        GuestAccess::Read | GuestAccess::ReadExecute => READING,
        GuestAccess::ReadWrite | GuestAccess::ReadWriteExecute => READING | WRITING,
    }
}

/// One use of a grant is over: its entry says for what it is in use still. An entry that its domain writes all the time
/// may keep a bit too many, to that domain's own loss.
fn release<const SLOTS: usize>(world: &impl World<SLOTS>, all: &mut All, grant: GrantRef, access: GuestAccess) {
    let Ok((frame, index)) = entry(all, grant) else { return };
    let gone = in_use(access) & !used_by_maps(all, grant);
    if let Ok(page) = world.open(grant.by, frame) {
        change(&page, index, gone, 0);
    }
}

/// The bits that a grant's mappings need.
fn used_by_maps(all: &All, grant: GrantRef) -> u64 {
    let owner = all.get(grant.by.index()).and_then(Option::as_ref);
    if owner.is_none_or(|owner| owner.grants.mapped == 0) {
        return 0;
    }
    let maps = all.iter().flatten().flat_map(|guest| guest.grants.maps());
    maps.filter(|map| map.grant == grant).fold(0, |bits, map| bits | in_use(map.access))
}

/// Shows a granted page in the caller's memory; returns the mapping's handle.
pub(super) fn map<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    wanted: Map,
) -> Result<u32, Status> {
    let me = world.caller().domain;
    let maps = &guest(all, me)?.grants.maps;
    let handle = maps.iter().position(Option::is_none).unwrap_or(maps.len());
    if handle == MAPS {
        return Err(Status::NoSpace);
    }
    let frame = acquire(world, all, wanted.grant, me, wanted.access)?;
    if let Err(error) = world.show(me, wanted.at, frame, wanted.access) {
        release(world, all, wanted.grant, wanted.access);
        return Err(match error {
            ShowError::Place => Status::BadAddress,
            ShowError::Room => Status::NoSpace,
        });
    }
    guest(all, wanted.grant.by)?.grants.mapped += 1;
    let maps = &mut guest(all, me)?.grants.maps;
    match maps.get_mut(handle) {
        Some(free) => *free = Some(wanted),
        None => maps.push(Some(wanted)),
    }
    Ok(handle as u32)
}

/// Takes a mapping of the caller's away.
pub(super) fn unmap<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    handle: u32,
    at: Ipa,
) -> Result<(), Status> {
    let me = world.caller().domain;
    let place = guest(all, me)?.grants.maps.get_mut(handle as usize).ok_or(Status::BadHandle)?;
    match *place {
        Some(map) if map.at == at => {
            *place = None;
            undo(world, all, me, map);
            Ok(())
        }
        Some(_) => Err(Status::BadAddress),
        None => Err(Status::BadHandle),
    }
}

/// What is left to do once a mapping is no longer listed.
fn undo<const SLOTS: usize>(world: &mut impl World<SLOTS>, all: &mut All, whose: DomainNumber, map: Map) {
    world.hide(whose, map.at);
    if let Ok(owner) = guest(all, map.grant.by) {
        owner.grants.mapped -= 1;
    }
    release(world, all, map.grant, map.access);
}

/// The end of a domain: others lose what it granted, and it loses what others did.
pub(super) fn revoke<const SLOTS: usize>(world: &mut impl World<SLOTS>, all: &mut All, whose: DomainNumber) {
    for number in (1..).map_while(DomainNumber::new).take(all.len()) {
        for handle in 0..MAPS {
            let Ok(guest) = guest(all, number) else { break };
            let Some(place) = guest.grants.maps.get_mut(handle) else { break };
            if let Some(map) = place.take_if(|map| number == whose || map.grant.by == whose) {
                undo(world, all, number, map);
            }
        }
    }
}
