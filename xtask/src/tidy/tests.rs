//! Each rule finds what breaks it, and the project itself passes.

use std::path::Path;

use super::{SourceFile, Tree, check, check_tree};

fn rules(path: &str, text: &str) -> Vec<String> {
    let listed = SourceFile { path: "ARCHITECTURE.md".into(), text: "- `a/src/opted.rs`: registers\n".into() };
    let opted = SourceFile {
        path: "a/src/opted.rs".into(),
        text: "//! A.\n// UNSAFETY: registers.\n#![expect(unsafe_code, reason = \"registers\")]\n".into(),
    };
    let library = SourceFile { path: "a/src/lib.rs".into(), text: "//! Root.\nmod opted;\nmod known;\n".into() };
    let file = SourceFile { path: path.into(), text: text.into() };
    let report = check_tree(&Tree { files: vec![listed, opted, library, file] });
    report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.line)).collect()
}

#[test]
fn a_good_file_passes() {
    assert_eq!(rules("a/src/known.rs", "//! Known.\n\nfn short() {}\n"), Vec::<String>::new());
}

#[test]
fn sizes_and_headers_are_checked() {
    assert_eq!(rules("a/src/known.rs", "fn headless() {}\n"), ["R1 1"]);
    let long = format!("//! Long.\n{}", "// line\n".repeat(400));
    assert_eq!(rules("a/src/known.rs", &long), ["R1 0"]);
    let function = format!("//! F.\nfn f() {{\n{}}}\n", "    g();\n".repeat(70));
    assert_eq!(rules("a/src/known.rs", &function), ["R1 2"]);
}

#[test]
fn orphans_are_found() {
    assert_eq!(rules("a/src/stray.rs", "//! Stray.\n"), ["orphan 0"]);
}

#[test]
fn architecture_and_shifts_stay_where_they_belong() {
    let architecture = concat!("//! A.\n#[cfg(target_", "arch = \"x86_64\")]\nfn f() {}\n");
    assert_eq!(rules("a/src/known.rs", architecture), ["R8 2"]);
    let shift = concat!("//! A.\nfn f(a: u64) -> u64 { a <", "< 12 }\n");
    assert_eq!(rules("a/src/known.rs", shift), ["R2 2"]);
}

#[test]
fn unsafe_is_listed_with_a_reason() {
    let opted = "//! A.\n#![expect(unsafe_code, reason = \"x\")]\n";
    assert_eq!(rules("a/src/known.rs", opted), ["R4 0", "R4 0"]);
}

#[test]
fn machine_paths_and_empty_tests_are_found() {
    let path = concat!("see /ro", "ot/project\n");
    assert_eq!(rules("notes.md", path), ["paths 1"]);
    let ignored = concat!("//! A.\n#[ig", "nore]\nfn f() {}\n");
    assert_eq!(rules("a/src/known.rs", ignored), ["R15 2"]);
}

#[test]
fn templates_have_no_conditionals_and_generated_files_a_banner() {
    assert_eq!(rules("templates/a.hbs", "{{#if x}}\n"), ["R10 1"]);
    assert_eq!(rules("generated/a/layout.rs", "pub const A: u8 = 1;\n"), ["R9 1"]);
}

#[test]
fn the_project_is_tidy() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project");
    let report = check(project).expect("git lists the project");
    assert!(report.is_good(), "{}", report.text());
}
