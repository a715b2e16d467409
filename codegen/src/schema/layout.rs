//! `[layout]`, `[directmap]`, `[heap]`, `[stage2]`: the hypervisor's own memory, and how it reaches guests' tables.
//!
//! Never the places that the planner chooses.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Place, Size, Written};

/// `[layout]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Extents of the release image: the room of each section, whether it fills it or not.
    ///
    /// unit: table; default: none
    pub image: Written<Image>,
    /// Extents of the debug image.
    ///
    /// unit: table; default: four times `image.text`, twice `image.rodata` and `image.data`
    pub image_debug: Option<Written<ImageDebug>>,
    /// Extents of the self-test image, which tests the hypervisor on its machine instead of running domains.
    ///
    /// unit: table; default: four times `image.text`, eight times `image.rodata`, sixteen times `image.data`
    pub image_self_test: Option<Written<ImageSelfTest>>,
    /// Stack of each processor.
    ///
    /// unit: table; default: none
    pub stack: Written<Stack>,
    /// Pages that are mapped for good, and a few for run time.
    ///
    /// unit: table; default: none
    pub fixmap: Written<Slots>,
    /// Early window onto page tables, before the map cache is up.
    ///
    /// unit: table; default: none
    pub pmap: Written<Slots>,
    /// Window onto what firmware left: device tree or boot information.
    ///
    /// unit: table; default: none
    pub firmware: Written<Slots>,
    /// Per-processor window onto frames that are mapped while in use only.
    ///
    /// unit: table; default: none
    pub mapcache: Written<Mapcache>,
    /// Addresses of frames that every processor may see for as long as wanted.
    ///
    /// unit: table; default: `{ size = "256 MiB" }`
    pub vmap: Option<Written<AddressWindow>>,
    /// Addresses of heap pages where there is no directmap window.
    ///
    /// unit: table; default: `{ size = "64 GiB" }`
    pub heap: Option<Written<AddressWindow>>,
    /// Room to grow: `check` warns where the image leaves less of its window, or everything planned less of RAM.
    ///
    /// unit: per cent, 0 to 99; default: 5
    pub headroom_min: Option<Written<u8>>,
}

impl Layout {
    /// Default of `headroom-min`.
    pub const HEADROOM_MIN: u8 = 5;
    /// Highest `headroom-min`.
    pub const HEADROOM_MOST: u8 = 99;
    /// Default of `vmap.size`.
    pub const VMAP_BYTES: u64 = 256 << 20;
    /// Default of `heap.size`.
    pub const HEAP_BYTES: u64 = 64 << 30;
}

/// `layout.vmap`, `layout.heap`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AddressWindow {
    /// Length, of addresses: tables and frames are spent on what is mapped only.
    ///
    /// unit: bytes, multiple of 2 MiB; default: none
    pub size: Written<Size>,
}

/// `layout.image`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    /// Code.
    ///
    /// unit: bytes, whole pages; default: none
    pub text: Written<Size>,
    /// Constants.
    ///
    /// unit: bytes, whole pages; default: none
    pub rodata: Written<Size>,
    /// Variables.
    ///
    /// unit: bytes, whole pages; default: none
    pub data: Written<Size>,
    /// First byte of the image window, in the hypervisor's address space.
    ///
    /// unit: virtual address, multiple of 2 MiB, or "auto"; default: "auto"
    pub base: Option<Written<Place>>,
}

/// `layout.image-debug`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageDebug {
    /// Code.
    ///
    /// unit: bytes, whole pages; default: four times `layout.image.text`
    pub text: Option<Written<Size>>,
    /// Constants.
    ///
    /// unit: bytes, whole pages; default: twice `layout.image.rodata`
    pub rodata: Option<Written<Size>>,
    /// Variables.
    ///
    /// unit: bytes, whole pages; default: sixteen times `layout.image.data`
    pub data: Option<Written<Size>>,
}

impl ImageDebug {
    /// Default of `text`, in units of the release extent.
    pub const TEXT_FACTOR: u64 = 4;
    /// Default of `rodata`, in units of the release extent.
    pub const RODATA_FACTOR: u64 = 2;
    /// Default of `data`, in units of the release extent: it holds what the checker of page tables remembers.
    pub const DATA_FACTOR: u64 = 16;
}

