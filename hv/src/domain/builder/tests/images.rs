//! Images: in their place, elsewhere, over themselves, over each other, of any length.

use std::vec::Vec;

use paging::{El2, FrameRange, Index, Ipa, PAGE_BYTES, Stage2};

use super::{
    ASIDE, BASE, Image, Part, Placed, RETENTIONS, Retention, assert_memory, destroy, is_scrubbed, make, plan, state,
    sum, write,
};
use crate::board::types::Images;
use crate::domain::builder::{BuildError, DomainPlan, pages_on};
use crate::mm::checker::Verdict;
use crate::mm::guest_rig::{Rig, with};
use crate::mm::rig::{BLOCK, System};

/// Pages of the domain's planned memory; what is set aside behind it holds images to be copied.
const PAGES: u64 = 96;
const OWN: FrameRange = FrameRange::new(ASIDE.first, PAGES);
const MEMORY: [Part; 1] = [Part::Planned { at: BASE, frames: OWN }];

/// An image that lies `from` pages into the domain's memory, for a place `to` pages into it.
fn image(from: u64, bytes: u64, to: u64) -> Image {
    Image { first: OWN.first.add(from), bytes, at: pages_on(BASE, to) }
}

/// Builds a domain with these images, checks all of its memory, and destroys it; how many pages were copied.
fn built(rig: &Rig<'_, El2>, system: &mut System, images: &[Image]) -> Vec<u64> {
    let before = state(system);
    let seeded: Vec<_> = images.iter().copied().zip(77..).collect();
    seeded.iter().for_each(|(image, seed)| write(rig.sim, image, *seed));
    let plan = DomainPlan { images, ..plan::<El2>(Retention::PoolWindow, &MEMORY) };
    let (built, placed) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
    assert_memory(rig, &built, PAGES, &seeded);
    let sums: Vec<_> = placed.iter().map(|placed| placed.sum).collect();
    assert_eq!(sums, seeded.iter().map(|(image, seed)| Some(sum(image, *seed))).collect::<Vec<_>>());
    assert!(rig.cpus[0].cache.figures().high_water <= 2);
    destroy(&rig.cpus[0], system, built);
    assert_eq!(state(system), before);
    let scrubbed = |page| is_scrubbed(rig.sim, OWN.first.add(page));
    assert!((0..PAGES).all(scrubbed), "what was set aside for the domain is scrubbed, and kept");
    placed.iter().map(|placed| placed.copied_pages).collect()
}

/// Builds one domain for each set of images, one after the other, and compares how many pages were copied.
fn check<const N: usize>(cases: impl IntoIterator<Item = ([Image; N], [u64; N])>) {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        for (images, copied) in cases {
            assert_eq!(built(rig, system, &images), copied, "{images:?}");
        }
    });
}

#[test]
fn images_that_lie_in_their_place_are_not_copied() {
    check([([image(8, 5 * PAGE_BYTES + 9, 8), image(20, PAGE_BYTES, 20)], [0, 0])]);
}

#[test]
fn images_of_a_trusted_loader_are_read_only_where_they_are_copied() {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let images = [image(8, 5 * PAGE_BYTES + 9, 8), image(40, 3 * PAGE_BYTES, 20)];
        let seeded: Vec<_> = images.iter().copied().zip(77..).collect();
        seeded.iter().for_each(|(image, seed)| write(rig.sim, image, *seed));
        // As the loader does with what it has put in its place: the guest begins with its caches off.
        for page in 0..images[0].pages() {
            for index in Index::all() {
                rig.sim.memory.clean(images[0].first.add(page), index).expect("it is RAM");
            }
        }
        let care = Images::Trusted;
        let plan = DomainPlan { images: &images, care, ..plan::<El2>(Retention::PoolWindow, &MEMORY) };
        let (built, placed) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
        assert_memory(rig, &built, PAGES, &seeded);
        assert_eq!(
            placed[..],
            [
                Placed { copied_pages: 0, sum: None },
                Placed { copied_pages: 3, sum: Some(sum(&images[1], seeded[1].1)) }
            ]
        );
        destroy(&rig.cpus[0], system, built);
    });
}

#[test]
fn lengths_are_exact_to_the_byte() {
    let lengths = [0, 1, 7, 8, 9, 255, 256, 257, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES - 5];
    let copied = |bytes: u64| ([image(PAGES + 10, bytes, 40)], [bytes.div_ceil(PAGE_BYTES)]);
    let in_place = |bytes| ([image(40, bytes, 40)], [0]);
    check(lengths.into_iter().flat_map(|bytes| [copied(bytes), in_place(bytes)]));
}

#[test]
fn an_image_moves_over_itself_in_both_directions() {
    check([21, 25, 30, 19, 15, 10].map(|to| ([image(20, 10 * PAGE_BYTES + 100, to)], [11])));
}

#[test]
fn an_image_that_lies_outside_of_everything_mapped_is_copied_and_its_source_left_alone() {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let source = Image { first: ASIDE.first.add(BLOCK - 4), bytes: 4 * PAGE_BYTES, at: BASE };
        write(rig.sim, &source, 3);
        assert_eq!(rig.cpus[0].cpu.translations(paging::VirtAddr::new(source.first.address().get())), []);
        let images = [source];
        let memory = super::heap(20);
        for retention in RETENTIONS {
            let plan = DomainPlan { images: &images, memory: &memory, ..plan::<El2>(retention, &[]) };
            let (built, placed) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
            assert_eq!(placed, [Placed { copied_pages: 4, sum: Some(sum(&source, 3)) }]);
            assert_memory(rig, &built, 20, &[(source, 3)]);
            destroy(&rig.cpus[0], system, built);
        }
        let first = rig.sim.memory.load(source.first, Index::new(0)).map(u64::to_le_bytes);
        assert_eq!(first.map(|bytes| bytes[0]), Some(super::byte(3, 0)), "the source was only read");
    });
}

/// Why there is no domain with these images; whatever was begun is undone.
fn refused(images: &[Image]) -> Option<BuildError<Stage2>> {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let before = state(system);
        let plan = DomainPlan { images, ..plan::<El2>(Retention::PoolWindow, &MEMORY) };
        let error = make::<El2, Stage2>(&rig.cpus[0], system, &plan).err();
        assert_eq!(state(system), before);
        error
    })
}

#[test]
fn images_that_do_not_fit_or_overwrite_each_other_are_refused() {
    let at = |page| pages_on(BASE, page);
    let outside = BuildError::Outside(at(PAGES - 1));
    assert_eq!(refused(&[image(200, 2 * PAGE_BYTES, PAGES - 1)]), Some(outside));
    let odd = Ipa::new(BASE.get() + 8);
    assert_eq!(refused(&[Image { at: odd, ..image(200, 8, 0) }]), Some(BuildError::Outside(odd)));
    // The first one's place is where the second one still lies.
    let lies_there = [image(200, 3 * PAGE_BYTES, 10), image(12, PAGE_BYTES, 50)];
    assert_eq!(refused(&lies_there), Some(BuildError::Overwrites(at(10))));
    let same_place = [image(200, 3 * PAGE_BYTES, 10), image(210, PAGE_BYTES, 12)];
    assert_eq!(refused(&same_place), Some(BuildError::Overwrites(at(10))));
    // In the other order each is out of the way.
    check([([image(12, PAGE_BYTES, 50), image(200, 3 * PAGE_BYTES, 10)], [1, 3])]);
}
