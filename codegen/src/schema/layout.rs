//! `[layout]`, `[directmap]`: the hypervisor's own memory.
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
    /// unit: bytes, whole pages; default: twice `layout.image.data`
    pub data: Option<Written<Size>>,
}

impl ImageDebug {
    /// Default of `text`, in units of the release extent.
    pub const TEXT_FACTOR: u64 = 4;
    /// Default of `rodata` and `data`, in units of the release extent.
    pub const OTHER_FACTOR: u64 = 2;
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
    /// Pages in the window. PMAP needs 4, the fixmap one for each page mapped for good. The three windows and a guard page
    /// behind each share one table of 512 entries.
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
}

/// `[directmap]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directmap {
    /// Which RAM the hypervisor maps while nobody asks for it.
    ///
    /// unit: word; default: none
    pub policy: Written<PolicyWord>,
    /// Whether `directmap=` on the boot command line may change it; `true` is refused.
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
