//! What a guest sees, in the plan and in its device tree: that both agree, and that nothing lies on anything else.

use std::ops::Range;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};
use paging::{Frame, Ipa, PhysAddr};

use super::boards::{arm64, domain};
use super::check;
use crate::codes;
use crate::model::{
    Board, Device, Dma, GicPages, GuestConsole, Initrd, InitrdSource, Irq, Mmio, OnReboot, Origin, Sourced,
};
use crate::plan::{Flavour, GuestGic, GuestMap, GuestRange, Plan, PlannedDomain, plan};

const INITRD_BYTES: u64 = 0x12_3456;

fn mmio(base: u64, bytes: u64) -> Mmio {
    Mmio { base: PhysAddr::new(base), bytes, from: Origin::Line(40) }
}

fn gicv2(pages: GicPages) -> Irq {
    Irq::GicV2 {
        gicd: mmio(0xf901_0000, 0x1_0000),
        gicc: mmio(0xf902_0000, 0x2_0000),
        gich: Some(mmio(0xf904_0000, 0x2_0000)),
        gicv: Some(mmio(0xf906_0000, 0x2_0000)),
        pages,
        v2m: Vec::new(),
        maintenance_intid: Some(25),
    }
}

/// Two domains that differ in everything a guest can see.
fn two_guests(irq: Irq) -> Board {
    let from = Origin::Line(90);
    let mut board = arm64();
    board.irq = irq;
    board.devices = vec![Device {
        name: "rtc".into(),
        mmio: vec![mmio(0x0c01_0000, 0x1000)],
        irqs: vec![32, 34],
        compatible: vec!["arm,pl031".into(), "arm,primecell".into()],
        dma: Sourced { value: Dma::None, from },
        from,
    }];
    let mut linux = domain("linux", 64 << 20);
    linux.vcpus.value = 3;
    linux.ipa = Ipa::new(0x0800_0000);
    linux.console.value = GuestConsole::Pl011;
    linux.devices = vec![0];
    let source = Sourced { value: InitrdSource::Busybox, from };
    linux.initrd = Some(Initrd { source, max: Sourced { value: 0x12_4000, from } });
    board.domains.push(linux);
    board.domains[0].console.value = GuestConsole::Board;
    board
}

/// Every board that the tests below look at.
fn boards() -> Vec<Board> {
    let mut many = arm64();
    many.domains[0].vcpus.value = 17;
    let kinds = [arm64().irq, gicv2(GicPages::Adjacent), gicv2(GicPages::Aliased64K)];
    kinds.map(two_guests).into_iter().chain([many]).collect()
}

/// A node's property as 64-bit numbers.
fn numbers(node: FdtNode<'_>, name: &str) -> Vec<u64> {
    let property = node.property(name).unwrap_or_else(|| panic!("{} has no {name}", node.name()));
    property.value().chunks(8).map(|bytes| u64::from_be_bytes(bytes.try_into().expect("whole numbers"))).collect()
}

/// A node's property as cells.
fn cells(node: FdtNode<'_>, name: &str) -> Vec<u32> {
    let property = node.property(name).unwrap_or_else(|| panic!("{} has no {name}", node.name()));
    property.value().chunks(4).map(|bytes| u32::from_be_bytes(bytes.try_into().expect("whole cells"))).collect()
}

