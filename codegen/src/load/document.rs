//! Reading: bytes to text to TOML, of the board file and of the one that it inherits from.
//!
//! Never looks at a key other than `schema` and `base`.

use std::cell::OnceCell;
use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ReadFile, merge, normalised, shown_path};
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics, Sources, Span};
use crate::schema::SCHEMA;

/// A merged document whose spans point into the files of the run.
pub(crate) struct Document<'t> {
    pub(crate) table: Spanned<DeTable<'t>>,
    pub(crate) diagnostics: Diagnostics,
    /// Paths of tables and lists of which a part could not be read; filled by the walk.
    pub(crate) incomplete: Vec<String>,
}

/// The texts that a document's values point into; the caller keeps them as long as the document.
#[derive(Default)]
pub(crate) struct Texts {
    own: OnceCell<String>,
    base: OnceCell<String>,
}

/// What is common to reading either file.
struct Reader<'a, 't> {
    read: ReadFile<'a>,
    texts: &'t Texts,
    sources: Sources,
    found: Vec<Diagnostic>,
}

impl<'t> Document<'t> {
    /// Reads the board and what it inherits; fails when there is no document to go on with.
    pub(crate) fn read(texts: &'t Texts, path: &Path, shown: &str, read: ReadFile<'_>) -> Result<Self, Diagnostics> {
        let mut reader = Reader { read, texts, sources: Sources::default(), found: Vec::new() };
        let own = reader.board(path, shown);
        let base = own.as_ref().and_then(|table| reader.base(table, path, shown));
        let mut diagnostics = Diagnostics::new(reader.sources);
        let broken = !reader.found.is_empty();
        for diagnostic in reader.found {
            diagnostics.push(diagnostic);
        }
        match own {
            // What the rest says depends on syntax and inheritance: report those alone.
            Some(own) if !broken || only_schema(&diagnostics) => {
                let table = match base {
                    Some(base) => merge::merge(own, base, diagnostics.sources()),
                    None => own,
                };
                Ok(Self { table: Spanned::new(0..0, table), diagnostics, incomplete: Vec::new() })
            }
            _ => {
                diagnostics.sort();
                Err(diagnostics)
            }
        }
    }
}

/// A missing `schema` says nothing about the other keys; another edition does.
fn only_schema(diagnostics: &Diagnostics) -> bool {
    diagnostics.iter().all(|d| d.code.id == codes::E0111.id)
}

