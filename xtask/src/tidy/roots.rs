//! A root is called `root` in code that serves every architecture, whatever level it stands at.
//!
//! Looks at identifiers only; architectures call their registers what the manuals do.

use proc_macro2::{TokenStream, TokenTree};

use super::Finding;
use super::tree::SourceFile;

/// Words that are a root's name on one architecture.
const ARCHITECTURES: [&str; 4] = ["pml4", "pml5", "pgd", "pgtable"];
/// Words for the level at which roots happen to stand.
const LEVELS: [&str; 4] = ["l0", "level0", "first", "top"];
/// Words for what stands there.
const TABLES: [&str; 4] = ["table", "tables", "pagetable", "root"];

/// Checks one file.
pub(super) fn check(file: &SourceFile, findings: &mut Vec<Finding>) {
    if !is_shared(file) {
        return;
    }
    // Files that do not parse are another rule's.
    let Ok(tokens) = file.text.parse::<TokenStream>() else { return };
    visit(tokens, &mut |identifier, line| {
        if names_a_level(identifier) {
            let text = format!("`{identifier}` names a root by its level or architecture: call it `root`");
            findings.push(Finding { rule: "root", file: file.path.clone(), line, text });
        }
    });
}

/// Code that is compiled for every architecture, and what is generated for any.
fn is_shared(file: &SourceFile) -> bool {
    let shared = file.path.starts_with("hv/src/") || file.path.starts_with("generated/");
    shared && file.is_rust() && !file.path.starts_with("hv/src/arch/")
}

fn names_a_level(identifier: &str) -> bool {
    let lower = identifier.to_lowercase();
    let words: Vec<&str> = lower.split('_').collect();
    let level_of_a_table = |two: &[&str]| {
        LEVELS.contains(&two[0]) && TABLES.contains(&two[1]) || TABLES.contains(&two[0]) && LEVELS.contains(&two[1])
    };
    words.iter().any(|word| ARCHITECTURES.contains(word)) || words.windows(2).any(level_of_a_table)
}

fn visit(tokens: TokenStream, found: &mut impl FnMut(&str, usize)) {
    for token in tokens {
        match token {
            TokenTree::Ident(identifier) => found(&identifier.to_string(), identifier.span().start().line),
            TokenTree::Group(group) => visit(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
