//! The merged document as TOML again, each value followed by the place it was written at.
//!
//! Never prints a default: those are in platforms/README.md.

use toml::de::{DeTable, DeValue};

use super::Document;
use crate::diagnostic::{Sources, Span};
use crate::quoted::quoted;

/// The document without its `base` key.
pub(super) fn text(document: &Document<'_>) -> String {
    let mut writer = Writer { sources: document.diagnostics.sources(), text: String::new() };
    let name = writer.sources.name(0).unwrap_or_default();
    writer.text = format!("# {name} with what it inherits; each value was written at the place behind it.\n");
    writer.table(document.table.get_ref(), "");
    writer.text
}

struct Writer<'a> {
    sources: &'a Sources,
    text: String,
}

impl Writer<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let inherits = path.is_empty() && key.get_ref() == "base";
            if !inherits && !self.is_headed(value) {
                let place = self.place(value.span().into());
                let value = self.inline(value);
                let line = format!("{} = {value}  # {place}\n", quoted_key(key.get_ref()));
                self.text.push_str(&line);
            }
        }
        for (key, value) in table {
            if !self.is_headed(value) {
                continue;
            }
            let key = quoted_key(key.get_ref());
            let path = match path {
                "" => key,
                path => format!("{path}.{key}"),
            };
            self.headed(value.get_ref(), &path);
        }
    }

    fn headed(&mut self, value: &DeValue<'_>, path: &str) {
        match value {
            DeValue::Table(table) => {
                if table.values().any(|value| !self.is_headed(value)) || table.is_empty() {
                    self.text.push_str(&format!("\n[{path}]\n"));
                }
                self.table(table, path);
            }
            DeValue::Array(array) => {
                for entry in array.iter() {
                    self.text.push_str(&format!("\n[[{path}]]\n"));
                    if let DeValue::Table(table) = entry.get_ref() {
                        self.table(table, path);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_headed(&self, value: &toml::Spanned<DeValue<'_>>) -> bool {
        super::merge::is_headed(value, self.sources)
    }

    fn place(&self, span: Span) -> String {
        match self.sources.position(span) {
            Some((file, line, _)) => format!("{file}:{line}"),
            None => String::new(),
        }
    }

    /// The value on one line, numbers as they were written.
    fn inline(&self, value: &toml::Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::Array(array) => {
                let items: Vec<String> = array.iter().map(|item| self.inline(item)).collect();
                format!("[{}]", items.join(", "))
            }
            DeValue::Table(table) => {
                let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, _)| {
                    format!("{} = {}", quoted_key(key.get_ref()), self.inline(value))
                };
                let entries: Vec<String> = table.iter().map(entry).collect();
                match entries.is_empty() {
                    true => "{}".to_owned(),
                    false => format!("{{ {} }}", entries.join(", ")),
                }
            }
            DeValue::String(text) => quoted(text),
            _ => self.sources.slice(value.span().into()).to_owned(),
        }
    }
}

fn quoted_key(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { quoted(key) }
}
