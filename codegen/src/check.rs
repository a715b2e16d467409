//! From the file's types to the model: what values mean, and whether they fit together.
//!
//! Reports everything it finds and places nothing; what depends on placement is the planner's task.

mod claims;
mod console;
mod domains;
mod guest;
mod heap;
mod images;
mod interrupts;
mod layout;
mod machine;
mod memory;
mod uart;

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Diagnostics, Radix, Span, human_bytes};
use crate::load::Loaded;
use crate::model::{Arch, Board, Origin, Sourced};
use crate::schema::{Place, Size, Written};

use claims::Claims;

/// What the parts of a check share.
struct Checker {
    found: Diagnostics,
    /// Tables and lists of which a part could not be read: nothing follows from what they lack.
    incomplete: Vec<String>,
}

impl Checker {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Reports at one place.
    fn at(&mut self, code: &'static Code, span: Span, claim: String, label: &str, help: &str) {
        self.push(Diagnostic::new(code, claim).at(span, label).help(help));
    }

    /// Whether all that the file says under this path was read.
    fn is_complete(&self, path: &str) -> bool {
        !self.incomplete.iter().any(|known| known == path)
    }

    fn origin(&self, span: Span) -> Origin {
        self.found.sources().origin(span)
    }

    /// A value as the model keeps it.
    fn sourced<T: Copy>(&self, written: &Written<T>) -> Sourced<T> {
        Sourced { value: written.value, from: self.origin(written.span) }
    }

    /// A number in the base in which the file writes it.
    fn radix(&self, span: Span) -> Radix {
        Radix::of(self.found.sources().slice(span))
    }

    /// A range that is not empty and ends below 2^64.
    fn range(&mut self, what: &str, base: &Written<u64>, size: &Written<Size>) -> Option<(u64, u64)> {
        let (first, bytes) = (base.value, size.value.0);
        if bytes == 0 {
            self.at(
                &codes::E0201,
                size.span,
                format!("{what} is empty"),
                "zero bytes",
                "give it a size, or remove the entry",
            );
            return None;
        }
        if first.checked_add(bytes).is_none_or(|end| end == 0) {
            let radix = self.radix(base.span);
            let claim = format!("{what} {} does not end below 2^64", radix.range(first, bytes));
            let found =
                Diagnostic::new(&codes::E0204, claim).at(base.span, "starts here").at(size.span, "and is this long");
            let help = match u64::MAX - first {
                0 => "correct the address: nothing fits behind it".to_owned(),
                most => format!("at most {} bytes fit behind this base", radix.show(most.into())),
            };
            self.push(found.help(help));
            return None;
        }
        Some((first, bytes))
    }

    /// Reports a value that is not a multiple of `unit`; says which neighbours are.
    fn aligned(&mut self, what: &str, value: u64, span: Span, unit: u64) -> bool {
        if value.is_multiple_of(unit) {
            return true;
        }
        let radix = self.radix(span);
        // A size in units is answered in units.
        let in_units = self.found.sources().slice(span).starts_with(['"', '\'']);
        let show = |number: u64| match in_units {
            true => format!("\"{}\"", human_bytes(number)),
            false => radix.show(number.into()),
        };
        let below = value - value % unit;
        let unit_text = human_bytes(unit);
        let help = match (below, crate::diagnostic::aligned_up(value, unit)) {
            (0, Some(above)) => format!("the next multiple is {}", show(above)),
            (below, Some(above)) => format!("{} is the multiple below, {} the one above", show(below), show(above)),
            (below, None) => format!("{} is the multiple below", show(below)),
        };
        let claim = format!("{what} {} is not a multiple of {unit_text}", show(value));
        self.at(&codes::E0202, span, claim, &format!("not a multiple of {unit_text}"), &help);
        false
    }

    /// A key that the architecture or the kind has no use for.
    fn inapplicable(&mut self, key: &str, span: Span, because: &str) {
        let claim = format!("{key} does not apply: {because}");
        self.at(&codes::E0117, span, claim, "has no effect here", "remove the key");
    }

    /// A key that is needed although others can do without it.
    fn needed<'w, T>(
        &mut self,
        key: &str,
        written: Option<&'w Written<T>>,
        near: Span,
        because: &str,
    ) -> Option<&'w Written<T>> {
        if written.is_none() {
            let claim = format!("{key} is missing: {because}");
            self.at(&codes::E0118, near, claim, "this needs it", &format!("add {key}"));
        }
        written
    }

    /// A name that can become a folder, a node and an argument.
    fn name(&mut self, what: &str, written: &Written<String>) -> bool {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.@,".contains(c);
        let text = &written.value;
        let begins = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if begins && text.len() <= 63 && text.chars().all(good) {
            return true;
        }
        let help = "use 1 to 63 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@` and `,`, beginning with a letter or digit";
        self.at(&codes::E0119, written.span, format!("{what} {text:?} cannot be used as a name"), "not a name", help);
        false
    }

    /// Reports names that occur twice.
    fn unique<'w>(&mut self, what: &str, names: impl Iterator<Item = &'w Written<String>>) {
        let mut seen: Vec<&Written<String>> = Vec::new();
        for name in names {
            match seen.iter().find(|old| old.value == name.value) {
                Some(first) => {
                    let found = Diagnostic::new(&codes::E0120, format!("{what} {:?} is used twice", name.value));
                    let found = found.at(name.span, "second use").at(first.span, "first use");
                    self.push(found.help("give one of them another name"));
                }
                None => seen.push(name),
            }
        }
    }
}