/// `layout.image-self-test`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageSelfTest {
    /// Code.
    ///
    /// unit: bytes, whole pages; default: four times `layout.image.text`
    pub text: Option<Written<Size>>,
    /// Constants.
    ///
    /// unit: bytes, whole pages; default: eight times `layout.image.rodata`
    pub rodata: Option<Written<Size>>,
    /// Variables.
    ///
    /// unit: bytes, whole pages; default: sixteen times `layout.image.data`
    pub data: Option<Written<Size>>,
}

impl ImageSelfTest {
    /// Default of `text`, in units of the release extent.
    pub const TEXT_FACTOR: u64 = 4;
    /// Default of `rodata`, in units of the release extent.
    pub const RODATA_FACTOR: u64 = 8;
    /// Default of `data`, in units of the release extent: it holds what the checker of page tables remembers.
    pub const DATA_FACTOR: u64 = 16;
}

/// `layout.stack`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stack {
    /// Length; a guard page lies on either side.
    ///
    /// unit: bytes, whole pages; default: none
    pub size: Written<Size>,
}

/// `layout.fixmap`, `layout.pmap`, `layout.firmware`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slots {
    /// Pages in the window. PMAP needs 4, the fixmap one for each page mapped for good and, where other
    /// processors start in a trampoline, one to write that. The three windows and a guard page behind each share one table
    /// of 512 entries.
    ///
    /// unit: slots of 4 KiB; default: none
    pub slots: Written<u32>,
}

/// `layout.mapcache`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mapcache {
    /// Pages in the window of one processor. It shares a table of 512 entries with the stack.
    ///
    /// unit: slots of 4 KiB; default: none
    pub slots_per_cpu: Written<u32>,
    /// How long a page of the loaded domain stays mapped.
    ///
    /// unit: word; default: "strict"
    pub retention: Option<Written<RetentionWord>>,
}

/// Words of `layout.mapcache.retention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetentionWord {
    /// Until it is unmapped.
    Strict,
    /// Until its slot is needed or another domain is loaded.
    Lazy,
}

/// `[directmap]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directmap {
    /// Which RAM the hypervisor maps while nobody asks for it.
    ///
    /// unit: word; default: none
    pub policy: Written<PolicyWord>,
    /// Whether `directmap=` on the boot command line may change it: true means `full`, false the policy here, or `on-demand`
    /// where that is `full`.
    ///
    /// unit: true or false; default: false
    pub boot_option: Option<Written<bool>>,
}

/// Words of `directmap.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyWord {
    /// All RAM.
    Full,
    /// Only what the heap uses.
    OnDemand,
    /// Nothing: there is no window.
    None,
}

/// `[heap]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Heap {
    /// Where the hypervisor's heap takes its 2 MiB pools from.
    ///
    /// unit: word; default: "elastic"
    pub pools: Option<Written<PoolsWord>>,
    /// How much the heap has for good; for `pools = "fixed"`, which needs it.
    ///
    /// unit: bytes, multiple of 2 MiB; default: none
    pub size: Option<Written<Size>>,
    /// How a pool is mapped.
    ///
    /// unit: word; default: "page"
    pub mapped_by: Option<Written<MappedByWord>>,
}

/// Words of `heap.pools`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolsWord {
    /// From all free memory as needed, and back when a pool is empty.
    Elastic,
    /// From a part of RAM that is set aside at boot.
    Fixed,
}

/// Words of `heap.mapped-by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MappedByWord {
    /// A page when it is allocated: nothing free is mapped.
    Page,
    /// The pool as one block while a page of it is allocated: faster walks, and its free pages are mapped too.
    Block,
}

/// `[stage2]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stage2 {
    /// How the hypervisor reaches the tables that translate a guest's memory.
    ///
    /// unit: word; default: "pool-window"
    pub tables: Option<Written<TablesWord>>,
}

/// Words of `stage2.tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TablesWord {
    /// The map cache maps a table whenever it is touched.
    Mapcache,
    /// Every table is mapped for good: fastest, and the layout of all guests' memory can be read always.
    Resident,
    /// Every table of a domain is mapped while a processor has that domain loaded.
    PoolWindow,
}
