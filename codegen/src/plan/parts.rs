//! The parts a plan is made of: plain data, fixed once planned.
//!
//! Decides nothing; [`super::plan`] fills it in.

use paging::{Frame, FrameRange, HostAttributes, Index, Ipa, Level, PhysAddr, VirtAddr};

use super::guest::GuestMap;
use crate::model::{GuestConsole, OnReboot, Origin};

/// Which image of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// Optimised, small extents.
    Release,
    /// With checks, larger extents.
    Debug,
    /// With checks, and tests of the hypervisor in the place of domains.
    SelfTest,
}

impl Flavour {
    /// All of them; the one that boards are written for first.
    pub const ALL: [Self; 3] = [Self::Release, Self::Debug, Self::SelfTest];

    /// As reports name it.
    pub const fn word(self) -> &'static str {
        match self {
            Flavour::Release => "release",
            Flavour::Debug => "debug",
            Flavour::SelfTest => "self-test",
        }
    }
}

/// What a virtual range may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read and execute.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Device registers, read and write.
    Device,
    /// Never mapped: a guard.
    Guard,
    /// A window whose entries change at run time.
    Window,
}

/// One section of the image at its extent.
#[derive(Clone, Debug)]
pub struct PlannedSection {
    /// `text`, `rodata`, `tables` or `data`.
    pub name: &'static str,
    /// First physical byte.
    pub base: PhysAddr,
    /// First virtual byte.
    pub link: VirtAddr,
    /// Extent, whole pages.
    pub bytes: u64,
    /// Permissions.
    pub access: Access,
    /// The key that sets the extent.
    pub from: Origin,
}

/// A named range of hypervisor virtual addresses.
#[derive(Clone, Debug)]
pub struct VirtualRegion {
    /// As fault reports print it.
    pub name: String,
    /// First byte.
    pub base: VirtAddr,
    /// Length.
    pub bytes: u64,
    /// What it may be used for.
    pub access: Access,
    /// The key that made it.
    pub from: Origin,
}

/// A named range of physical addresses.
#[derive(Clone, Debug)]
pub struct PhysicalRegion {
    /// What it is.
    pub name: String,
    /// First byte.
    pub base: PhysAddr,
    /// Length.
    pub bytes: u64,
    /// The key that made it.
    pub from: Origin,
}

/// Which of the two static roots a mapping belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// Loaded only between enabling the MMU and switching to the CPU's own root.
    TurnOn,
    /// The boot CPU's own.
    BootCpu,
}

/// A run of frames mapped with the same permissions.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The root it is reached from.
    pub root: RootKind,
    /// First virtual byte.
    pub at: VirtAddr,
    /// What is mapped there.
    pub frames: FrameRange,
    /// Permissions and memory type.
    pub attributes: HostAttributes,
    /// The region it serves.
    pub region: String,
}

/// One static table.
#[derive(Clone, Debug)]
pub struct PlannedTable {
    /// What it is for.
    pub name: String,
    /// Where it lies.
    pub frame: Frame,
    /// Which level of a walk reads it.
    pub level: Level,
    /// Its valid entries, by index.
    pub entries: Vec<(Index, PlannedEntry)>,
}

/// A valid entry of a static table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedEntry {
    /// Points to another static table, by index.
    Table(usize),
    /// Maps memory.
    Leaf {
        /// First frame.
        frame: Frame,
        /// Permissions and memory type.
        attributes: HostAttributes,
    },
}

/// Frames that belong to one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuFrames {
    /// Its root.
    pub root: Frame,
    /// Private area, level 1.
    pub private_l1: Frame,
    /// Private area, level 2.
    pub private_l2: Frame,
    /// Private area, level 3.
    pub private_l3: Frame,
    /// First frame of the stack.
    pub stack: Frame,
    /// First frame of the scratch pages.
    pub scratch: Frame,
}

/// A window of page-sized slots whose leaves all lie in one static table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First byte of slot 0.
    pub base: VirtAddr,
    /// Slots.
    pub slots: u32,
    /// Index of the table that holds the leaves.
    pub table: usize,
    /// Entry of slot 0 in that table.
    pub first: usize,
    /// The key that sizes it.
    pub from: Origin,
}

/// Where the parts of the private area lie: the same addresses on every CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateArea {
    /// Lowest byte of the stack.
    pub stack: VirtAddr,
    /// Bytes of stack.
    pub stack_bytes: u64,
    /// Pages for this CPU's books.
    pub scratch: VirtAddr,
    /// Their length in bytes.
    pub scratch_bytes: u64,
    /// Slot 0 of the map cache.
    pub mapcache: VirtAddr,
    /// Slots of the map cache.
    pub mapcache_slots: u32,
    /// The 2 MiB scrub window.
    pub scrub: VirtAddr,
    /// Alias of the CPU's own level-2 table.
    pub scrub_table: VirtAddr,
    /// Alias of the CPU's own level-3 table.
    pub mapcache_table: VirtAddr,
    /// Alias of the CPU's own root.
    pub root_table: VirtAddr,
}

