//! Directmap policies on both architectures: each boots, the command line chooses where it may, and an image that cannot
//! choose has no code to do so.

use object::{Object, ObjectSymbol};

use super::variants::Variant;
use super::{Bench, boots};
use crate::build::names;
use crate::cli::Profile;
use crate::failure::Failure;

/// The boards that variants are made of.
const BASES: [&str; 2] = ["qemu-arm64", "qemu-x86_64"];
/// Policies as files spell them.
const POLICIES: [&str; 3] = ["full", "on-demand", "none"];

/// A boot command line, and what must come of it: the policy in the log, and a line that must be there.
struct Choice {
    file: &'static str,
    command_line: Option<&'static str>,
    policy: &'static str,
    says: &'static str,
}

const CHOICES: [Choice; 6] = [
    Choice { file: "full", command_line: None, policy: "full", says: "no directmap= on the command line" },
    Choice { file: "full", command_line: Some("directmap=false"), policy: "on-demand", says: "directmap=false" },
    Choice { file: "on-demand", command_line: Some("quiet directmap=1"), policy: "full", says: "directmap=true" },
    Choice { file: "none", command_line: Some("directmap no-directmap"), policy: "none", says: "directmap=false" },
    Choice { file: "none", command_line: Some("directmap=yes"), policy: "full", says: "directmap=true" },
    Choice {
        file: "none",
        command_line: Some("directmap=maybe"),
        policy: "none",
        says: "directmap=maybe is not understood",
    },
];

/// Functions of which an image that cannot choose has none. The one that can, has.
const CODE_OF_A_CHOICE: [&str; 2] = ["hv..mm..directmap..Words", "heap4full6Window17make_root_entries"];

pub(super) fn run(bench: &mut Bench<'_>) {
    for base in BASES {
        for policy in POLICIES {
            let result = boot(bench, base, (policy, false), None).and_then(|lines| logged(&lines, policy, ".toml:"));
            bench.job(format!("{base} with policy {policy}"), result);
        }
        for choice in &CHOICES {
            let result = boot(bench, base, (choice.file, true), choice.command_line)
                .and_then(|lines| logged(&lines, choice.policy, choice.says));
            let words = choice.command_line.unwrap_or("nothing");
            bench.job(format!("{base} with policy {}, told {words}: {}", choice.file, choice.policy), result);
        }
        let result = code_of_a_choice(bench, base);
        bench.job(format!("{base} without boot-option: no code to choose with"), result);
        for policy in ["on-demand", "none"] {
            let result = two_window_slots(bench, base, policy);
            bench.job(format!("{base} with RAM below and above 512 GiB, policy {policy}"), result);
        }
    }
}

fn variant(base: &'static str, (policy, option): (&str, bool)) -> Variant {
    let name = format!("policy-{base}-{policy}{}", if option { "-option" } else { "" });
    let text = format!("[directmap]\npolicy = \"{policy}\"\nboot-option = {option}\n");
    Variant::of(base, &name, "another directmap policy", &text)
}

/// Boots a variant and returns what it said.
fn boot(
    bench: &Bench<'_>,
    base: &'static str,
    directmap: (&str, bool),
    command_line: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let board = variant(base, directmap).write(bench.builder.project)?;
    let append = command_line.map_or(Vec::new(), |line| vec!["-append".to_owned(), line.to_owned()]);
    boots::boot(bench, &board, Profile::Release, &append).map(|outcome| outcome.lines)
}

/// Whether the log names the policy and holds the phrase.
fn logged(lines: &[String], policy: &str, phrase: &str) -> Result<(), Failure> {
    let line = format!("tabula: directmap: {policy} (");
    let named = lines.iter().any(|said| said.starts_with(&line));
    match named && lines.iter().any(|said| said.contains(phrase)) {
        true => Ok(()),
        false => Err(Failure::Run(format!("no line `{line}…`, or none with `{phrase}`\n{}", lines.join("\n")))),
    }
}

/// The same board twice, with and without the option: the one without is smaller and lacks the functions.
fn code_of_a_choice(bench: &Bench<'_>, base: &'static str) -> Result<(), Failure> {
    let [without, with] = [false, true].map(|option| {
        let board = variant(base, ("none", option)).write(bench.builder.project)?;
        let built = bench.builder.build(&board, Profile::Release)?;
        let file = built.folder.join(names::ELF);
        std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))
    });
    let (without, with) = (Code::of(&without?)?, Code::of(&with?)?);
    let wrong = |why: String| Err(Failure::Run(why));
    for function in CODE_OF_A_CHOICE {
        if !with.has(function) {
            return wrong(format!("the image with the option has no {function}: the comparison shows nothing"));
        }
        if without.has(function) {
            return wrong(format!("the image without the option has {function}"));
        }
    }
    match without.bytes < with.bytes {
        true => Ok(()),
        false => wrong(format!("{} bytes of code without the option, {} with it", without.bytes, with.bytes)),
    }
}

/// What a linked image has of code.
struct Code {
    functions: Vec<String>,
    bytes: u64,
}

impl Code {
    fn of(elf: &[u8]) -> Result<Self, Failure> {
        use object::ObjectSection;
        let broken = |error: object::Error| Failure::Run(format!("the image cannot be read: {error}"));
        let file = object::File::parse(elf).map_err(broken)?;
        let functions = file.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect();
        let bytes = file.sections().find(|section| section.name() == Ok(".text")).map_or(0, |text| text.size());
        Ok(Self { functions, bytes })
    }

    fn has(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name.contains(function))
    }
}

/// 514 GiB of which the board file lists the two ends: RAM in two root entries of the window.
fn two_window_slots(bench: &Bench<'_>, base: &'static str, policy: &str) -> Result<(), Failure> {
    // Arm: RAM begins at 1 GiB. x86-64: QEMU's q35 has 2 GiB below 4 GiB and the rest above.
    let (banks, machine) = match base {
        "qemu-arm64" => (
            [(0x4000_0000_u64, "1 GiB"), (0x80_bc00_0000, "64 MiB")].to_vec(),
            "virt,virtualization=on,gic-version=3,memory-backend=m0",
        ),
        _ => ([(0, "0x9_f000"), (0x10_0000, "1023 MiB"), (0x80_fc00_0000, "64 MiB")].to_vec(), "q35,memory-backend=m0"),
    };
    let size = |text: &str| if text.starts_with("0x") { text.to_owned() } else { format!("\"{text}\"") };
    let banks: String = banks
        .iter()
        .map(|(base, bytes)| format!("[[memory.bank]]\nbase = {base:#x}\nsize = {}\n\n", size(bytes)))
        .collect();
    let text = format!(
        "{banks}[directmap]\npolicy = \"{policy}\"\n\n[emulator]\nmachine = \"{machine}\"\ncpu = \"max\"\nmemory = \"514 GiB\"\n\
         extra = [\"-object\", \"memory-backend-ram,id=m0,size=514G,reserve=off\"]\n"
    );
    let variant = Variant::of(base, &format!("window-{base}-{policy}"), "RAM in two root entries", &text);
    let board = variant.write(bench.builder.project)?;
    let outcome = boots::boot(bench, &board, Profile::Debug, &[])?;
    logged(&outcome.lines, policy, "tabula: memory: ")
}
