//! Rules about Rust: sizes, headers, architecture choices, shifts by hand, opt-in `unsafe`, orphans.
//!
//! Function lengths come from the parser, everything else from lines.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::Finding;
use super::tree::{SourceFile, Tree};

/// R1: lines of a file.
const FILE_LINES: usize = 400;
/// R1: lines of a function.
const FUNCTION_LINES: usize = 70;
/// R1: lines of tests inside the file they test.
const TEST_LINES: usize = 150;
/// Where the list of files that may use `unsafe` stands.
const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// The attribute that opts a file in.
const OPT_IN: &str = "#![expect(unsafe_code";

/// Checks one hand-written file.
pub(super) fn check(file: &SourceFile, tree: &Tree, findings: &mut Vec<Finding>) {
    let mut find = |rule, line, text: String| findings.push(Finding { rule, file: file.path.clone(), line, text });
    let lines = file.text.lines().count();
    if lines > FILE_LINES && !file.text.contains("// R1: ") {
        find("R1", 0, format!("{lines} lines; split it, or say why in a line `// R1: …` (at most {FILE_LINES})"));
    }
    if !file.text.starts_with("//!") {
        find("R1", 1, "starts without `//!`: what it is, then what it never does".into());
    }
    if let Some((line, count)) = inline_tests(file).filter(|(_, count)| *count > TEST_LINES) {
        find("R1", line, format!("{count} lines of tests; more than {TEST_LINES} move to a file of their own"));
    }
    check_lines(file, &mut find);
    check_functions(file, &mut find);
    if is_orphan(file, tree) {
        find("orphan", 0, "no `mod` names this file, so nothing compiles it".into());
    }
}

/// Every file that opts in gives its reason, and ARCHITECTURE.md lists exactly those.
pub(super) fn check_unsafe_list(tree: &Tree, findings: &mut Vec<Finding>) {
    let opted: Vec<&SourceFile> = tree.files.iter().filter(|file| opts_in(file)).collect();
    for file in &opted {
        if !file.text.contains("// UNSAFETY: ") {
            let text = "opts into `unsafe` without an `// UNSAFETY:` line".to_owned();
            findings.push(Finding { rule: "R4", file: file.path.clone(), line: 0, text });
        }
    }
    let Some(page) = tree.get(ARCHITECTURE) else {
        let text = "missing: it lists the files that may use `unsafe`".to_owned();
        findings.push(Finding { rule: "R4", file: ARCHITECTURE.into(), line: 0, text });
        return;
    };
    let listed: Vec<&str> = page.text.lines().filter_map(listed_file).collect();
    let mut find = |text| findings.push(Finding { rule: "R4", file: ARCHITECTURE.into(), line: 0, text });
    for file in opted.iter().filter(|file| !listed.contains(&file.path.as_str())) {
        find(format!("{} uses `unsafe` and is not listed", file.path));
    }
    for path in listed.iter().filter(|path| !opted.iter().any(|file| file.path == **path)) {
        find(format!("{path} is listed and uses no `unsafe`"));
    }
}

fn opts_in(file: &SourceFile) -> bool {
    file.is_rust() && !file.is_generated() && file.text.lines().any(|line| line.starts_with(OPT_IN))
}

/// A row of the list: "- `path`: reason".
fn listed_file(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("- `")?;
    let (path, _) = rest.split_once("`: ")?;
    path.ends_with(".rs").then_some(path)
}

fn check_lines(file: &SourceFile, find: &mut impl FnMut(&'static str, usize, String)) {
    let architecture_roots =
        ["hv/src/arch.rs", "hv/src/arch/aarch64.rs", "hv/src/arch/x86_64.rs", "hv/src/arch/hosted.rs"];
    for (number, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let quoted = code.contains('"') && !code.contains("cfg(");
        if code.contains(concat!("target_", "arch")) && !quoted && !architecture_roots.contains(&file.path.as_str()) {
            find("R8", number + 1, "the architecture is chosen in `arch.rs` and the two roots only".into());
        }
        let shifts = [concat!("<< ", "12"), concat!(">> ", "12")];
        if shifts.iter().any(|shift| shifted(code, shift)) && !knows_bits(file) {
            find("R2", number + 1, "a frame number made by hand: use `Frame` and `PhysAddr`".into());
        }
    }
}

/// Files that deal in register and entry bits by their nature, and tests.
fn knows_bits(file: &SourceFile) -> bool {
    ["hv/paging/src/", "hv/src/arch/"].iter().any(|folder| file.path.starts_with(folder)) || file.is_test()
}

/// The shift itself, not a longer number that begins like it.
fn shifted(code: &str, shift: &str) -> bool {
    code.match_indices(shift).any(|(at, _)| {
        let next = code[at + shift.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_digit())
    })
}

/// The first line of `mod tests {` and how many lines it has.
fn inline_tests(file: &SourceFile) -> Option<(usize, usize)> {
    let first = file.text.lines().position(|line| line.starts_with("mod tests {"))?;
    let lines = file.text.lines().skip(first).position(|line| line == "}")?;
    Some((first + 1, lines + 1))
}

fn check_functions(file: &SourceFile, find: &mut impl FnMut(&'static str, usize, String)) {
    let parsed = match syn::parse_file(&file.text) {
        Ok(parsed) => parsed,
        Err(error) => return find("R1", error.span().start().line, format!("does not parse: {error}")),
    };
    let mut functions = Functions::default();
    functions.visit_file(&parsed);
    for (name, line, lines) in functions.long {
        find("R1", line, format!("`{name}` has {lines} lines; at most {FUNCTION_LINES}"));
    }
}

/// Collects functions that are too long.
#[derive(Default)]
struct Functions {
    long: Vec<(String, usize, usize)>,
}

impl Functions {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line + 1 - first;
        if lines > FUNCTION_LINES {
            self.long.push((signature.ident.to_string(), first, lines));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

/// A module file that no sibling or parent declares.
fn is_orphan(file: &SourceFile, tree: &Tree) -> bool {
    let Some((folder, name)) = file.path.rsplit_once('/') else { return false };
    let stem = name.trim_end_matches(".rs");
    let is_root = matches!(stem, "lib" | "main" | "build" | "mod")
        || folder.ends_with("/tests") && !tree.files.iter().any(|other| other.path == format!("{folder}.rs"))
        || folder.ends_with("fuzz_targets")
        || folder.ends_with("/bin")
        || folder.ends_with("/benches");
    if is_root {
        return false;
    }
    let parents =
        [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs"), format!("{folder}/mod.rs")];
    let declares = |parent: &SourceFile| {
        parent.text.lines().any(|line| {
            let line = line.trim();
            line.ends_with(&format!("mod {stem};")) || line.contains(&format!("\"{name}\""))
        })
    };
    !parents.iter().filter_map(|path| tree.get(path)).any(declares)
}
