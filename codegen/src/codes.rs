//! Every diagnostic code: its title, why it is refused, an example that has it and the same put right.
//!
//! One table per stage: `file` (E01xx), `hardware` (E02xx, E03xx), `hypervisor` (E04xx), `plan` (E05xx to E07xx).
//! A number is never given a second meaning.

mod file;
mod hardware;
mod hypervisor;
mod plan;

pub use file::*;
pub use hardware::*;
pub use hypervisor::*;
pub use plan::*;

use crate::diagnostic::Severity;

/// One kind of finding.
#[derive(Debug)]
pub struct Code {
    /// `Ennnn`, stable.
    pub id: &'static str,
    /// Whether it stops the run.
    pub severity: Severity,
    /// One line.
    pub title: &'static str,
    /// Why it is refused and what the choices are.
    pub long: &'static str,
    /// A piece of a board file that has it.
    pub bad: &'static str,
    /// The same, put right.
    pub good: &'static str,
}

/// Rows of `ID Severity "title" "explanation" "bad example" "good example"`.
macro_rules! codes {
    ($($id:ident $severity:ident $title:literal $long:literal $bad:literal $good:literal)*) => {
        $(
            #[doc = $title]
            pub static $id: $crate::codes::Code = $crate::codes::Code {
                id: stringify!($id),
                severity: $crate::diagnostic::Severity::$severity,
                title: $title,
                long: $long,
                bad: $bad,
                good: $good,
            };
        )*
        pub(super) static TABLE: &[&$crate::codes::Code] = &[$(&$id),*];
    };
}
pub(crate) use codes;

/// All codes in ascending order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [file::TABLE, hardware::TABLE, hypervisor::TABLE, plan::TABLE].into_iter().flatten().copied()
}

/// The code with this id, in either case.
pub fn find(id: &str) -> Option<&'static Code> {
    all().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// The long explanation of a code with both examples; `None` for an id that is not in the table.
pub fn explain(id: &str) -> Option<String> {
    let code = find(id)?;
    let severity = match code.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    Some(format!(
        "{severity}[{}]: {}\n\n{}\n\nInstead of:\n\n{}\n\nwrite:\n\n{}\n",
        code.id,
        code.title,
        code.long,
        indented(code.bad),
        indented(code.good)
    ))
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{all, explain};

    #[test]
    fn ids_ascend_and_explain_themselves() {
        let ids: Vec<_> = all().map(|code| code.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 5 && id.starts_with('E')));
        assert!(explain("e0203").is_some_and(|text| text.contains("Instead of:")));
        assert!(explain("E9999").is_none());
    }
}
