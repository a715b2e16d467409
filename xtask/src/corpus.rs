//! Every device tree of Debian's arm64 kernel: fetched once, imported with what a person would add, and counted.
//!
//! The trees stay under the build folder: they are fetched, never committed. Answers here are a test's: RAM that no
//! register meets, the first UART, PSCI by SMC where the tree is silent.

mod fetch;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use codegen::diagnostic::Severity;
use codegen::import::{Answers, Class, Conduit, Method, Source};
use codegen::plan::{Flavour, Plan};

use crate::cpu_time;
use crate::failure::Failure;

pub use fetch::{Trees, fetch};
pub use report::markdown;

/// RAM for boards that leave it to firmware: the first that no register meets.
const MEMORY: [u64; 5] = [0x8000_0000, 0x4000_0000, 0x0, 0x2_0000_0000, 0x1_0000_0000];
const MEMORY_BYTES: u64 = 1 << 30;
/// PPIs of most chips.
const TIMER: [u32; 4] = [29, 30, 27, 26];
const MAINTENANCE: u32 = 25;

/// What came of one tree.
pub struct Outcome {
    /// Its path, relative to the corpus.
    pub tree: String,
    /// Keys that the tree leaves open, without answers.
    pub holes: Vec<&'static str>,
    /// What kind of board it is, with answers.
    pub class: Class,
    /// Whether it imports without a question.
    pub parses: bool,
    /// The board file with answers.
    pub text: String,
    /// Its release plan, or the codes that stand against it.
    pub plan: Result<Box<Plan>, Vec<&'static str>>,
    /// Processor time of importing.
    pub import_time: Duration,
    /// Processor time of load, check and plan.
    pub check_time: Duration,
}

/// All trees below a folder, sorted.
pub fn trees(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = folder.read_dir().map_err(|error| Failure::file("read", &folder, &error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "dtb") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Imports a tree twice: as it is, and with answers; checks and plans the second.
///
/// # Errors
/// A tree that does not import, or whose board file does not parse.
pub fn examine(folder: &Path, tree: &Path) -> Result<Outcome, Failure> {
    let bytes = std::fs::read(tree).map_err(|error| Failure::file("read", tree, &error))?;
    let shown = tree.strip_prefix(folder).unwrap_or(tree).display().to_string();
    let name = tree.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let source = Source { name: name.clone(), file: shown.clone(), sha256: "0".repeat(64) };
    let failed = |error: &dyn std::fmt::Display| Failure::Run(format!("{shown}: {error}"));
    let began = cpu_time::now()?;
    let plain = codegen::import::import(&bytes, &source, &Answers::default()).map_err(|error| failed(&error))?;
    let import_time = cpu_time::now()? - began;
    let holes: Vec<_> = plain.holes.iter().map(|hole| hole.key).collect();
    let parses = plain.text.parse::<toml::Table>().is_ok();
    let mut best = None;
    for base in MEMORY {
        let answers = answers(&bytes, &holes, base).map_err(|error| failed(&error))?;
        let imported = codegen::import::import(&bytes, &source, &answers).map_err(|error| failed(&error))?;
        let began = cpu_time::now()?;
        let plan = plan(&name, &imported.text);
        let outcome = Outcome {
            tree: shown.clone(),
            holes: holes.clone(),
            class: imported.class,
            parses,
            text: imported.text,
            plan,
            import_time,
            check_time: cpu_time::now()? - began,
        };
        let done = outcome.plan.is_ok() || !holes.contains(&"memory.bank");
        best = Some(outcome);
        if done {
            break;
        }
    }
    best.ok_or_else(|| failed(&"no answer was tried"))
}

/// What a test says where the tree does not.
fn answers(bytes: &[u8], holes: &[&str], base: u64) -> Result<Answers, codegen::import::ImportError> {
    let open = |key: &str| holes.contains(&key);
    let consoles = codegen::import::consoles(bytes)?;
    let silent = open("cpu.enable-method") || open("cpu.psci");
    Ok(Answers {
        memory: if open("memory.bank") { vec![(base, MEMORY_BYTES)] } else { Vec::new() },
        console: open("console").then(|| consoles.first().cloned().unwrap_or_else(|| "none".into())),
        enable_method: silent.then_some(Method::Psci),
        conduit: silent.then_some(Conduit::Smc),
        release_addresses: match open("cpu.core.release-addr") {
            true => (1..16).map(|core| base + 8 * core).collect(),
            false => Vec::new(),
        },
        maintenance_intid: open("irq.maintenance-intid").then_some(MAINTENANCE),
        timer_intids: open("timer").then_some(TIMER),
        ..Answers::default()
    })
}

/// Load, check and plan, as `cargo xtask check` does for each flavour.
fn plan(name: &str, text: &str) -> Result<Box<Plan>, Vec<&'static str>> {
    let codes = |found: &codegen::diagnostic::Diagnostics| {
        let errors = found.iter().filter(|one| one.severity() == Severity::Error);
        errors.map(|one| one.code.id).collect::<Vec<_>>()
    };
    let path = PathBuf::from(format!("{name}.toml"));
    let read = |_: &Path| Ok(text.as_bytes().to_vec());
    let (board, _) = codegen::load_with(&path, &read).map_err(|found| codes(&found))?;
    let release = codegen::plan(&board, Flavour::Release).map_err(|found| codes(&found))?;
    for flavour in [Flavour::Debug, Flavour::SelfTest] {
        codegen::plan(&board, flavour).map_err(|found| codes(&found))?;
    }
    Ok(Box::new(release))
}

/// How often each word occurs, most frequent first.
fn histogram<'w>(words: impl Iterator<Item = &'w str>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let mut list: Vec<_> = counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    list
}
