//! What holds of every plan, and what each board that cannot work is told.

mod boards;
mod guest;
mod invariants;
mod random;
mod refused;
mod shipped;

use paging::{
    Entry, Frame, GuestAccess, GuestAttributes, Index, Ipa, Level, Mapper, Memory, PhysAddr, Root, Stage2, TableAccess,
    TableSource, VirtAddr,
};

use super::{Flavour, Plan, plan};
use crate::model::{Board, Device, DirectmapPolicy, Dma, Origin, Placement, ReservedKind, Sourced};
use boards::{arm64, bank, cores, domain, reserved, x86_64};

/// Plans every flavour of a board, checks what holds of every plan, returns the release plan.
fn check(board: &Board) -> Plan {
    let [release, debug, self_test] = Flavour::ALL.map(|flavour| {
        let plan = plan(board, flavour).unwrap_or_else(|found| panic!("{}", found.json()));
        invariants::check(&plan);
        plan
    });
    assert!(debug.footprint.frames > release.footprint.frames);
    assert!(self_test.footprint.frames > debug.footprint.frames);
    release
}

#[test]
fn the_model_boards_plan() {
    let plan = check(&arm64());
    assert_eq!(plan.load, PhysAddr::new(0x4020_0000));
    // The UART keeps its offset inside the page.
    assert_eq!(plan.fixed.console, Some(VirtAddr::new(0x0a00_0040_0040)));
    assert_eq!(plan.domains[0].memory.first.address(), PhysAddr::new(0x4040_0000));
    assert_eq!(plan.domains[0].ipa_bits, 39);
    let plan = check(&x86_64());
    assert_eq!(plan.load, PhysAddr::new(0x20_0000));
    assert_eq!(plan.trampoline, Some(Frame::new(0x9e)));
    assert_eq!(plan.fixmap_free, 3);
}

#[test]
fn the_same_board_gives_the_same_bytes() {
    for board in [arm64(), x86_64()] {
        let render = || crate::render::render(&check(&board)).expect("a plan renders");
        let files = render();
        assert_eq!(files, render());
        for file in files.iter().filter(|file| file.name.ends_with(".rs")) {
            syn::parse_file(&file.text).expect("generated Rust parses");
            assert!(!file.text.contains("unsafe") && !file.text.contains("cfg"), "{}", file.name);
        }
    }
}

#[test]
fn reservations_push_the_image_up() {
    let mut board = arm64();
    board.memory.reserved.push(reserved("tee", 0x4010_0000, 4 << 20, ReservedKind::NoMap));
    board.memory.reserved.push(reserved("also", 0x4030_0000, 2 << 20, ReservedKind::NoMap));
    assert_eq!(check(&board).load, PhysAddr::new(0x4060_0000));
}

#[test]
fn given_places_are_kept() {
    let mut board = arm64();
    board.boot.load = Placement::At(PhysAddr::new(0x5000_0000), Origin::Line(50));
    board.domains[0].memory_at = Placement::At(PhysAddr::new(0x4020_0000), Origin::Line(82));
    board.domains.push(domain("second", 64 << 20));
    let plan = check(&board);
    assert_eq!(plan.load, PhysAddr::new(0x5000_0000));
    let places = plan.domains.iter().map(|domain| domain.memory.first.address().get());
    assert_eq!(places.collect::<Vec<_>>(), [0x4020_0000, 0x4120_0000]);
    assert_eq!(plan.domains[1].vmid, 2);
}

#[test]
fn a_trusted_device_is_a_hole_in_every_report() {
    let device = |name: &str, value, number| Device {
        name: name.into(),
        mmio: Vec::new(),
        irqs: Vec::new(),
        compatible: Vec::new(),
        dma: Sourced { value, from: Origin::Line(number) },
        from: Origin::Line(90),
    };
    let mut board = arm64();
    assert_eq!(check(&board).holes, []);
    board.devices =
        vec![device("gpio", Dma::None, 91), device("nic", Dma::Trusted, 92), device("disk", Dma::Trusted, 93)];
    board.domains[0].devices = vec![0, 2];
    let plan = check(&board);
    let holes: Vec<_> = crate::map::holes(&plan).iter().map(ToString::to_string).collect();
    let expected = [
        "hole: device nic can reach all memory, owner none (platforms/model-arm64.toml:92)",
        "hole: device disk can reach all memory, owner payload (platforms/model-arm64.toml:93)",
    ];
    assert_eq!(holes, expected);
    let text = crate::map::text(&plan);
    assert!(expected.iter().all(|line| text.contains(line)) && !text.contains("gpio can"), "{text}");
    let files = crate::render::render(&plan).expect("a plan renders");
    let text = |name: &str| files.iter().find(|file| file.name == name).map(|file| file.text.clone());
    assert!(
        text("memory-map.md").is_some_and(|page| page.contains("| disk | payload | platforms/model-arm64.toml:93 |"))
    );
    let layout = text("layout.rs").unwrap_or_default();
    let hole = "device: \"disk\",\n        domain: Some(\"payload\"),\n        from: types::Origin::Line(93),";
    assert!(layout.contains(hole) && layout.contains("HOLES: [types::Hole; 2]"), "{layout}");
}

