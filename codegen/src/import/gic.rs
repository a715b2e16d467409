//! The interrupt controller.
//!
//! Source: Linux `Documentation/devicetree/bindings/interrupt-controller/arm,gic.yaml`, `arm,gic-v3.yaml`,
//! `brcm,bcm2836-l1-intc.txt`. Never follows interrupts of devices.

use super::address::{self, Region};
use super::page::{self, Page};
use super::tree::{NodeId, Tree};
use super::{Answers, IrqClass};

const GIC_V2: [&str; 10] = [
    "arm,gic-400",
    "arm,cortex-a15-gic",
    "arm,cortex-a9-gic",
    "arm,cortex-a7-gic",
    "arm,cortex-a5-gic",
    "arm,arm11mp-gic",
    "arm,pl390",
    "qcom,msm-qgic2",
    "nvidia,tegra210-agic",
    "arm,tc11mp-gic",
];
const GIC_V3: [&str; 1] = ["arm,gic-v3"];
const BCM2836: [&str; 1] = ["brcm,bcm2836-l1-intc"];

/// CPU interface with GICC_DIR at 0x1000. Arm IHI 0048.
const GICC_BYTES: u64 = 0x2000;
/// Linux takes a CPU interface of 128 KiB for one in which each page is repeated: `irq-gic.c`, `gic_check_eoimode`.
const GICC_REPEATED_BYTES: u64 = 0x2_0000;

