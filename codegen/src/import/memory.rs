//! `/memory`, `/reserved-memory` and the reservation block.
//!
//! A size in the tree is taken at its word; none is made up.

use paging::PAGE_BYTES;

use super::address::{self, Region};
use super::page::{self, Page};
use super::tree::{NodeId, Tree};
use super::{Answers, Banks};

/// Widths that ID_AA64MMFR0_EL1.PARange knows, as far as board files take them. Arm ARM (DDI 0487).
pub(super) const PA_BITS: [u8; 6] = [32, 36, 40, 42, 44, 48];
/// Where QEMU puts the tree above the start of RAM, at most half of it: hw/arm/boot.c, `arm_load_kernel`.
const QEMU_TREE_BYTES: u64 = 128 << 20;
/// Room for it.
const TREE_BYTES: u64 = 2 << 20;

struct Bank {
    region: Region,
    node: u32,
    from: String,
}

struct Reserved {
    name: String,
    region: Region,
    kind: &'static str,
    owner: &'static str,
    from: String,
}

/// All that the tree says of RAM.
pub(super) struct Memory {
    banks: Vec<Bank>,
    /// Why there are none.
    hole: String,
    reserved: Vec<Reserved>,
    notes: Vec<String>,
}

impl Memory {
    pub(super) fn read(tree: &Tree, answers: &Answers) -> Self {
        let mut memory = Self { banks: Vec::new(), hole: String::new(), reserved: Vec::new(), notes: Vec::new() };
        if answers.memory.is_empty() {
            memory.banks(tree);
        } else {
            let given = answers.memory.iter().map(|(base, bytes)| Region { base: *base, bytes: *bytes });
            memory.banks.extend(given.map(|region| Bank { region, node: 0, from: "given".into() }));
        }
        memory.reserved_nodes(tree);
        for (index, (base, bytes)) in tree.reservations.iter().enumerate() {
            let region = Region { base: *base, bytes: *bytes };
            let name = format!("memreserve-{index}");
            memory.reserve(name, region, "reserved", "bootloader", "/memreserve/".into());
        }
        memory
    }

    fn banks(&mut self, tree: &Tree) {
        let is_memory = |id: &NodeId| {
            (tree.text(*id, "device_type") == Some("memory") || tree.stem(*id) == "memory") && tree.is_enabled(*id)
        };
        let nodes: Vec<_> = tree.children(tree.root()).filter(is_memory).collect();
        let mut troubles = Vec::new();
        for id in &nodes {
            match address::regions(tree, *id) {
                Err(trouble) => troubles.push(trouble),
                Ok(regions) => {
                    let from = tree.path(*id);
                    let node = tree.word(*id, "numa-node-id").filter(|node| *node < 64).unwrap_or(0);
                    let whole = regions.into_iter().filter_map(inward);
                    self.banks.extend(whole.map(|region| Bank { region, node, from: from.clone() }));
                }
            }
        }
        self.disjoint();
        self.hole = match (nodes.first(), troubles.first()) {
            (_, Some(trouble)) => trouble.clone(),
            (None, None) => "the tree has no memory node".to_owned(),
            (Some(id), None) => format!("{} has size 0, which firmware fills in", tree.path(*id)),
        };
    }

    /// Sorted, and each byte once: a few trees list a range twice.
    fn disjoint(&mut self) {
        self.banks.sort_by_key(|bank| bank.region.base);
        let mut list: Vec<Bank> = Vec::new();
        for bank in self.banks.drain(..) {
            match list.last_mut() {
                Some(last) if bank.region.base < last.region.end() => {
                    let end = last.region.end().max(bank.region.end());
                    last.region.bytes = end - last.region.base;
                    last.from = format!("{}, overlapping entries joined", bank.from);
                }
                _ => list.push(bank),
            }
        }
        self.banks = list;
    }

    fn reserved_nodes(&mut self, tree: &Tree) {
        let Some(parent) = tree.find("/reserved-memory") else { return };
        for id in tree.children(parent).filter(|id| tree.is_enabled(*id)) {
            let path = tree.path(id);
            if tree.property(id, "reg").is_none() {
                self.notes.push(format!("{path}: a size without an address, for the kernel that wants it"));
                continue;
            }
            let kind = if tree.property(id, "no-map").is_some() { "no-map" } else { "reserved" };
            match address::regions(tree, id) {
                Err(trouble) => self.notes.push(format!("left out: {trouble}")),
                Ok(regions) => {
                    for region in regions {
                        self.reserve(page::name(tree.name(id)), region, kind, owner(tree, id, kind), path.clone());
                    }
                }
            }
        }
    }