/// Addresses set aside; frames come as they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// First byte, at the start of a 2 MiB block.
    pub base: VirtAddr,
    /// Length, whole 2 MiB blocks.
    pub bytes: u64,
    /// The key that sizes it.
    pub from: Origin,
}

/// Where the memory system keeps its books and maps for all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryWindows {
    /// Lists of free chunks, a page a NUMA node.
    pub lists: AddressRange,
    /// Records of 2 MiB blocks.
    pub block_records: AddressRange,
    /// Records of the frames of blocks that are split, a page a block.
    pub frame_records: AddressRange,
    /// Global maps.
    pub vmap: AddressRange,
    /// Heap pages where there is no window.
    pub heap: Option<AddressRange>,
    /// Registers of the interrupt controller, where the hypervisor drives it.
    pub interrupts: AddressRange,
}

/// The interrupt controller, and where its registers are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// GICv2.
    GicV2 {
        /// Distributor, one page.
        distributor: VirtAddr,
        /// CPU interface, two pages.
        cpu_interface: VirtAddr,
        /// Virtual interface control, one page.
        control: Option<VirtAddr>,
        /// INTID of the maintenance interrupt.
        maintenance_intid: u32,
    },
    /// GICv3 or v4.
    GicV3 {
        /// Distributor, up to the routers.
        distributor: VirtAddr,
        /// First redistributor: RD_base and SGI_base, a page each; the others follow.
        redistributors: VirtAddr,
        /// How many.
        count: usize,
        /// INTID of the maintenance interrupt.
        maintenance_intid: u32,
    },
    /// Local APIC and I/O APICs.
    Apic,
    /// A controller that is not driven: no guests.
    None,
}

/// Where the parts of the loaded domain's area lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainArea {
    /// First byte that the slot's root entry spans.
    pub slot: VirtAddr,
    /// The window onto the domain's tables.
    pub pool: VirtAddr,
    /// Its length.
    pub pool_bytes: u64,
    /// vCPU 0's pages.
    pub vcpus: VirtAddr,
    /// Length of all vCPUs' pages.
    pub vcpus_bytes: u64,
    /// Pages from one vCPU to the next.
    pub vcpu_pages: u64,
}

/// What the static fixmap slots show, first register included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedSlots {
    /// Console registers.
    pub console: Option<VirtAddr>,
    /// Local APIC page.
    pub lapic: Option<VirtAddr>,
    /// Power-off register.
    pub power_off: Option<VirtAddr>,
    /// Manifest.
    pub manifest: VirtAddr,
}

/// A file that the loader places in RAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is, for example `payload.kernel`.
    pub name: String,
    /// First byte in RAM.
    pub base: PhysAddr,
    /// Where its domain sees it.
    pub ipa: Ipa,
    /// Bytes reserved.
    pub max_bytes: u64,
    /// Index of its domain.
    pub domain: usize,
    /// What the file holds.
    pub kind: BlobKind,
    /// The key that reserves them.
    pub from: Origin,
}

/// A device that can reach all memory, whoever that belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// `device.name`.
    pub device: String,
    /// The domain that has the device.
    pub domain: Option<String>,
    /// The `dma` key.
    pub from: Origin,
}

/// What a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobKind {
    /// The guest's kernel: `domain.kernel`.
    Kernel,
    /// Its initial RAM disk: `domain.initrd`.
    Initrd,
    /// The guest's device tree: made by [`crate::guest_tree()`].
    DeviceTree,
}

/// A guest as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDomain {
    /// `name`.
    pub name: String,
    /// 1, 2, … in file order.
    pub vmid: u16,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// The CPU that each runs on; empty where any may.
    pub pins: Vec<u32>,
    /// Where the guest sees its memory.
    pub ipa: Ipa,
    /// Where that memory lies.
    pub memory: FrameRange,
    /// Bits of guest-physical address that stage 2 translates.
    pub ipa_bits: u8,
    /// Frames of stage-2 tables that it may have.
    pub tables_limit_frames: u64,
    /// Index of the kernel in [`Plan::blobs`].
    pub kernel: usize,
    /// Index of the initial RAM disk in [`Plan::blobs`].
    pub initrd: Option<usize>,
    /// Index of the device tree in [`Plan::blobs`].
    pub device_tree: usize,
    /// Guest console.
    pub console: GuestConsole,
    /// What becomes of it when it reboots.
    pub on_reboot: OnReboot,
    /// What it sees besides its memory.
    pub map: GuestMap,
    /// The `name` key.
    pub from: Origin,
}
