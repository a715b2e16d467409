//! Looks at every tool that some command needs, without installing or changing anything.
//!
//! Never runs rustup beyond asking its version, and never the network.

use std::path::Path;

use serde_json::{Value, json};

use crate::host::Host;
use crate::packages::{self, Need, Tool};
use crate::process;
use crate::project::Project;
use crate::toolchain::sources::{self, Offer};
use crate::toolchain::version::Version;
use crate::toolchain::{Source, Target, linker, sysroot};

/// One tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is called.
    pub name: String,
    /// Whether it is there.
    pub state: State,
    /// Version or place where it is there, the reason where it is not.
    pub detail: String,
    /// What it is for.
    pub purpose: String,
    /// The command that brings it.
    pub remedy: Option<String>,
}

/// Whether a tool is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Present,
    /// Not yet; the first build brings it.
    Obtainable,
    /// Not there, and nothing needs it.
    Spare,
    /// Not there, and a command needs it.
    Missing,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Present => "ok",
            Self::Obtainable => "later",
            Self::Spare => "unused",
            Self::Missing => "MISSING",
        }
    }
}

/// Everything, in the order in which a build needs it.
pub fn examine(project: &Project, host: &Host, wish: Option<Source>) -> Vec<Finding> {
    let mut findings = vec![cargo(), rustc(host)];
    for target in Target::ALL {
        findings.extend(cores(project, host, wish, target));
    }
    findings.push(bundled_linker(host));
    let has_bundled = linker::bundled(host).is_some();
    findings.extend(packages::TOOLS.iter().map(|tool| examine_tool(host, *tool, has_bundled)));
    findings.push(grub_modules(host));
    findings
}

/// A table for people.
pub fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { name, state, detail, purpose, remedy } in findings {
        let word = state.word();
        text.push_str(&format!("{word:<8}{name:<width$}  {detail}\n"));
        text.push_str(&format!("{:<8}{:<width$}  for: {purpose}\n", "", ""));
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:<8}{:<width$}  get: {remedy}\n", "", ""));
        }
    }
    text
}

/// The same for programs.
pub fn json(findings: &[Finding]) -> Value {
    findings
        .iter()
        .map(|Finding { name, state, detail, purpose, remedy }| {
            json!({
                "name": name, "state": state.word(), "detail": detail, "purpose": purpose,
                "remedy": remedy,
            })
        })
        .collect()
}

fn cargo() -> Finding {
    let version = process::answer(process::command(sysroot::cargo()).arg("--version"));
    present_or_missing("cargo", version, "builds everything", "https://rustup.rs")
}

fn rustc(host: &Host) -> Finding {
    let version = sources::active_rustc(host).and_then(|rustc| {
        let version = Version::of(&rustc)?;
        Ok(format!("{} ({})", version.release, rustc.display()))
    });
    present_or_missing("rustc", version.ok(), "builds the tools for this machine", "https://rustup.rs")
}

fn cores(project: &Project, host: &Host, wish: Option<Source>, target: Target) -> Vec<Finding> {
    let order = match wish {
        Some(source) => vec![source],
        None => sources::order(project, host, target),
    };
    let triple = target.triple();
    let offers: Vec<(Source, Offer)> =
        order.into_iter().map(|source| (source, sources::offer(project, host, source, target))).collect();
    let works = |offer: &Offer| !matches!(offer, Offer::Missing(_));
    let chosen = offers.iter().position(|(_, offer)| works(offer));
    offers
        .into_iter()
        .enumerate()
        .map(|(at, (source, offer))| {
            let (state, detail) = match (offer, chosen) {
                (Offer::Ready(detail), _) => (State::Present, detail),
                (Offer::Possible(detail), Some(chosen)) if chosen == at => (State::Obtainable, detail),
                (Offer::Possible(detail), _) => (State::Spare, detail),
                (Offer::Missing(why), Some(_)) => (State::Spare, why),
                (Offer::Missing(why), None) => (State::Missing, why),
            };
            let (detail, remedy) = split_help(&detail);
            Finding { name: format!("core ({source})"), state, detail, purpose: format!("`core` for {triple}"), remedy }
        })
        .collect()
}

fn split_help(text: &str) -> (String, Option<String>) {
    match text.split_once("\n  = help: run ") {
        Some((why, remedy)) => (why.to_owned(), Some(remedy.trim_matches('`').to_owned())),
        None => (text.to_owned(), None),
    }
}

fn bundled_linker(host: &Host) -> Finding {
    let found = linker::bundled(host);
    Finding {
        name: "rust-lld".into(),
        state: if found.is_some() { State::Present } else { State::Spare },
        detail: found.map_or_else(|| "not found".into(), |file| file.display().to_string()),
        purpose: "links the image; comes with rustup's toolchains".into(),
        remedy: None,
    }
}

fn examine_tool(host: &Host, tool: Tool, has_bundled: bool) -> Finding {
    let version = host.find(tool.program).map(|file| {
        let text = process::answer(process::command(&file).arg(tool.version)).unwrap_or_default();
        text.lines().next().unwrap_or("version unknown").trim().to_owned()
    });
    let finding =
        present_or_missing(tool.program, version, tool.purpose, &packages::install_command(host, &[tool.package]));
    match (finding.state, tool.need) {
        (State::Missing, Need::Alternative) if has_bundled => Finding { state: State::Spare, ..finding },
        (State::Missing, Need::Test) => Finding { purpose: format!("{} (`test` only)", finding.purpose), ..finding },
        _ => finding,
    }
}

fn grub_modules(host: &Host) -> Finding {
    let folder = Path::new(packages::GRUB_BIOS_FOLDER);
    present_or_missing(
        "GRUB for BIOS",
        folder.is_dir().then(|| folder.display().to_string()),
        "the boot loader on the multiboot2 disc (`test` only)",
        &packages::install_command(host, &[packages::GRUB_BIOS_PACKAGE]),
    )
}

fn present_or_missing(name: &str, version: Option<String>, purpose: &str, remedy: &str) -> Finding {
    let (state, detail, remedy) = match version {
        Some(version) => (State::Present, version, None),
        None => (State::Missing, "not found".to_owned(), Some(remedy.to_owned())),
    };
    Finding { name: name.into(), state, detail, purpose: purpose.into(), remedy }
}