    fn reserve(&mut self, name: String, region: Region, kind: &'static str, owner: &'static str, from: String) {
        if region.bytes == 0 || region.base.checked_add(region.bytes).is_none() {
            return self.notes.push(format!("left out: {from} {name} is empty or ends beyond 2^64"));
        }
        let alike = |name: &str| self.reserved.iter().any(|other| other.name == name);
        let free = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") }).find(|name| !alike(name));
        self.reserved.push(Reserved { name: free.unwrap_or(name), region, kind, owner, from });
    }

    /// `[memory]`; registers inside a bank become holes in it.
    pub(super) fn write(mut self, console: &[Region], gic: &[Region], answers: &Answers, page: &mut Page) {
        for region in console.iter().chain(gic) {
            if self.banks.iter().any(|bank| bank.region.meets(*region)) {
                let name = format!("registers-{:x}", region.base);
                self.reserve(name, *region, "hole", "user", "registers in a range that the tree calls RAM".into());
            }
        }
        self.emulated(answers);
        page.header("[memory]");
        match answers.banks {
            Banks::All => page.key("banks-from", "\"static\"", ""),
            Banks::AtMost => {
                page.key("banks-from", "\"firmware-dtb\"", "RAM may be in these banks; how much is known at boot")
            }
        }
        let ends = self.banks.iter().map(|bank| bank.region).chain(console.iter().chain(gic).copied());
        let highest = ends.map(Region::end).max().unwrap_or(0);
        let need = u64::BITS - highest.saturating_sub(1).leading_zeros();
        let bits = PA_BITS.into_iter().find(|bits| u32::from(*bits) >= need).unwrap_or(52);
        page.key("pa-bits-min", &bits.to_string(), &format!("RAM and registers end at {}", page::hex(highest)));
        if self.banks.is_empty() {
            page.hole("memory.bank", format!("{}; give it with --memory BASE+SIZE", self.hole));
        }
        for Bank { region, node, from } in &self.banks {
            page.header("[[memory.bank]]");
            page.key("base", &page::hex(region.base), from);
            page.key("size", &page::size(region.bytes), "");
            if *node != 0 {
                page.key("node", &node.to_string(), "numa-node-id");
            }
        }
        for Reserved { name, region, kind, owner, from } in &self.reserved {
            page.header("[[memory.reserved]]");
            page.key("name", &page::quoted(name), from);
            page.key("base", &page::hex(region.base), "");
            page.key("size", &page::size(region.bytes), "");
            page.key("kind", &page::quoted(kind), "");
            page.key("owner", &page::quoted(owner), "");
        }
        self.notes.iter().for_each(|note| page.comment(note));
    }

    /// Where the emulator will put its own tree.
    fn emulated(&mut self, answers: &Answers) {
        let Some(first) = self.banks.first().filter(|_| answers.emulator.is_some()) else { return };
        let below = (first.region.bytes / 2).min(QEMU_TREE_BYTES) / TREE_BYTES * TREE_BYTES;
        let region = Region { base: first.region.base + below, bytes: TREE_BYTES.min(first.region.bytes - below) };
        self.reserve(
            "firmware-dtb".into(),
            region,
            "reserved",
            "bootloader",
            "where the emulator puts the tree".into(),
        );
    }
}

/// Whole pages inside a range.
fn inward(region: Region) -> Option<Region> {
    let base = region.base.checked_next_multiple_of(PAGE_BYTES)?;
    let end = region.end() - region.end() % PAGE_BYTES;
    (base < end).then(|| Region { base, bytes: end - base })
}

/// Who keeps a range, by the names that bindings and vendors give.
fn owner(tree: &Tree, id: NodeId, kind: &str) -> &'static str {
    const FIRMWARE: [&str; 7] = ["tz", "tfa", "atf", "bl31", "secmon", "optee", "secure"];
    const HYPERVISOR: [&str; 4] = ["hyp", "gunyah", "qhee", "xen"];
    let name = tree.name(id);
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match kind {
        _ if has(&HYPERVISOR) => "vendor-hyp",
        _ if has(&FIRMWARE) => "el3",
        "no-map" => "coprocessor",
        _ => "user",
    }
}
