//! What a guest is to see of the machine: consoles and controllers that this machine can give it.
//!
//! Never about addresses, which the planner picks.

use super::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::model::Irq;
use crate::schema::{Console, ConsoleWord, Cpu, Domain, DomainConsole, Written};

/// CPU interfaces of a GICv2. Arm IHI 0048, GICD_TYPER.CPUNumber.
const GICV2_CPUS: u32 = 8;

/// The board's console goes to one domain, which has to know how to drive it.
pub(super) fn console(checker: &mut Checker, domains: &[Written<Domain>], console: Option<&Written<Console>>) {
    let wanted = |domain: &&Written<Domain>| {
        domain.value.console.as_ref().is_some_and(|console| console.value == DomainConsole::Board)
    };
    let mut first: Option<&Domain> = None;
    for domain in domains.iter().filter(wanted) {
        let domain = &domain.value;
        let (name, Some(key)) = (&domain.name.value, &domain.console) else { continue };
        match first {
            None => {
                first = Some(domain);
                if let Some(console) = console {
                    drivable(checker, name, key, console);
                }
            }
            Some(owner) => {
                let claim = format!("the board's console is owned by domain {} and by domain {name}", owner.name.value);
                let mut found = Diagnostic::new(&codes::E0410, claim).at(key.span, name);
                if let Some(other) = &owner.console {
                    found = found.at(other.span, owner.name.value.clone());
                }
                checker.push(found.help("leave it with one of them; the others can have \"hypercall\" or \"pl011\""));
            }
        }
    }
}

fn drivable(checker: &mut Checker, name: &str, key: &Written<DomainConsole>, console: &Written<Console>) {
    let table = &console.value;
    if table.kind.value != ConsoleWord::Pl011 {
        let claim = format!("domain {name} asks for the board's console, which is not a PL011");
        let found =
            Diagnostic::new(&codes::E0417, claim).at(key.span, "this domain").at(table.kind.span, "the console");
        checker.push(found.help("write \"hypercall\" or \"pl011\""));
    } else {
        let because = format!("domain {name} drives the console");
        checker.needed("console.intid", table.intid.as_ref(), table.kind.span, &because);
    }
}

/// A guest sees a controller of the machine's kind, and no more vCPUs than that can serve.
pub(super) fn vcpus(checker: &mut Checker, domains: &[Written<Domain>], irq: Option<&Irq>) {
    let limited = match irq {
        Some(Irq::GicV2 { .. }) => domains,
        Some(Irq::GicV3 { .. } | Irq::Bcm2836 { .. } | Irq::Apic { .. }) | None => &[],
    };
    for domain in limited {
        let Domain { name, vcpus, .. } = &domain.value;
        if vcpus.value > GICV2_CPUS {
            let claim = format!("domain {} has {} vcpus, a GICv2 serves {GICV2_CPUS}", name.value, vcpus.value);
            checker.at(&codes::E0404, vcpus.span, claim, "too many for this board", "give it 8 or fewer");
        }
    }
}

/// Each pinned vCPU has its CPU, and either all are pinned or none.
pub(super) fn pins(checker: &mut Checker, domains: &[Written<Domain>], cpu: Option<&Written<Cpu>>) {
    let cores = cpu.map_or(&[][..], |cpu| &cpu.value.core);
    for domain in domains {
        let Domain { name, vcpus, cpus, .. } = &domain.value;
        let (name, count) = (&name.value, cores.len() as u32);
        for pinned in
            cpus.iter().filter(|pinned| pinned.value >= count && checker.is_complete("cpu.core")).collect::<Vec<_>>()
        {
            let claim = format!("domain {name} is pinned to CPU {}, the board has {count} cores", pinned.value);
            let help = format!("cores count from 0: the last one is {}", count.saturating_sub(1));
            checker.at(&codes::E0418, pinned.span, claim, "no such CPU", &help);
        }
        if let Some(last) = cpus.last()
            && cpus.len() as u32 != vcpus.value
        {
            let claim = format!("domain {name} has {} vcpus, and {} are pinned", vcpus.value, cpus.len());
            let found =
                Diagnostic::new(&codes::E0419, claim).at(last.span, "the last one pinned").at(vcpus.span, "vcpus");
            checker.push(found.help("name a CPU for each, one behind the other, or leave the key out"));
        }
    }
}