/// A node's property as texts.
fn texts(node: FdtNode<'_>, name: &str) -> Vec<String> {
    let property = node.property(name).unwrap_or_else(|| panic!("{} has no {name}", node.name()));
    let text = std::str::from_utf8(property.value()).expect("text");
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn span(range: GuestRange) -> Range<u64> {
    range.base.get()..range.base.get() + range.bytes
}

/// Guest-physical ranges of everything but memory, named.
fn windows(map: &GuestMap) -> Vec<(String, Range<u64>)> {
    let mut list = vec![("ring".to_owned(), span(map.console_ring)), ("grants".to_owned(), span(map.grants))];
    list.extend(map.uart.map(|uart| ("uart".to_owned(), span(uart.registers))));
    match map.gic {
        GuestGic::V2 { gicd, gicc, .. } => list.extend([("gicd".into(), span(gicd)), ("gicc".into(), span(gicc))]),
        GuestGic::V3 { gicd, gicr } => list.extend([("gicd".into(), span(gicd)), ("gicr".into(), span(gicr))]),
        GuestGic::None => {}
    }
    for device in &map.passed {
        let frames = device.frames().map(|frames| frames.first.address().get()..frames.end().address().get());
        list.extend(frames.map(|range| (device.name.clone(), range)));
    }
    list
}

#[test]
fn no_window_lies_on_another_or_on_memory() {
    for board in boards() {
        let plan = check(&board);
        for domain in &plan.domains {
            let memory = domain.ipa.get()..domain.ipa.get() + domain.memory.bytes();
            let mut all = windows(&domain.map);
            all.push(("memory".into(), memory));
            for (index, (name, range)) in all.iter().enumerate() {
                assert!(range.end <= 1 << domain.ipa_bits, "{name}");
                for (other, theirs) in &all[..index] {
                    assert!(range.end <= theirs.start || theirs.end <= range.start, "{name} meets {other}");
                }
            }
        }
    }
}

#[test]
fn the_tree_says_what_the_plan_says() {
    for board in boards() {
        let plan = check(&board);
        for (number, domain) in plan.domains.iter().enumerate() {
            let initrd = domain.initrd.map(|_| INITRD_BYTES);
            let blob = crate::guest_tree(&plan, number, initrd);
            assert_eq!(blob, crate::guest_tree(&plan, number, initrd));
            assert!(blob.len() as u64 <= plan.blobs[domain.device_tree].max_bytes);
            let tree = Fdt::new(&blob).expect("the blob is a device tree");
            agrees(&plan, number, domain, tree.root());
        }
    }
}

fn agrees(plan: &Plan, number: usize, domain: &PlannedDomain, root: FdtNode<'_>) {
    let map = &domain.map;
    let node = |name: &str| root.child(name).unwrap_or_else(|| panic!("no node {name}"));
    assert_eq!(texts(root, "compatible"), ["xen,xenvm-4.17", "xen,xenvm"]);
    let memory = node("memory");
    assert_eq!(numbers(memory, "reg"), [domain.ipa.get(), domain.memory.bytes()]);
    let ids: Vec<u32> = node("cpus").children().flat_map(|cpu| cells(cpu, "reg")).collect();
    assert_eq!((ids.len(), &ids), (domain.vcpus as usize, &map.vcpu_ids));
    assert!(node("cpus").children().all(|cpu| texts(cpu, "enable-method") == ["psci"]));
    assert_eq!(texts(node("psci"), "method"), ["hvc"]);
    let xen = node("hypervisor");
    assert_eq!(numbers(xen, "reg"), [map.grants.base.get(), map.grants.bytes]);
    assert_eq!(cells(xen, "interrupts"), [1, map.event_intid - 16, 8]);
    assert_eq!(cells(node("timer"), "interrupts"), [1, 13, 8, 1, 14, 8, 1, 11, 8, 1, 10, 8]);
    controller(map, node("interrupt-controller"), root);
    let chosen = node("chosen");
    assert_eq!(texts(chosen, "bootargs"), [plan.board.domains[number].command_line.clone()]);
    match domain.initrd {
        Some(index) => {
            let start = plan.blobs[index].ipa.get();
            assert_eq!(numbers(chosen, "linux,initrd-start"), [start]);
            assert_eq!(numbers(chosen, "linux,initrd-end"), [start + INITRD_BYTES]);
        }
        None => assert!(chosen.property("linux,initrd-start").is_none()),
    }
    console(plan, domain, root);
    for device in map.passed.iter().filter(|device| !device.compatible.is_empty()) {
        let found = node(&device.name);
        assert_eq!(texts(found, "compatible"), device.compatible);
        assert_eq!(numbers(found, "reg"), [device.mmio[0].base.get(), device.mmio[0].bytes]);
        assert_eq!(cells(found, "interrupts"), [0, 0, 4, 0, 2, 4]);
    }
}

fn controller(map: &GuestMap, node: FdtNode<'_>, root: FdtNode<'_>) {
    let (compatible, gicd, beside) = match map.gic {
        GuestGic::V2 { gicd, gicc, .. } => ("arm,gic-400", gicd, gicc),
        GuestGic::V3 { gicd, gicr } => ("arm,gic-v3", gicd, gicr),
        GuestGic::None => panic!("these boards have a controller"),
    };
    assert_eq!(texts(node, "compatible"), [compatible]);
    assert_eq!(numbers(node, "reg"), [gicd.base.get(), gicd.bytes, beside.base.get(), beside.bytes]);
    assert_eq!(cells(root, "interrupt-parent"), cells(node, "phandle"));
}

fn console(plan: &Plan, domain: &PlannedDomain, root: FdtNode<'_>) {
    let serial = root.child("serial");
    let (base, intid) = match domain.console {
        GuestConsole::Pl011 => {
            let uart = domain.map.uart.expect("its console is a PL011");
            assert!(domain.map.passed.iter().all(|device| !device.intids.contains(&uart.intid)));
            (uart.registers.base.get(), uart.intid)
        }
        GuestConsole::Board => (0x0900_0040, plan.board.console.intid.expect("the model's console has one")),
        GuestConsole::Hypercall | GuestConsole::None => return assert!(serial.is_none()),
    };
    let serial = serial.expect("its console is a PL011");
    assert_eq!(numbers(serial, "reg")[0], base);
    assert_eq!(cells(serial, "interrupts"), [0, intid - 32, 4]);
    assert_eq!(cells(serial, "clocks")[0], cells(root.child("clock").expect("it has a clock"), "phandle")[0]);
    let path = &texts(root.child("chosen").expect("it was read above"), "stdout-path")[0];
    assert_eq!(path.trim_start_matches('/'), serial.name());
}

#[test]
fn aliased_interfaces_are_shown_by_two_pages_that_differ() {
    for (pages, second) in [(GicPages::Adjacent, 0xf9061), (GicPages::Aliased64K, 0xf9070)] {
        let plan = check(&two_guests(gicv2(pages)));
        let GuestGic::V2 { gicv, .. } = plan.domains[0].map.gic else { panic!("the board has a GICv2") };
        assert_eq!(gicv, [Frame::new(0xf9060), Frame::new(second)]);
    }
}

#[test]
fn windows_move_up_from_memory_and_devices() {
    let plan = check(&two_guests(arm64().irq));
    let gicd = |number: usize| match plan.domains[number].map.gic {
        GuestGic::V3 { gicd, .. } => gicd.base.get(),
        GuestGic::V2 { .. } | GuestGic::None => panic!("the board has a GICv3"),
    };
    // The first guest's memory lies above; the second's begins where windows would, and its device is in it.
    assert_eq!([gicd(0), gicd(1)], [0x0800_0000, 0x0c20_0000]);
}

#[test]
fn a_guest_whose_addresses_are_used_up_is_told() {
    let mut board = arm64();
    board.memory.pa_bits.value = 32;
    board.memory.banks = vec![super::bank(0x4000_0000, 3 << 30), super::bank(1 << 32, 4 << 30)];
    board.domains[0].ipa = Ipa::new(0x0800_0000);
    board.domains[0].memory_bytes = (1 << 32) - 0x0800_0000;
    let refused = plan(&board, Flavour::Release).expect_err("no address is left");
    assert!(refused.json().to_string().contains(codes::E0607.id), "{}", refused.json());
}

/// Images lie in the guest's memory, each at its offset, or in a store that meets nobody's memory and no other image.
#[test]
fn images_of_a_guest_that_may_start_anew_lie_apart() {
    let mut board = two_guests(gicv2(GicPages::Adjacent));
    board.domains[0].on_reboot.value = OnReboot::Restart;
    let plan = plan(&board, Flavour::Release).expect("it plans");
    let bytes = |blob: &crate::plan::Blob| blob.base.get()..blob.base.get() + blob.max_bytes;
    let meet = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
    for (number, blob) in plan.blobs.iter().enumerate() {
        let domain = &plan.domains[blob.domain];
        let memory = |domain: &PlannedDomain| domain.memory.first.address().get()..domain.memory.end().address().get();
        let in_place = memory(domain).start + (blob.ipa.get() - domain.ipa.get());
        match domain.on_reboot {
            OnReboot::Off => assert_eq!(blob.base.get(), in_place),
            OnReboot::Restart => assert!(plan.domains.iter().all(|other| !meet(&memory(other), &bytes(blob)))),
        }
        assert!(blob.base.is_frame_aligned());
        assert!(plan.blobs[..number].iter().all(|other| !meet(&bytes(other), &bytes(blob))), "{}", blob.name);
    }
}
