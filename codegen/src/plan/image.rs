//! Where the image goes: the trampoline, the load address, and why a given one cannot be used.
//!
//! Never moves what the file places.

use paging::{Frame, PAGE_BYTES, PhysAddr};

use super::interval::Owner;
use super::mappings::directmap_slots;
use super::physical::{Physical, addresses, span};
use super::placement::{Draft, IMAGE_WINDOW_BYTES, Inputs, TooLarge};
use super::refusal::Refusal;
use super::tables::index;
use super::windows::BLOCK_BYTES;
use crate::codes;
use crate::diagnostic::{Radix, human_bytes};
use crate::model::{Arch, Board, EnableMethod, Origin, Placement};

/// Real mode reaches conventional memory only, which ends here on every PC.
const TRAMPOLINE_LIMIT: PhysAddr = PhysAddr::new(640 << 10);

/// Claims the frame in which x86 secondaries start, where they are started that way.
pub(super) fn place_trampoline(
    board: &Board,
    physical: &mut Physical<'_>,
    refusals: &mut Vec<Refusal>,
) -> Option<Frame> {
    match board.cpus.enable.value {
        EnableMethod::Sipi => {}
        EnableMethod::Psci(_) | EnableMethod::Psci01(..) | EnableMethod::SpinTable | EnableMethod::None => return None,
    }
    // Frame 0 holds the real-mode vectors.
    let free = physical.highest_frame(PhysAddr::new(PAGE_BYTES), TRAMPOLINE_LIMIT);
    let help = match free {
        Some(at) => format!("use {at}, or \"auto\""),
        None => "free a frame of RAM below 640 KiB, other than frame 0".into(),
    };
    let (at, from) = match (board.boot.trampoline, free) {
        (Placement::At(frame, from), _) => (frame.address(), from),
        (Placement::Auto(from), Some(at)) => (at, from),
        (Placement::Auto(from), None) => {
            let message = "no frame of RAM below 640 KiB is free for the trampoline".into();
            refusals.push(
                Refusal::new(&codes::E0509, message, board.cpus.enable.from, "secondaries start there")
                    .and(from, "trampoline")
                    .help(help),
            );
            return None;
        }
    };
    let range = span(at, PAGE_BYTES);
    if !physical.is_ram(&range) {
        let refusal = physical.outside(&codes::E0508, "trampoline", &range, from, "trampoline");
        refusals.push(refusal.help(help));
        return None;
    }
    match physical.claim(range, Owner::new("trampoline", from), &codes::E0508) {
        Ok(()) => Some(Frame::containing(at)),
        Err(refusal) => {
            refusals.push(refusal.help(help));
            None
        }
    }
}

/// Where an image may end at most: what the turn-on root can name. x86-64 loads it in 32-bit mode
/// (Intel SDM vol. 3, "Initializing IA-32e Mode"); AArch64 maps it at its own address, of 48 bits.
const fn limit(arch: Arch) -> PhysAddr {
    match arch {
        Arch::Aarch64 => PhysAddr::new(1 << 48),
        Arch::X86_64 => PhysAddr::new(1 << 32),
    }
}

/// Whether the directmap window covers RAM; tables can be drafted only then.
fn directmap_fits(inputs: &Inputs<'_>, refusals: &mut Vec<Refusal>) -> bool {
    let board = inputs.board;
    let slots = directmap_slots(board, inputs.map);
    let end = match board.arch {
        Arch::Aarch64 => 1 << 48,
        Arch::X86_64 => inputs.map.slots.domain.get(),
    };
    if slots.iter().all(|slot| slot.get() < end) {
        return true;
    }
    let window = end - inputs.map.slots.directmap.get();
    let beyond = |bank: &&crate::model::RamBank| addresses(bank.frames).end.get() > window;
    let bank = board.memory.banks.iter().find(beyond);
    let from = bank.map_or(Origin::Default, |bank| bank.from);
    let message = format!("RAM reaches beyond the {} that the directmap window covers", human_bytes(window));
    refusals.push(
        Refusal::new(&codes::E0604, message, board.directmap.from, "policy")
            .and(from, "bank")
            .help("use `policy = \"none\"`, which needs no window"),
    );
    false
}