/// `"auto"`, an address or nothing, as a value or the origin of "auto".
fn placement(checker: &Checker, written: Option<&Written<Place>>) -> (Option<u64>, Origin) {
    match written {
        None => (None, Origin::Default),
        Some(written) => match written.value {
            Place::Auto => (None, checker.origin(written.span)),
            Place::At(address) => (Some(address), checker.origin(written.span)),
        },
    }
}

/// Checks a board that has been read; warnings ride along.
pub(crate) fn check(loaded: Loaded) -> Result<(Board, Diagnostics), Diagnostics> {
    let Loaded { file, diagnostics, stem, incomplete } = loaded;
    let mut checker = Checker { found: diagnostics, incomplete };
    let board = board(&mut checker, &file, &stem);
    checker.found.into_result(board)
}

fn board(checker: &mut Checker, file: &crate::schema::File, stem: &str) -> Option<Board> {
    let platform = file.platform.as_ref()?;
    let arch = machine::arch(platform);
    checker.name("platform.name", &platform.value.name);
    machine::stem(checker, platform, stem);
    machine::imported_from(checker, &platform.value);
    let mut claims = Claims::default();
    let memory = file.memory.as_ref().and_then(|memory| memory::check(checker, &memory.value, arch, &mut claims));
    let cpus = file.cpu.as_ref().and_then(|cpu| machine::cpus(checker, cpu, arch));
    let power_off = machine::power_off(checker, platform, arch, cpus.as_ref(), &mut claims);
    let irq = file.irq.as_ref().and_then(|irq| interrupts::irq(checker, irq, arch, cpus.as_ref(), &mut claims));
    let timer = file.timer.as_ref().and_then(|timer| interrupts::timer(checker, timer, arch));
    let console = file.console.as_ref().and_then(|console| console::check(checker, console, arch, &mut claims));
    let boot = file.boot.as_ref().and_then(|boot| layout::boot(checker, boot, arch));
    let fixed = claims.pages_mapped_for_good();
    let trampoline = cpus.as_ref().map_or(0, layout::trampoline_slots);
    let layout = file.layout.as_ref().and_then(|layout| layout::layout(checker, layout, arch, [fixed, trampoline]));
    let directmap = file.directmap.as_ref().map(|directmap| heap::policy(checker, &directmap.value));
    let directmap_choice = file.directmap.as_ref().map(|directmap| heap::choice(checker, &directmap.value));
    if let (Some(memory), Some(table)) = (&file.memory, &file.directmap)
        && let (Some(policy), Some(choice)) = (&directmap, &directmap_choice)
    {
        memory::shown(checker, &memory.value, &table.value, policy.value, choice.value);
    }
    let heap = heap::heap(checker, file.heap.as_ref());
    let guest_tables = heap::guest_tables(checker, file.stage2.as_ref());
    let devices = domains::devices(checker, &file.device, &mut claims);
    let domains = domains::domains(checker, file, arch, memory.as_ref(), irq.as_ref());
    let emulator = file.emulator.as_ref().map(|emulator| domains::emulator(checker, &emulator.value, memory.as_ref()));
    claims.check(checker, memory.as_ref());
    interrupts::unique(checker, file);
    interrupts::guests(checker, file, irq.as_ref());
    let name = |index: usize| checker.found.sources().name(index).map(str::to_owned);
    Some(Board {
        name: platform.value.name.value.clone(),
        model: platform.value.model.value.clone(),
        compatible: platform.value.compatible.iter().map(|name| name.value.clone()).collect(),
        arch,
        file: name(0)?,
        base_file: name(1),
        memory: memory?,
        cpus: cpus?,
        irq: irq?,
        timer: timer?,
        console: console?,
        boot: boot?,
        power_off: power_off?,
        layout: layout?,
        directmap: directmap?,
        directmap_choice: directmap_choice?,
        heap,
        guest_tables,
        domains: domains?,
        devices: devices?,
        emulator,
        sources: checker.found.sources().clone(),
    })
}

/// Highest byte offset plus one that an architecture's tables reach, in bits.
const fn pa_bits_max(arch: Arch) -> u8 {
    match arch {
        Arch::Aarch64 => 48,
        Arch::X86_64 => 52,
    }
}
