//! `/cpus` and `/psci`: ids, and how the others start.
//!
//! Source: Linux `Documentation/devicetree/bindings/arm/cpus.yaml` and `psci.yaml`. Never renumbers a core: the first one
//! in the tree boots.

use super::page::{self, Page};
use super::tree::{NodeId, Tree};
use super::{Answers, BringUp, Conduit, Method};

/// Affinity fields of MPIDR_EL1. Arm ARM (DDI 0487), MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;

struct Core {
    mpidr: u64,
    kind: String,
    release: Option<u64>,
    from: String,
}

/// What the tree says of the firmware's power interface.
struct Psci {
    version: &'static str,
    conduit: Option<Conduit>,
    cpu_on: Option<u32>,
    from: String,
}

/// `[cpu]`.
pub(super) fn write(tree: &Tree, answers: &Answers, page: &mut Page) -> Option<BringUp> {
    page.header("[cpu]");
    let nodes = nodes(tree);
    let (mut cores, mut troubles) = (Vec::new(), Vec::new());
    for id in &nodes {
        match core(tree, *id) {
            Ok(core) => cores.push(core),
            Err(trouble) => troubles.push(trouble),
        }
    }
    for (core, address) in cores.iter_mut().skip(1).zip(&answers.release_addresses) {
        core.release = Some(*address);
    }
    let bring_up = method(tree, answers, &nodes, &cores, page);
    troubles.into_iter().for_each(|trouble| page.hole("cpu.core", trouble));
    if cores.is_empty() {
        page.hole("cpu.core", "/cpus lists no core");
    }
    for (index, Core { mpidr, kind, release, from }) in cores.iter().enumerate() {
        page.header("[[cpu.core]]");
        page.key("mpidr", &page::hex(*mpidr), from);
        page.key("type", &page::quoted(kind), "");
        if let (Some(release), 1.., Some(BringUp::SpinTable)) = (release, index, bring_up) {
            page.key("release-addr", &page::hex(*release), "cpu-release-addr");
        }
    }
    bring_up.filter(|_| !cores.is_empty())
}

fn nodes(tree: &Tree) -> Vec<NodeId> {
    let Some(cpus) = tree.find("/cpus") else { return Vec::new() };
    let is_core = |id: &NodeId| {
        let named = tree.text(*id, "device_type") == Some("cpu") || tree.stem(*id) == "cpu";
        // Linux: a core with status "fail" is broken, one that is "disabled" waits for its start.
        named && !tree.text(*id, "status").is_some_and(|status| status.starts_with("fail"))
    };
    tree.children(cpus).filter(is_core).collect()
}

fn core(tree: &Tree, id: NodeId) -> Result<Core, String> {
    let from = tree.path(id);
    let reg = tree.number(id, "reg").ok_or_else(|| format!("{from}: reg is not one number of one or two cells"))?;
    let kind = tree.text(id, "compatible").unwrap_or_default().to_owned();
    Ok(Core { mpidr: reg & AFFINITY, kind, release: tree.number(id, "cpu-release-addr"), from })
}

fn psci(tree: &Tree) -> Option<Psci> {
    const KINDS: [(&str, &str); 3] = [("arm,psci-1.0", "1.0"), ("arm,psci-0.2", "0.2"), ("arm,psci", "0.1")];
    let id = tree.all().find(|id| tree.is_enabled(*id) && KINDS.iter().any(|(kind, _)| tree.is(*id, &[kind])))?;
    let version = KINDS.iter().find(|(kind, _)| tree.is(id, &[kind])).map_or("0.1", |(_, version)| version);
    let conduit = match tree.text(id, "method") {
        Some("smc") => Some(Conduit::Smc),
        Some("hvc") => Some(Conduit::Hvc),
        _ => None,
    };
    Some(Psci { version, conduit, cpu_on: tree.word(id, "cpu_on"), from: tree.path(id) })
}

/// What the cores, or all of them together, say; secondaries count, as some boot cores say nothing.
fn stated<'t>(tree: &'t Tree, nodes: &[NodeId]) -> Option<&'t str> {
    let own = nodes.iter().rev().find_map(|id| tree.text(*id, "enable-method"));
    own.or_else(|| tree.text(tree.find("/cpus")?, "enable-method"))
}

fn method(tree: &Tree, answers: &Answers, nodes: &[NodeId], cores: &[Core], page: &mut Page) -> Option<BringUp> {
    let (psci, stated) = (psci(tree), stated(tree, nodes));
    let (method, from) = match (answers.enable_method, stated, &psci) {
        (Some(method), _, _) => (Some(method), "given".to_owned()),
        (None, Some("psci"), _) => (Some(Method::Psci), "/cpus enable-method".to_owned()),
        (None, Some("spin-table"), _) => (Some(Method::SpinTable), "/cpus enable-method".to_owned()),
        (None, _, Some(psci)) => (Some(Method::Psci), format!("{}; the cores name no method", psci.from)),
        (None, _, None) if cores.len() == 1 => (Some(Method::None), "one core".to_owned()),
        (None, _, None) => (None, String::new()),
    };
    match method {
        Some(Method::Psci) => write_psci(psci, answers, &from, page),
        Some(Method::SpinTable) => {
            page.key("enable-method", "\"spin-table\"", &from);
            let silent = cores.iter().skip(1).find(|core| core.release.is_none());
            if let Some(core) = silent {
                let reason = format!("{} has no cpu-release-addr; give all with --release-address", core.from);
                page.hole("cpu.core.release-addr", reason);
            }
            silent.is_none().then_some(BringUp::SpinTable)
        }
        Some(Method::None) => {
            page.key("enable-method", "\"none\"", &from);
            (cores.len() == 1).then_some(BringUp::Single)
        }
        None => {
            let how =
                stated.map_or("the cores name no method".to_owned(), |word| format!("method {word:?} is not known"));
            page.hole("cpu.enable-method", format!("{how}, and there is no psci node; give it with --enable-method"));
            None
        }
    }
}

fn write_psci(psci: Option<Psci>, answers: &Answers, from: &str, page: &mut Page) -> Option<BringUp> {
    page.key("enable-method", "\"psci\"", from);
    let conduit = answers.conduit.or(psci.as_ref().and_then(|psci| psci.conduit));
    let Some(conduit) = conduit else {
        let reason = match &psci {
            None => "the cores start by PSCI, but there is no psci node".to_owned(),
            Some(psci) => format!("{} has no method of smc or hvc", psci.from),
        };
        page.hole("cpu.psci", format!("{reason}; give the conduit with --conduit"));
        return None;
    };
    let conduit = match conduit {
        Conduit::Smc => "smc",
        Conduit::Hvc => "hvc",
    };
    let Some(Psci { version, cpu_on, from, .. }) = psci else {
        page.key("psci", &format!("{{ conduit = \"{conduit}\" }}"), "given");
        return Some(BringUp::Psci);
    };
    match (version, cpu_on) {
        ("0.1", Some(number)) => {
            let number = page::hex(number.into());
            let value = format!("{{ version = \"0.1\", conduit = \"{conduit}\", cpu-on = {number} }}");
            page.key("psci", &value, &from);
            Some(BringUp::Psci01)
        }
        ("0.1", None) => {
            page.hole("cpu.psci", format!("{from} is version 0.1 and has no cpu_on"));
            None
        }
        _ => {
            page.key("psci", &format!("{{ version = \"{version}\", conduit = \"{conduit}\" }}"), &from);
            Some(BringUp::Psci)
        }
    }
}
