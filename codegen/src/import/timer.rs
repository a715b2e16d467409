//! The generic timer's private interrupts.
//!
//! Source: Linux `Documentation/devicetree/bindings/timer/arm,arch_timer.yaml`. Never takes a frequency: firmware sets
//! CNTFRQ_EL0, and where it does not, the tree's number is not the hypervisor's to trust.

use super::Answers;
use super::address;
use super::page::Page;
use super::tree::{NodeId, Tree};

const KINDS: [&str; 2] = ["arm,armv8-timer", "arm,armv7-timer"];
/// Keys in the order in which the binding lists interrupts, with the binding's names.
const KEYS: [(&str, &str); 4] =
    [("sec-phys", "sec-phys"), ("phys", "phys"), ("virt", "virt"), ("hyp-phys", "hyp-phys")];

/// `[timer]`.
pub(super) fn write(tree: &Tree, answers: &Answers, gic: Option<NodeId>, page: &mut Page) {
    page.header("[timer]");
    page.key("kind", "\"arm-generic\"", "");
    let node = tree.all().find(|id| tree.is(*id, &KINDS) && tree.is_enabled(*id));
    let found = node.ok_or_else(|| "the tree has no generic timer".to_owned()).and_then(|id| numbers(tree, id, gic));
    let (numbers, from) = match (answers.timer_intids, found) {
        (Some(numbers), _) => (numbers, "given".to_owned()),
        (None, Ok(numbers)) => (numbers, node.map(|id| tree.path(id)).unwrap_or_default()),
        (None, Err(trouble)) => {
            return page.hole("timer", format!("{trouble}; give four numbers with --timer-intids"));
        }
    };
    for ((key, _), number) in KEYS.into_iter().zip(numbers) {
        page.key(key, &number.to_string(), &from);
    }
}

fn numbers(tree: &Tree, id: NodeId, gic: Option<NodeId>) -> Result<[u32; 4], String> {
    let path = tree.path(id);
    let list = address::interrupts(tree, id)?;
    let names = tree.texts(id, "interrupt-names");
    let mut found = [0; 4];
    for (index, ((_, name), slot)) in KEYS.into_iter().zip(&mut found).enumerate() {
        let at = match names.is_empty() {
            true => Some(index),
            false => names.iter().position(|found| *found == name),
        };
        let entry = at.and_then(|at| list.get(at)).ok_or_else(|| format!("{path}: no {name} interrupt"))?;
        if gic.is_some_and(|gic| !address::leads_to(tree, entry.parent, gic)) {
            return Err(format!("{path}: {name} does not lead to the interrupt controller"));
        }
        let intid = match tree.is(entry.parent, &["brcm,bcm2836-l1-intc"]) {
            // brcm,bcm2836-l1-intc: 0 to 3 are the timers of a core, in this order but for the names.
            true => entry.cells.first().filter(|number| **number < 16).map(|number| 16 + number),
            false => address::intid(&entry.cells),
        };
        *slot = intid.ok_or_else(|| format!("{path}: {name} is no private interrupt"))?;
    }
    Ok(found)
}