impl<'t> Reader<'_, 't> {
    fn board(&mut self, path: &Path, shown: &str) -> Option<DeTable<'t>> {
        match (self.read)(path) {
            Ok(bytes) => self.parse(shown, bytes, &self.texts.own),
            Err(error) => {
                let claim = format!("cannot read {shown}: {}", reason(&error));
                let help = "a board is a file platforms/NAME.toml; `cargo xtask list` shows them";
                self.found.push(Diagnostic::new(&codes::E0101, claim).help(help));
                None
            }
        }
    }

    fn parse(&mut self, shown: &str, bytes: Vec<u8>, kept: &'t OnceCell<String>) -> Option<DeTable<'t>> {
        let (text, invalid) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes()[at];
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (text, Some((at, byte)))
            }
        };
        let start = self.sources.add(shown, text.clone());
        if let Some((at, byte)) = invalid {
            self.found.push(not_utf8(shown, start + at, byte));
            return None;
        }
        let text = kept.get_or_init(|| text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let syntax = errors.iter().map(|error| syntax_error(error, text, start));
        self.found.extend(syntax);
        if !errors.is_empty() {
            return None;
        }
        let table = merge::shift(table.into_inner(), start);
        self.schema(&table, shown, start);
        (!table.is_empty()).then_some(table)
    }

    /// An empty file, a missing edition, another edition.
    fn schema(&mut self, table: &DeTable<'_>, shown: &str, start: usize) {
        let top = Span { start, end: start };
        if table.is_empty() {
            let empty = Diagnostic::new(&codes::E0103, format!("{shown} holds no key"));
            let help = format!("start with `schema = {SCHEMA}`; a board in platforms/ is an example");
            self.found.push(empty.help(help));
            return;
        }
        let Some(value) = table.get("schema") else {
            let missing = Diagnostic::new(&codes::E0111, format!("{shown} lacks the key `schema`"))
                .at(top, "before this")
                .help(format!("add `schema = {SCHEMA}` as the first line"));
            self.found.push(missing);
            return;
        };
        let DeValue::Integer(number) = value.get_ref() else {
            return;
        };
        if u64::from_str_radix(number.as_str(), number.radix()) != Ok(SCHEMA) {
            let claim = format!("schema {number} is not known to this tool");
            let unknown = Diagnostic::new(&codes::E0112, claim)
                .at(value.span().into(), format!("this tool reads schema {SCHEMA}"))
                .help(format!("use a newer tool, or write the file for `schema = {SCHEMA}`"));
            self.found.push(unknown);
        }
    }

    fn base(&mut self, own: &DeTable<'_>, path: &Path, shown: &str) -> Option<DeTable<'t>> {
        let value = own.get("base")?;
        let name = value.get_ref().as_str()?.to_owned();
        let span = value.span().into();
        let own_path = normalised(path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let base_path = normalised(&folder.join(&name));
        if base_path == own_path {
            self.found.push(own_base(shown, span));
            return None;
        }
        if Path::new(&name).is_absolute() {
            let claim = "`base` is an absolute path".to_owned();
            let help = "name the file relative to this one, for example \"qemu-arm64.toml\"";
            let absolute = Diagnostic::new(&codes::E0113, claim).at(span, "works here only");
            self.found.push(absolute.help(help));
            return None;
        }
        let shown_folder = Path::new(shown).parent().unwrap_or(Path::new(""));
        let base_shown = shown_path(&shown_folder.join(&name));
        let bytes = match (self.read)(&base_path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let claim = format!("cannot read {base_shown}: {}", reason(&error));
                let missing = Diagnostic::new(&codes::E0113, claim).at(span, "inherited here");
                let help = "`base` is a path relative to this file; `cargo xtask list` shows the boards";
                self.found.push(missing.help(help));
                return None;
            }
        };
        let base = self.parse(&base_shown, bytes, &self.texts.base)?;
        self.one_level(&base, &base_shown, span);
        Some(base)
    }

    fn one_level(&mut self, base: &DeTable<'_>, base_shown: &str, from: Span) {
        let Some(nested) = base.get("base") else {
            return;
        };
        let claim = format!("{base_shown} inherits in turn, and inheritance is one level deep");
        let mut found = Diagnostic::new(&codes::E0114, claim)
            .at(from, "inherits this file")
            .at(nested.span().into(), "which inherits another");
        if let Some(name) = nested.get_ref().as_str() {
            let help = format!("inherit \"{name}\" and repeat what {base_shown} adds, or make {base_shown} complete");
            found = found.help(help);
        }
        self.found.push(found);
    }
}

fn own_base(shown: &str, span: Span) -> Diagnostic {
    Diagnostic::new(&codes::E0115, format!("{shown} inherits from itself"))
        .at(span, "this is the same file")
        .help("name another board, or remove the line")
}

fn not_utf8(shown: &str, at: usize, byte: u8) -> Diagnostic {
    // The replacement character stands for the byte and is three bytes long.
    let span = Span { start: at, end: at + '\u{fffd}'.len_utf8() };
    Diagnostic::new(&codes::E0102, format!("{shown} is not UTF-8"))
        .at(span, format!("the byte 0x{byte:02x} begins no character"))
        .help("save the file as UTF-8")
}

fn syntax_error(error: &toml::de::Error, text: &str, start: usize) -> Diagnostic {
    let range = error.span().unwrap_or(0..0);
    let span = Span { start: start + range.start, end: start + range.end };
    let message = error.message().trim();
    let mut lines = message.lines();
    let claim = lines.next().unwrap_or("not TOML").to_owned();
    let mut found = Diagnostic::new(&codes::E0104, claim).at(span, "here");
    let written = text.get(range).unwrap_or_default();
    for line in lines {
        found = found.note(line.trim().to_owned());
    }
    if crate::schema::Size::parse(written).is_ok() {
        found = found.help(format!("put the size in quotes: \"{written}\""));
    }
    found
}

/// What went wrong, in words that do not depend on the system.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::InvalidInput => "this is not a path".to_owned(),
        other => other.to_string(),
    }
}