#[test]
fn another_image_window_is_used() {
    let mut board = arm64();
    board.layout.image_base = Placement::At(VirtAddr::new(0x1234_4020_0000), Origin::Line(60));
    let plan = check(&board);
    assert_eq!(plan.sections[0].link, VirtAddr::new(0x1234_4020_0000));
}

#[test]
fn a_large_machine_costs_tables_only_for_what_is_there() {
    for policy in [DirectmapPolicy::None, DirectmapPolicy::OnDemand, DirectmapPolicy::Full] {
        let mut board = arm64();
        board.directmap.value = policy;
        board.memory.pa_bits.value = 48;
        // 64 banks of 1 TiB, 1 TiB apart.
        board.memory.banks = (0..64).map(|number| bank((2 * number + 1) << 40, 1 << 40)).collect();
        board.memory.reserved.clear();
        board.layout.image_base = Placement::At(VirtAddr::new(0x0080_0020_0000), Origin::Line(60));
        board.cpus.cores = cores(1024);
        let plan = check(&board);
        let slots = 2 * 64;
        let directmap = match policy {
            DirectmapPolicy::None => 0,
            DirectmapPolicy::OnDemand => slots,
            // The gigabyte around the image is mapped by blocks of 2 MiB.
            DirectmapPolicy::Full => slots + 1,
        };
        // Nine that every plan has, three on the way to the identity page, one for the interrupt controller.
        assert_eq!(plan.tables.len(), 13 + directmap, "{policy:?}");
        assert_eq!(plan.cpu_frames.len(), 1024);
    }
}

#[test]
fn full_maps_what_may_be_mapped_and_nothing_twice() {
    for mut board in [arm64(), x86_64()] {
        board.directmap.value = DirectmapPolicy::Full;
        board.memory.reserved.push(reserved("tee", 0x2345_6000, 0x3000, ReservedKind::NoMap));
        let hidden = paging::FrameRange::new(Frame::new(0x2_3456), 3);
        let plan = check(&board);
        assert!(plan.mappings.iter().all(|mapping| !mapping.frames.intersects(hidden)));
        let mapped: u64 = plan.mappings.iter().filter(|m| m.region == "directmap").map(|m| m.frames.frames).sum();
        let ram: u64 = board.memory.banks.iter().map(|bank| bank.frames.frames).sum();
        assert!(mapped + 512 + 3 + 1 >= ram, "{mapped} of {ram} frames");
    }
}

/// Tables of a second stage, counted.
#[derive(Default)]
struct Tables(std::collections::BTreeMap<Frame, [u64; 512]>);

impl TableAccess for Tables {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.0[&table][index.get()])
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.0.entry(table).or_insert([0; 512])[index.get()] = entry.get();
    }
}

struct Counter(u64);

impl TableSource for Counter {
    fn allocate(&mut self) -> Option<Frame> {
        self.0 += 1;
        Some(Frame::new(self.0))
    }

    fn free(&mut self, _table: Frame) {}
}

#[test]
fn a_domain_may_have_the_tables_that_map_it_by_pages() {
    // Tables beside the memory's, and what makes whole chunks.
    let cases = [
        (0x4000_0000, 16 << 20, 40, 8),
        (0x3fe0_0000, 4 << 20, 40, 8),
        (0x0, 3 << 30, 40, 8 + 52),
        (0x8000_0000, (1 << 30) + (2 << 20), 36, 8 + 20),
        (0x7f_ffe0_0000, 4 << 20, 44, 8),
    ];
    for (ipa, bytes, pa_bits, beside) in cases {
        let mut board = arm64();
        board.memory.pa_bits.value = pa_bits;
        board.memory.banks = vec![bank(0x4000_0000, 8 << 30)];
        board.domains[0].ipa = Ipa::new(ipa);
        board.domains[0].memory_bytes = bytes;
        let plan = check(&board);
        let planned = &plan.domains[0];
        let mut tables = Tables::default();
        tables.0.insert(Frame::new(1), [0; 512]);
        let mut source = Counter(1);
        let root = Root::new(Frame::new(1), Stage2::start_level(planned.ipa_bits));
        let attributes = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
        Mapper::<Stage2>::new(root)
            .with_largest_leaf(Level::L3)
            .map(&mut ZeroFilled(&mut tables), &mut source, planned.ipa, planned.memory, attributes)
            .expect("the memory fits");
        assert_eq!(planned.tables_limit_frames, source.0 + beside, "{ipa:#x} {bytes:#x} {pa_bits}");
    }
}

/// Fresh frames read as zero.
struct ZeroFilled<'a>(&'a mut Tables);

impl TableAccess for ZeroFilled<'_> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        self.0.0.entry(table).or_insert([0; 512]);
        self.0.read(table, index)
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.0.write(table, index, entry);
    }
}
