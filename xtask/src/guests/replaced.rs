//! A board's text with other guests than its own: what tests and figures of the hypervisor are made on.
//!
//! TOML only. Changes nothing but the domains.

use crate::boards;
use crate::failure::Failure;
use crate::planned;
use crate::project::Project;

/// The built-in guest, alone on its board.
pub const PAYLOAD: &str = "[[domain]]\nname = \"payload\"\nvcpus = 1\n\
                           memory = { base = 0x4000_0000, size = \"16 MiB\" }\n\
                           kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\n";

/// How the table of a domain begins.
const DOMAIN: &str = "[[domain";

/// The board, whole and under its own name, with these guests; one that has none gets none.
pub fn replaced(project: &Project, board: &str, guests: &str) -> Result<String, Failure> {
    let original = project.root().join(boards::resolve_one(project, project.root(), board)?.path);
    let whole = codegen::expand(&original).map_err(|found| planned::findings(&found))?;
    let (domains, kept): (Vec<_>, Vec<_>) = tables(&whole).into_iter().partition(|table| table.starts_with(DOMAIN));
    let guests = if domains.is_empty() { "" } else { guests };
    Ok(kept.concat() + "\n" + guests)
}

/// A board file, table by table: each begins with its header.
pub fn tables(text: &str) -> Vec<String> {
    let mut tables = vec![String::new()];
    for line in text.lines() {
        if line.starts_with('[') {
            tables.push(String::new());
        }
        if let Some(table) = tables.last_mut() {
            table.push_str(line);
            table.push('\n');
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::{DOMAIN, PAYLOAD, replaced};
    use crate::project::Project;

    #[test]
    fn only_the_domains_are_others() {
        let project = Project::enter().expect("tests run inside the project");
        let text = |guests| replaced(&project, "qemu-arm64", guests).expect("it is there");
        let (with, without) = (text(PAYLOAD), text(""));
        assert_eq!(with.strip_suffix(PAYLOAD), Some(without.as_str()));
        assert!(without.contains("name = \"qemu-arm64\"") && !without.contains(DOMAIN), "{without}");
    }

    #[test]
    fn a_board_without_domains_gets_none() {
        let project = Project::enter().expect("tests run inside the project");
        let text = replaced(&project, "qemu-x86_64", PAYLOAD).expect("it is there");
        assert!(!text.contains(DOMAIN), "{text}");
    }
}
