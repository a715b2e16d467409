//! The page that maps the series to tests names tests that exist.
//!
//! Reads names only; whether a test shows what the page says is for the reader.

use super::Finding;
use super::tree::Tree;

/// The page.
const PAGE: &str = "docs/series.md";
/// Where rows and suites are listed.
const ROWS: &str = "xtask/src/suites/self_tests/rows.rs";
const SUITES: &str = "xtask/src/suites.rs";

/// Checks every name in code marks that says what kind of test it is.
pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(page) = tree.get(PAGE) else { return };
    for (number, line) in page.text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter_map(Name::read) {
            if !name.exists(tree) {
                let text = format!("no test is called `{}`", name.text);
                findings.push(Finding { rule: "series", file: PAGE.into(), line: number + 1, text });
            }
        }
    }
}

/// A test as the page names it.
struct Name<'p> {
    kind: Kind,
    text: &'p str,
}

enum Kind {
    Host,
    Row,
    Suite,
}

impl<'p> Name<'p> {
    fn read(code: &'p str) -> Option<Self> {
        let kinds = [("host: ", Kind::Host), ("row: ", Kind::Row), ("suite: ", Kind::Suite)];
        kinds.into_iter().find_map(|(mark, kind)| Some(Self { kind, text: code.strip_prefix(mark)? }))
    }

    fn exists(&self, tree: &Tree) -> bool {
        let holds = |path: &str, text: &str| tree.get(path).is_some_and(|file| file.text.contains(text));
        match self.kind {
            Kind::Host => {
                let function = format!("fn {}(", self.text);
                tree.files.iter().any(|file| file.is_rust() && file.text.contains(&function))
            }
            Kind::Row => holds(ROWS, &format!("\"{}\"", self.text)),
            Kind::Suite => holds(SUITES, &format!("name: \"{}\"", self.text)),
        }
    }
}
