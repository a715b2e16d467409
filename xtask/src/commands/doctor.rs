//! `doctor`: each tool, its version, what it is for, what is missing and how to get it.

use crate::cli::{Doctor, Format};
use crate::commands::Context;
use crate::doctor::{self, Finding, State};
use crate::failure::Failure;

pub(crate) fn execute(context: &Context, arguments: &Doctor) -> Result<(), Failure> {
    let Context { project, host, toolchain, .. } = context;
    let findings = doctor::examine(project, host, *toolchain);
    match arguments.format {
        Format::Text => print!("{}", doctor::text(&findings)),
        Format::Json => println!("{:#}", doctor::json(&findings)),
    }
    let missing: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.state == State::Missing)
        .map(|Finding { name, .. }| name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Environment(format!("missing: {}", missing.join(", "))))
}