/// Drafts the image where the file says or in the lowest hole, and claims what it takes.
pub(super) fn place(inputs: &Inputs<'_>, physical: &mut Physical<'_>, refusals: &mut Vec<Refusal>) -> Option<Draft> {
    if !directmap_fits(inputs, refusals) {
        return None;
    }
    let tables = index::FIXED as u64;
    if inputs.image_bytes(tables) > IMAGE_WINDOW_BYTES {
        refusals.push(too_large(inputs, &TooLarge { tables }));
        return None;
    }
    let draft = match inputs.board.boot.load {
        Placement::At(load, from) => given(inputs, load, from, physical, refusals),
        Placement::Auto(from) => lowest(inputs, from, physical, refusals),
    }?;
    match claim(inputs, &draft, physical) {
        Ok(()) => Some(draft),
        Err(refusal) => {
            refusals.push(refusal.help(free_load(inputs, physical)));
            None
        }
    }
}

fn given(
    inputs: &Inputs<'_>,
    load: PhysAddr,
    from: Origin,
    physical: &Physical<'_>,
    refusals: &mut Vec<Refusal>,
) -> Option<Draft> {
    let bytes = inputs.footprint_frames(index::FIXED as u64 + 3) * PAGE_BYTES;
    let range = Radix::Hex.range(load.get(), bytes);
    let limit = limit(inputs.board.arch);
    if !ends_below(inputs, load, limit) {
        let message = format!("the image {range} does not lie below {limit}, where its entry code runs");
        refusals.push(Refusal::new(&codes::E0507, message, from, "load address").help(free_load(inputs, physical)));
        return None;
    }
    if inputs.meets_image_window(Frame::containing(load)) {
        refusals.push(meets_window(inputs, load, from));
        return None;
    }
    let draft = drafted(inputs, load, refusals)?;
    let footprint = addresses(draft.footprint);
    if !physical.is_ram(&footprint) {
        let what = "the image with its stacks and tables";
        let refusal = physical.outside(&codes::E0502, what, &footprint, from, "load address");
        refusals.push(refusal.help(free_load(inputs, physical)));
        return None;
    }
    Some(draft)
}

fn lowest(inputs: &Inputs<'_>, from: Origin, physical: &Physical<'_>, refusals: &mut Vec<Refusal>) -> Option<Draft> {
    if let Some(load) = hole(inputs, physical) {
        return drafted(inputs, load, refusals);
    }
    let bytes = inputs.footprint_frames(index::FIXED as u64 + 3) * PAGE_BYTES;
    let limit = limit(inputs.board.arch);
    let anywhere = |load| if ends_below(inputs, load, limit) { bytes } else { u64::MAX };
    let fits_elsewhere = physical.lowest_hole(physical.floor(), limit, BLOCK_BYTES, anywhere);
    refusals.push(match fits_elsewhere {
        Some(load) => meets_window(inputs, load, from),
        None => no_hole(inputs, bytes, from, physical),
    });
    None
}

fn drafted(inputs: &Inputs<'_>, load: PhysAddr, refusals: &mut Vec<Refusal>) -> Option<Draft> {
    let draft = inputs.draft(load);
    draft.map_err(|found| refusals.push(too_large(inputs, &found))).ok()
}

/// Whether an image at `load` ends at or below `limit`, however many tables it takes: a draft names no frame beyond.
fn ends_below(inputs: &Inputs<'_>, load: PhysAddr, limit: PhysAddr) -> bool {
    let most = inputs.footprint_frames(IMAGE_WINDOW_BYTES / PAGE_BYTES) * PAGE_BYTES;
    load.checked_add(most).is_some_and(|end| end <= limit)
}

/// The lowest hole whose identity page does not meet the image window.
fn hole(inputs: &Inputs<'_>, physical: &Physical<'_>) -> Option<PhysAddr> {
    let limit = limit(inputs.board.arch);
    let nowhere = |load| !ends_below(inputs, load, limit) || inputs.meets_image_window(Frame::containing(load));
    let bytes = |load: PhysAddr| match nowhere(load) {
        true => u64::MAX,
        // One that is too large is refused where it would have been placed.
        false => inputs.draft(load).map_or(BLOCK_BYTES, |draft| draft.footprint.bytes()),
    };
    physical.lowest_hole(physical.floor(), limit, BLOCK_BYTES, bytes)
}

fn free_load(inputs: &Inputs<'_>, physical: &Physical<'_>) -> String {
    match hole(inputs, physical) {
        Some(load) => format!("load it at {load}, or say \"auto\""),
        None => "no 2 MiB aligned hole in RAM is large enough: free some RAM".into(),
    }
}

