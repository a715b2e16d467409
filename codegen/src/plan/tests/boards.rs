//! Boards made by hand, so that the planner's tests need no file.

use paging::{Frame, FrameRange, Ipa, PhysAddr};

use crate::model::{
    Arch, BanksFrom, Board, Boot, BootEntry, Conduit, Console, ConsolePlace, Core, Cpus, DirectmapPolicy, Domain,
    EnableMethod, Extents, GuestConsole, GuestTables, Heap, Images, Irq, Kernel, Layout, MappedBy, Memory, Mmio,
    OnReboot, Origin, Placement, PolicyChoice, Pools, PowerOff, RamBank, Reserved, ReservedKind, ReservedOwner,
    Retention, Sourced, Timer, Uart, UartFlag, UartRegister, Width,
};

fn line<T>(value: T, line: u32) -> Sourced<T> {
    Sourced { value, from: Origin::Line(line) }
}

pub(crate) fn bank(base: u64, bytes: u64) -> RamBank {
    RamBank { frames: frames(base, bytes), node: 0, from: Origin::Line(14) }
}

pub(crate) fn frames(base: u64, bytes: u64) -> FrameRange {
    FrameRange::new(Frame::containing(PhysAddr::new(base)), bytes / paging::PAGE_BYTES)
}

pub(crate) fn reserved(name: &str, base: u64, bytes: u64, kind: ReservedKind) -> Reserved {
    Reserved {
        name: name.into(),
        frames: frames(base, bytes),
        kind,
        owner: ReservedOwner::User,
        from: Origin::Line(20),
    }
}

pub(crate) fn cores(count: u64) -> Vec<Core> {
    (0..count).map(|id| Core { id, kind: "core".into(), release: None, from: Origin::Line(30) }).collect()
}

pub(crate) fn domain(name: &str, bytes: u64) -> Domain {
    Domain {
        name: name.into(),
        vcpus: line(1, 81),
        pins: Vec::new(),
        ipa: Ipa::new(0x4000_0000),
        memory_bytes: bytes,
        memory_at: Placement::Auto(Origin::Default),
        memory_from: Origin::Line(82),
        kernel: line(Kernel::Payload, 83),
        kernel_max: line(64 << 10, 84),
        initrd: None,
        command_line: "quiet".into(),
        console: line(GuestConsole::Hypercall, 85),
        on_reboot: line(OnReboot::Off, 86),
        devices: Vec::new(),
        from: Origin::Line(80),
    }
}

fn mmio(base: u64, bytes: u64) -> Mmio {
    Mmio { base: PhysAddr::new(base), bytes, from: Origin::Line(40) }
}

fn uart(width: Width) -> Uart {
    let register = |offset| UartRegister { offset, width };
    Uart {
        kind: "uart".into(),
        tx: register(0),
        ready: UartFlag { register: register(4), mask: 0x20, value: 0 },
        idle: None,
        init: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
    }
}

fn layout() -> Layout {
    let extents = |text: u64, rest: u64| Extents {
        text: line(text << 10, 61),
        rodata: line(rest << 10, 62),
        data: line(rest << 10, 63),
    };
    Layout {
        release: extents(48, 16),
        debug: extents(192, 32),
        self_test: extents(192, 256),
        stack_bytes: line(16 << 10, 64),
        fixmap_slots: line(16, 65),
        pmap_slots: line(8, 66),
        firmware_slots: line(272, 67),
        mapcache_slots: line(64, 68),
        mapcache_retention: line(Retention::Strict, 68),
        vmap_bytes: line(256 << 20, 69),
        heap_bytes: line(64 << 30, 69),
        headroom_min: line(5, 69),
        image_base: Placement::Auto(Origin::Default),
    }
}

/// Four cores, 1 GiB from 0x4000_0000, a reservation, an MMIO console and one domain.
pub(crate) fn arm64() -> Board {
    Board {
        name: "model-arm64".into(),
        model: "Model".into(),
        compatible: vec!["tabula,model".into()],
        arch: Arch::Aarch64,
        file: "platforms/model-arm64.toml".into(),
        base_file: None,
        sources: crate::diagnostic::Sources::default(),
        memory: Memory {
            banks_from: BanksFrom::File,
            banks: vec![bank(0x4000_0000, 1 << 30)],
            reserved: vec![reserved("firmware-dtb", 0x4800_0000, 2 << 20, ReservedKind::Reserved)],
            pa_bits: line(40, 12),
        },
        cpus: Cpus { enable: line(EnableMethod::Psci(Conduit::Smc), 25), cores: cores(4) },
        irq: Irq::GicV3 {
            gicd: mmio(0x800_0000, 0x1_0000),
            gicr: vec![mmio(0x80a_0000, 0xf6_0000)],
            stride_bytes: 0x2_0000,
            its: Vec::new(),
            maintenance_intid: 25,
        },
        timer: Timer::ArmGeneric { sec_phys: 29, phys: 30, virt: 27, hyp_phys: 26 },
        console: Console {
            place: ConsolePlace::Mmio(mmio(0x900_0040, 0x100)),
            uart: uart(Width::Word),
            intid: Some(33),
            from: Origin::Line(41),
        },
        boot: Boot {
            entry: BootEntry::LinuxImage,
            load: Placement::Auto(Origin::Line(50)),
            entry_el: line(2, 51),
            trampoline: Placement::Auto(Origin::Default),
            images: line(Images::Checked, 52),
        },
        power_off: line(PowerOff::Psci, 8),
        layout: layout(),
        directmap: line(DirectmapPolicy::None, 70),
        directmap_choice: line(PolicyChoice::Fixed, 71),
        heap: Heap { pools: line(Pools::Elastic, 73), mapped_by: line(MappedBy::Page, 74) },
        guest_tables: line(GuestTables::PoolWindow, 75),
        domains: vec![domain("payload", 16 << 20)],
        devices: Vec::new(),
        emulator: None,
    }
}

/// Four cores, RAM below 640 KiB and from 1 MiB, a console on ports, power-off by a register.
pub(crate) fn x86_64() -> Board {
    let power_off = PowerOff::Mmio { address: PhysAddr::new(0xfea0_0200), width: Width::Byte, value: 0x34 };
    Board {
        name: "model-x86_64".into(),
        arch: Arch::X86_64,
        file: "platforms/model-x86_64.toml".into(),
        memory: Memory {
            banks_from: BanksFrom::File,
            banks: vec![bank(0, 0x9_f000), bank(0x10_0000, 0x3fee_0000)],
            reserved: Vec::new(),
            pa_bits: line(40, 12),
        },
        cpus: Cpus { enable: line(EnableMethod::Sipi, 25), cores: cores(4) },
        irq: Irq::Apic { lapic: mmio(0xfee0_0000, 0x1000), ioapic: vec![mmio(0xfec0_0000, 0x1000)] },
        timer: Timer::Tsc,
        console: Console {
            place: ConsolePlace::Port(0x3f8),
            uart: uart(Width::Byte),
            intid: None,
            from: Origin::Line(41),
        },
        power_off: line(power_off, 8),
        boot: Boot { entry: BootEntry::Pvh, ..arm64().boot },
        domains: Vec::new(),
        ..arm64()
    }
}
