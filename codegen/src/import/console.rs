//! `/chosen/stdout-path`: the UART that firmware printed on.
//!
//! Never picks one that the tree does not name: of UARTs picked by eye, one in three has a radio behind it.

use super::address::{self, Region};
use super::page::{self, Page};
use super::tree::{NodeId, Tree};
use super::{Answers, Init};

/// What a compatible string stands for.
struct Kind {
    compatible: &'static str,
    kind: &'static str,
    /// "ns16550", "scif": spacing where the tree leaves it implied.
    shift: u32,
    /// "ns16550": width where the tree leaves it implied.
    width: u32,
}

const fn kind(compatible: &'static str, kind: &'static str) -> Kind {
    Kind { compatible, kind, shift: 0, width: 1 }
}

const fn spaced(compatible: &'static str, kind: &'static str, shift: u32, width: u32) -> Kind {
    Kind { compatible, kind, shift, width }
}

/// Linux bindings under `Documentation/devicetree/bindings/serial/`, and the drivers' tables for spacings.
const KINDS: [Kind; 53] = [
    kind("arm,pl011", "pl011"),
    kind("arm,sbsa-uart", "pl011"),
    kind("cdns,uart-r1p8", "xuartps"),
    kind("cdns,uart-r1p12", "xuartps"),
    kind("xlnx,xuartps", "xuartps"),
    kind("fsl,imx21-uart", "imx"),
    kind("fsl,imx6q-uart", "imx"),
    kind("fsl,imx8mq-uart", "imx"),
    kind("fsl,imx7ulp-lpuart", "lpuart"),
    kind("fsl,imx8qxp-lpuart", "lpuart"),
    kind("fsl,imx8ulp-lpuart", "lpuart"),
    kind("fsl,imx93-lpuart", "lpuart"),
    kind("fsl,ls1028a-lpuart", "lpuart"),
    kind("amlogic,meson-ao-uart", "meson"),
    kind("amlogic,meson-gx-uart", "meson"),
    kind("amlogic,meson-g12a-uart", "meson"),
    kind("amlogic,meson-s4-uart", "meson"),
    kind("amlogic,meson-uart", "meson"),
    kind("marvell,armada-3700-uart", "mvebu3700"),
    kind("qcom,geni-debug-uart", "msm-geni"),
    kind("qcom,geni-uart", "msm-geni"),
    kind("qcom,sa8255p-geni-debug-uart", "msm-geni"),
    kind("qcom,msm-uartdm", "msm-uartdm"),
    kind("qcom,msm-uartdm-v1.4", "msm-uartdm"),
    kind("samsung,exynos4210-uart", "s3c"),
    kind("samsung,exynos850-uart", "s3c"),
    kind("samsung,exynosautov9-uart", "s3c"),
    kind("samsung,exynos5433-uart", "s3c"),
    kind("samsung,exynos8895-uart", "s3c"),
    kind("google,gs101-uart", "s3c"),
    kind("axis,artpec8-uart", "s3c"),
    kind("tesla,fsd-uart", "s3c"),
    spaced("renesas,scif-r9a07g044", "scif", 1, 0),
    spaced("renesas,scif-r9a09g057", "scif", 1, 0),
    spaced("renesas,rcar-gen2-scif", "scif", 2, 0),
    spaced("renesas,rcar-gen3-scif", "scif", 2, 0),
    spaced("renesas,rcar-gen4-scif", "scif", 2, 0),
    spaced("renesas,scif", "scif", 2, 0),
    spaced("brcm,bcm2835-aux-uart", "ns16550", 2, 4),
    spaced("mediatek,mt6577-uart", "ns16550", 2, 4),
    spaced("ti,am654-uart", "ns16550", 2, 4),
    spaced("ti,am64-uart", "ns16550", 2, 4),
    spaced("ti,omap4-uart", "ns16550", 2, 4),
    spaced("nvidia,tegra20-uart", "ns16550", 2, 4),
    spaced("marvell,armada-38x-uart", "ns16550", 2, 1),
    spaced("intel,xscale-uart", "ns16550", 2, 4),
    kind("snps,dw-apb-uart", "ns16550"),
    kind("ns16550a", "ns16550"),
    kind("ns16550", "ns16550"),
    kind("ns16450", "ns16550"),
    kind("fsl,ns16550", "ns16550"),
    kind("fsl,16550-FIFO64", "ns16550"),
    kind("brcm,bcm7271-uart", "ns16550"),
];

/// NXP's LPUART of i.MX 8 and later has identification registers in front: Linux `fsl_lpuart.c`, `reg_off`.
const LPUART_OFFSET: u64 = 0x10;
const LPUART_BYTES: u64 = 0x30;
/// No console needs more registers than a page.
const MOST_BYTES: u64 = 0x1000;

/// Paths of UARTs that could be meant: enabled, of a known kind, at an address.
pub(super) fn candidates(tree: &Tree) -> Vec<String> {
    let usable = tree.all().filter(|id| uart(tree, *id, None).is_ok());
    usable.map(|id| tree.path(id)).collect()
}

fn find(compatible: &[&str]) -> Option<&'static Kind> {
    // The most specific name that is known decides.
    compatible.iter().find_map(|name| KINDS.iter().find(|kind| kind.compatible == *name))
}

/// What was found.
pub(super) enum Console {
    /// Nothing, on purpose.
    None,
    /// Nothing, and a person must say which.
    Hole(String),
    /// A UART.
    Uart(Uart),
}