/// Claims the parts of the footprint, each under its own name.
fn claim(inputs: &Inputs<'_>, draft: &Draft, physical: &mut Physical<'_>) -> Result<(), Refusal> {
    let layout = &inputs.board.layout;
    let (Placement::At(_, load_from) | Placement::Auto(load_from)) = inputs.board.boot.load;
    // The whole first, so that a clash is reported once and by the name people know.
    let whole = Owner::new("the image with its stacks and tables", load_from);
    physical.probe(&addresses(draft.footprint), &whole, &codes::E0501)?;
    for section in &draft.sections {
        physical.claim(span(section.base, section.bytes), Owner::new(section.name, section.from), &codes::E0501)?;
    }
    let cpus = inputs.board.cpus.enable.from;
    let parts = [
        ("stacks", draft.stacks, layout.stack_bytes.from),
        ("scratch", draft.scratch, layout.mapcache_slots.from),
        ("secondary tables", draft.secondary_tables, cpus),
        ("manifest", paging::FrameRange::new(draft.manifest, 1), Origin::Default),
    ];
    for (name, frames, from) in parts {
        physical.claim(addresses(frames), Owner::new(name, from), &codes::E0501)?;
    }
    Ok(())
}

fn meets_window(inputs: &Inputs<'_>, load: PhysAddr, from: Origin) -> Refusal {
    let message = format!(
        "the entry code at {load} is mapped at its own address while the MMU comes on, and there lies the image window {}",
        inputs.map.image
    );
    // One top-level entry further up is as good as the planned one, or further down where that is the last.
    let entry = paging::Level::L0.entry_bytes();
    let image = inputs.map.image.get();
    let other = image.checked_add(entry).unwrap_or(image - entry);
    Refusal::new(&codes::E0505, message, from, "load address")
        .and(inputs.map.image_from, "image window")
        .help(format!("move the window: `image = {{ base = {}, … }}`", paging::VirtAddr::new(other)))
}

fn no_hole(inputs: &Inputs<'_>, bytes: u64, from: Origin, physical: &Physical<'_>) -> Refusal {
    let message = format!(
        "no free 2 MiB aligned range of RAM below {} holds the image with its stacks and tables, {}",
        limit(inputs.board.arch),
        human_bytes(bytes)
    );
    let help = match physical.largest_hole(BLOCK_BYTES) {
        Some(gap) => format!(
            "the largest hole is {}: shrink a reservation or a domain, or the stacks of {} cores",
            Radix::Hex.range(gap.start.get(), gap.end.get() - gap.start.get()),
            inputs.board.cpus.cores.len()
        ),
        None => "free some RAM: shrink a reservation or a domain".into(),
    };
    let bank = inputs.board.memory.banks.first().map_or(Origin::Default, |bank| bank.from);
    Refusal::new(&codes::E0503, message, from, "load address").and(bank, "first bank").help(help)
}

fn too_large(inputs: &Inputs<'_>, found: &TooLarge) -> Refusal {
    let extents = inputs.extents();
    let bytes = inputs.image_bytes(found.tables);
    let message = format!(
        "the {} image's text {}, rodata {}, tables {} and data {} are {}, the image window holds {}",
        inputs.flavour.word(),
        human_bytes(extents.text.value),
        human_bytes(extents.rodata.value),
        human_bytes(found.tables * PAGE_BYTES),
        human_bytes(extents.data.value),
        human_bytes(bytes),
        human_bytes(IMAGE_WINDOW_BYTES)
    );
    let parts = [("text", &extents.text), ("rodata", &extents.rodata), ("data", &extents.data)];
    let (name, largest) = parts.into_iter().max_by_key(|(_, extent)| extent.value).expect("three extents");
    // Room for a few more tables than have been counted when the window was full.
    let tables = (found.tables + 4) * PAGE_BYTES;
    let others = parts.iter().filter(|(other, _)| *other != name).map(|(_, extent)| extent.value);
    let rest = others.fold(tables, u64::saturating_add);
    let help = match IMAGE_WINDOW_BYTES.checked_sub(rest) {
        Some(room) if room > 0 => {
            format!("give {name} of the {} image at most {}", inputs.flavour.word(), human_bytes(room))
        }
        _ => "shrink all three extents".into(),
    };
    Refusal::new(&codes::E0504, message, largest.from, name).help(help)
}
