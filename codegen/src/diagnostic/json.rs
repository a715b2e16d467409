//! Findings as a program reads them: an array of objects with the same facts as the text.
//!
//! Never drops a fact that the text shows.

use serde_json::{Value, json};

use super::{Diagnostic, Severity, Sources};

pub(crate) fn render(sources: &Sources, list: &[Diagnostic]) -> String {
    let findings: Vec<Value> = list.iter().map(|d| finding(sources, d)).collect();
    format!("{:#}\n", Value::Array(findings))
}

fn finding(sources: &Sources, diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter_map(|label| {
            let (file, line, column) = sources.position(label.span)?;
            Some(json!({
                "file": file,
                "line": line,
                "column": column,
                "source": sources.slice(label.span),
                "text": label.text,
            }))
        })
        .collect();
    json!({
        "code": diagnostic.code.id,
        "severity": severity,
        "claim": diagnostic.claim,
        "labels": labels,
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    })
}