pub(super) struct Uart {
    kind: &'static str,
    region: Region,
    shift: u32,
    width: u32,
    intid: Result<u32, String>,
    from: String,
}

/// Finds it.
pub(super) fn read(tree: &Tree, answers: &Answers, gic: Option<NodeId>) -> Console {
    let given = answers.console.as_deref();
    if given == Some("none") {
        return Console::None;
    }
    match given.map_or_else(|| chosen(tree), |path| named(tree, path)).and_then(|id| uart(tree, id, gic)) {
        Ok(uart) => Console::Uart(uart),
        Err(reason) => Console::Hole(match candidates(tree).as_slice() {
            [] => format!("{reason}, and the tree has no enabled UART that is known"),
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                format!("{reason}; the tree has {first}{more}, and does not say what is wired to it")
            }
        }),
    }
}

fn named(tree: &Tree, path: &str) -> Result<NodeId, String> {
    tree.by_alias(path).ok_or_else(|| format!("the tree has no node {path}"))
}

fn chosen(tree: &Tree) -> Result<NodeId, String> {
    let chosen = tree.find("/chosen").ok_or("the tree has no /chosen")?;
    let path = tree.text(chosen, "stdout-path").or_else(|| tree.text(chosen, "linux,stdout-path"));
    let path = path.ok_or("/chosen names no stdout-path")?;
    tree.by_alias(path).ok_or_else(|| format!("/chosen: stdout-path is {path:?}, and there is no such node"))
}

fn uart(tree: &Tree, id: NodeId, gic: Option<NodeId>) -> Result<Uart, String> {
    let from = tree.path(id);
    if !tree.is_enabled(id) {
        return Err(format!("{from} is not enabled"));
    }
    let names = tree.texts(id, "compatible");
    let kind = find(&names).ok_or_else(|| format!("{from}: {names:?} is no UART that is known"))?;
    let mut region = *address::regions(tree, id)?.first().ok_or_else(|| format!("{from}: reg is empty"))?;
    let offset = match kind.kind {
        "lpuart" => LPUART_OFFSET,
        _ => tree.word(id, "reg-offset").unwrap_or(0).into(),
    };
    region.base = region.base.checked_add(offset).ok_or_else(|| format!("{from}: reg-offset leaves 2^64"))?;
    let shift = tree.word(id, "reg-shift").filter(|shift| *shift <= 3).unwrap_or(kind.shift);
    let width = tree.word(id, "reg-io-width").unwrap_or(kind.width);
    region.bytes = length(kind.kind, shift, region.bytes.saturating_sub(offset));
    if region.base.checked_add(region.bytes).is_none() {
        return Err(format!("{from}: reg does not end below 2^64"));
    }
    let intid = address::interrupts(tree, id).and_then(|list| {
        let first = list.first().ok_or_else(|| format!("{from} has no interrupt"))?;
        let wired = gic.is_some_and(|gic| address::leads_to(tree, first.parent, gic));
        let number = address::intid(&first.cells).filter(|intid| wired && *intid >= 32);
        number.ok_or_else(|| format!("{from}: its interrupt does not lead to the GIC"))
    });
    Ok(Uart { kind: kind.kind, region, shift, width, intid, from })
}

/// Registers that are used, where the tree says too much or too little.
fn length(kind: &str, shift: u32, stated: u64) -> u64 {
    match kind {
        "lpuart" => LPUART_BYTES,
        "ns16550" => stated.min(MOST_BYTES).max(8 << shift),
        _ => stated.min(MOST_BYTES),
    }
}

impl Console {
    /// Registers that are mapped for it.
    pub(super) fn claims(&self) -> Vec<Region> {
        match self {
            Self::Uart(uart) => vec![uart.region],
            Self::None | Self::Hole(_) => Vec::new(),
        }
    }

    /// Pages that are mapped for it beyond one.
    pub(super) fn pages(&self) -> u64 {
        let crosses = |region: &Region| region.base % MOST_BYTES + region.bytes > MOST_BYTES;
        self.claims().iter().filter(|region| crosses(region)).count() as u64
    }

    /// Its kind, for statistics.
    pub(super) fn class(&self) -> Option<&'static str> {
        match self {
            Self::Uart(uart) => Some(uart.kind),
            Self::None => Some("none"),
            Self::Hole(_) => None,
        }
    }

    /// `[console]`.
    pub(super) fn write(&self, init: Init, page: &mut Page) {
        page.header("[console]");
        let uart = match self {
            Self::None => return page.key("kind", "\"none\"", "given"),
            Self::Hole(reason) => {
                return page.hole("console", format!("{reason}; give a node with --console, or --console none"));
            }
            Self::Uart(uart) => uart,
        };
        page.key("kind", &page::quoted(uart.kind), &uart.from);
        page.key("base", &page::hex(uart.region.base), "reg, through ranges");
        page.key("size", &page::size(uart.region.bytes), "");
        match uart.kind {
            "ns16550" => {
                page.key("reg-shift", &uart.shift.to_string(), "");
                page.key("io-width", &uart.width.to_string(), "");
            }
            "scif" => page.key("reg-shift", &uart.shift.to_string(), ""),
            _ => {}
        }
        if init == Init::Driver {
            page.key("init", "\"driver\"", "given");
        }
        match &uart.intid {
            Ok(intid) => page.key("intid", &intid.to_string(), "interrupts"),
            Err(reason) => page.comment(&format!("intid: {reason}")),
        }
    }
}