/// What was found, ready to be written.
pub(super) struct Gic {
    pub(super) node: Option<NodeId>,
    pub(super) class: IrqClass,
    keys: Vec<(&'static str, String, String)>,
    holes: Vec<(&'static str, String)>,
    regions: Vec<Region>,
}

impl Gic {
    /// Registers that board files name.
    pub(super) fn regions(&self) -> Vec<Region> {
        self.regions.clone()
    }

    /// `[irq]`.
    pub(super) fn write(&self, page: &mut Page) {
        page.header("[irq]");
        for (key, value, from) in &self.keys {
            page.key(key, value, from);
        }
        for (key, reason) in &self.holes {
            page.hole(key, reason);
        }
    }

    fn one(&mut self, key: &'static str, region: Region, from: &str) {
        self.keys.push((key, page::registers(region), from.to_owned()));
        self.regions.push(region);
    }

    fn many(&mut self, key: &'static str, regions: &[Region], from: &str) {
        if !regions.is_empty() {
            let list: Vec<_> = regions.iter().copied().map(page::registers).collect();
            self.keys.push((key, format!("[{}]", list.join(", ")), from.to_owned()));
            self.regions.extend(regions);
        }
    }
}

/// Finds it.
pub(super) fn read(tree: &Tree, answers: &Answers) -> Gic {
    let find = |kinds: &[&str]| tree.all().find(|id| tree.is(*id, kinds) && tree.is_enabled(*id));
    let mut gic =
        Gic { node: None, class: IrqClass::Unknown, keys: Vec::new(), holes: Vec::new(), regions: Vec::new() };
    let (node, class) = match (find(&GIC_V3), find(&GIC_V2), find(&BCM2836)) {
        (Some(node), _, _) => (node, IrqClass::GicV3),
        (None, Some(node), _) => (node, IrqClass::GicV2),
        (None, None, Some(node)) => (node, IrqClass::Bcm2836),
        (None, None, None) => {
            gic.holes.push(("irq", "no node of an interrupt controller that is known".into()));
            return gic;
        }
    };
    (gic.node, gic.class) = (Some(node), class);
    let regions = match address::regions(tree, node) {
        Ok(regions) => regions,
        Err(trouble) => {
            gic.class = IrqClass::Unknown;
            gic.holes.push(("irq", trouble));
            return gic;
        }
    };
    match class {
        IrqClass::GicV3 => v3(tree, node, &regions, answers, &mut gic),
        IrqClass::GicV2 | IrqClass::GicV2Plain => v2(tree, node, &regions, &mut gic),
        IrqClass::Bcm2836 | IrqClass::Apic | IrqClass::Unknown => {
            gic.keys.push(("kind", "\"bcm2836\"".into(), tree.path(node)));
            regions.first().into_iter().for_each(|region| gic.one("local", *region, "reg"));
            return gic;
        }
    }
    maintenance(tree, node, answers, &mut gic);
    gic
}

fn v2(tree: &Tree, node: NodeId, regions: &[Region], gic: &mut Gic) {
    let path = tree.path(node);
    gic.keys.push(("kind", "\"gic-v2\"".into(), path.clone()));
    let [gicd, gicc, rest @ ..] = regions else {
        gic.class = IrqClass::Unknown;
        return gic.holes.push(("irq.gicc", format!("{path}: reg has no CPU interface")));
    };
    let page = |region: &Region| Region { bytes: region.bytes.max(0x1000), ..*region };
    gic.one("gicd", page(gicd), "reg");
    interface("gicc", gicc, regions, gic);
    match rest {
        [gich, gicv, ..] if gich.bytes > 0 && gicv.bytes > 0 => {
            gic.one("gich", *gich, "reg");
            interface("gicv", gicv, regions, gic);
        }
        _ => gic.class = IrqClass::GicV2Plain,
    }
    if gicc.bytes >= GICC_REPEATED_BYTES {
        gic.keys.push(("gicc-alias", "\"64k\"".into(), "128 KiB, so each page is repeated through 64 KiB".into()));
    }
    let frames = below(tree, node, "arm,gic-v2m-frame");
    gic.many("v2m", &frames, "arm,gic-v2m-frame");
}

/// A CPU interface, a guest's or the host's, is two pages; some trees show the first only.
fn interface(key: &'static str, stated: &Region, regions: &[Region], gic: &mut Gic) {
    let whole = Region { bytes: GICC_BYTES, ..*stated };
    let ends = stated.base.checked_add(GICC_BYTES).is_some();
    let free = ends && !regions.iter().any(|other| other != stated && other.meets(whole));
    match stated.bytes < GICC_BYTES && free {
        true => gic.one(
            key,
            whole,
            &format!("reg says {}; the register that deactivates lies behind", page::hex(stated.bytes)),
        ),
        false => gic.one(key, *stated, "reg"),
    }
}

fn v3(tree: &Tree, node: NodeId, regions: &[Region], answers: &Answers, gic: &mut Gic) {
    let path = tree.path(node);
    gic.keys.push(("kind", "\"gic-v3\"".into(), path.clone()));
    let count = tree.word(node, "#redistributor-regions").unwrap_or(1).max(1) as usize;
    let Some((gicd, rest)) = regions.split_first().filter(|(_, rest)| rest.len() >= count) else {
        gic.class = IrqClass::Unknown;
        return gic.holes.push(("irq.gicr", format!("{path}: reg has no {count} redistributor regions")));
    };
    let its = below(tree, node, "arm,gic-v3-its");
    // A distributor has 64 KiB; trees that give it more put other blocks of the GIC there.
    let inside = its.iter().chain(&rest[..count]).filter(|other| other.base > gicd.base && other.base < gicd.end());
    match inside.map(|other| other.base).min() {
        None => gic.one("gicd", *gicd, "reg"),
        Some(next) => gic.one("gicd", Region { bytes: next - gicd.base, ..*gicd }, "reg, up to the next block in it"),
    }
    gic.many("gicr", &rest[..count], "reg");
    let said = tree.number(node, "redistributor-stride").filter(|stride| *stride != 0);
    let given = answers.gicr_stride.map(|stride| (stride, "given"));
    if let Some((stride, from)) = given.or(said.map(|stride| (stride, "redistributor-stride"))) {
        gic.keys.push(("gicr-stride", page::hex(stride), from.into()));
    }
    gic.many("its", &its, "arm,gic-v3-its");
}

/// First ranges of a node's children of a kind; what cannot be read is left out.
fn below(tree: &Tree, node: NodeId, kind: &str) -> Vec<Region> {
    let nodes = tree.children(node).filter(|id| tree.is(*id, &[kind]) && tree.is_enabled(*id));
    nodes.filter_map(|id| address::regions(tree, id).ok()?.first().copied()).filter(|region| region.bytes > 0).collect()
}

fn maintenance(tree: &Tree, node: NodeId, answers: &Answers, gic: &mut Gic) {
    if gic.class == IrqClass::GicV2Plain {
        return;
    }
    let own = address::interrupts(tree, node).ok();
    let found = own.and_then(|list| address::intid(&list.first()?.cells)).filter(|intid| *intid < 32);
    match (answers.maintenance_intid, found) {
        (Some(intid), _) => gic.keys.push(("maintenance-intid", intid.to_string(), "given".into())),
        (None, Some(intid)) => gic.keys.push(("maintenance-intid", intid.to_string(), "interrupts".into())),
        (None, None) => {
            let reason =
                format!("{} names none; give it with --maintenance-intid, most chips have 25", tree.path(node));
            gic.holes.push(("irq.maintenance-intid", reason));
        }
    }
}
