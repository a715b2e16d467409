//! platforms/README.md: every key with unit, default and meaning, from the schema's own types.
//!
//! Writes no fact of its own: a key's comment is the page's text.

use std::fmt::Write;

use crate::schema::{Field, Kind, Shape, Word};

const HEAD: &str = "# Board files

A board exists because its file exists: `cargo xtask list` shows them, `cargo xtask check` reads them. Sizes are integers
(bytes) or text with a unit (`\"64 KiB\"`); addresses are integers. A key without default is needed, unless its text says
where. This page is made from the schema's types; `UPDATE_EXPECT=1 cargo test -p tests --test keys` writes it anew.
";

/// The page.
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, "", Shape::file());
    out
}

/// The JSON schema of a board file: of each key its title, unit and default beside what its type says.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(crate::schema::File).to_value();
    describe(&mut schema);
    let text = serde_json::to_string_pretty(&schema);
    text.expect("a schema is text, lists and tables") + "\n"
}

/// Takes a key's comment apart, wherever there is one.
fn describe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(table) => {
            let doc = table.get("description").and_then(serde_json::Value::as_str).map(str::to_owned);
            if let Some(doc) = doc.filter(|doc| doc.contains("unit: ")) {
                let (meaning, facts) = split(&doc);
                let (unit, default) = facts.split_once("; default: ").unwrap_or((&facts, "none"));
                let title = meaning.split(". ").next().unwrap_or_default().trim_end_matches('.');
                table.insert("title".into(), title.into());
                table.insert("x-unit".into(), unit.trim_start_matches("unit: ").into());
                table.insert("x-default".into(), default.into());
                if let Ok(word) = serde_json::from_str::<serde_json::Value>(default) {
                    table.insert("default".into(), word);
                }
            }
            table.values_mut().for_each(describe);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(describe),
        _ => {}
    }
}

fn section(out: &mut String, path: &str, shape: &Shape) {
    let (fields, listed) = match &shape.kind {
        Kind::Table(fields) => (fields, false),
        Kind::List(item, _) => match &item.kind {
            Kind::Table(fields) => (fields, true),
            _ => return,
        },
        _ => return,
    };
    let title = match (path, listed) {
        ("", _) => "top of the file".to_owned(),
        (path, true) => format!("`[[{path}]]`"),
        (path, false) => format!("`[{path}]`"),
    };
    put(out, &format!("\n## {title}\n\n| key | unit, default | meaning |\n| --- | --- | --- |\n"));
    for field in fields {
        put(out, &row(field));
    }
    for field in fields {
        let below = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        section(out, &below, &field.shape);
    }
}

fn row(field: &Field) -> String {
    let (meaning, facts) = split(&field.doc);
    let words = match &field.shape.kind {
        Kind::Word(words) => words.iter().map(word).collect::<Vec<_>>().join("; "),
        _ => String::new(),
    };
    let words = if words.is_empty() { words } else { format!(" One of: {words}.") };
    format!("| `{}` | {facts} | {meaning}{words} |\n", field.name)
}

fn word(word: &Word) -> String {
    let (meaning, _) = split(&word.doc);
    format!("`\"{}\"`, {}", word.name, meaning.trim_end_matches('.'))
}

/// A comment as its text and its last line, `unit: …; default: …`.
fn split(doc: &str) -> (String, String) {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    match doc.rfind("unit: ") {
        Some(at) => (one_line(&doc[..at]), one_line(&doc[at..])),
        None => (one_line(doc), String::new()),
    }
}

fn put(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let written = out.write_str(text);
    debug_assert!(written.is_ok());
}
