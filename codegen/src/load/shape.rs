//! The walk that compares a document with the schema and reports every misfit, not only the first.
//!
//! What cannot be read is taken out of the document, so that the rest can still be checked. Never looks at what a value
//! means.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{Document, nearest};
use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::schema::{Field, Kind, Shape, Size, SizeError, Word};

/// Whether a value can be read by the types of the schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Fits,
    Broken,
}

#[derive(Default)]
struct Walk {
    found: Vec<Diagnostic>,
    incomplete: Vec<String>,
}

/// Reports every misfit and removes it.
pub(super) fn walk(document: &mut Document<'_>) {
    let Kind::Table(fields) = &Shape::file().kind else {
        unreachable!("a board file is a table");
    };
    let mut walk = Walk::default();
    let taken = std::mem::replace(&mut document.table, Spanned::new(0..0, DeTable::new()));
    let mut kept = DeTable::new();
    for (key, mut value) in taken.into_inner() {
        let Some(field) = fields.iter().find(|field| field.name == *key.get_ref()) else {
            walk.unknown_key(key.get_ref(), key.span().into(), fields, "");
            continue;
        };
        match walk.value(&mut value, &field.shape, &field.name) {
            Fit::Fits => {
                kept.insert(key, value);
            }
            Fit::Broken => {
                walk.incomplete.push(field.name.clone());
                // The key is there, and reported; it must not be reported as missing too.
            }
        }
    }
    for field in fields {
        // `schema` was asked for in each file by itself.
        let known = kept.contains_key(field.name.as_str()) || walk.incomplete.contains(&field.name);
        if field.required && !known && field.name != "schema" {
            walk.missing_table(field);
            walk.incomplete.push(field.name.clone());
        }
    }
    document.table = Spanned::new(0..0, kept);
    document.incomplete = walk.incomplete;
    for diagnostic in walk.found {
        document.diagnostics.push(diagnostic);
    }
}

impl Walk {
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, shape: &Shape, path: &str) -> Fit {
        let span: Span = value.span().into();
        match (&shape.kind, value.get_mut()) {
            (Kind::Table(fields), DeValue::Table(table)) => self.table(table, fields, path, span),
            (Kind::List(item, length), DeValue::Array(array)) => {
                if length.is_some_and(|length| length != array.len()) {
                    return self.wrong_length(array.len(), shape, path, span);
                }
                let before = array.len();
                let taken: Vec<_> = std::mem::replace(array, std::iter::empty().collect()).into_iter().collect();
                for mut entry in taken {
                    if self.value(&mut entry, item, path) == Fit::Fits {
                        array.push(entry);
                    }
                }
                self.list_fit(before == array.len(), item, path)
            }
            (Kind::Word(words), DeValue::String(word)) => self.word(word, words, path, span),
            (Kind::Size, DeValue::String(text)) => self.size(text, path, span),
            (Kind::Place, DeValue::String(text)) => {
                let auto = Word { name: "auto".to_owned(), doc: String::new() };
                self.word(text, std::slice::from_ref(&auto), path, span)
            }
            (Kind::Integer(bits), DeValue::Integer(number)) => self.integer(number, *bits, path, span),
            (Kind::Size | Kind::Place, DeValue::Integer(number)) => self.integer(number, u64::BITS, path, span),
            (Kind::Boolean, DeValue::Boolean(_)) | (Kind::Text, DeValue::String(_)) => Fit::Fits,
            (_, other) => self.wrong_type(other, shape, path, span),
        }
    }

    /// Entries of a list of tables stand for themselves, so the others go on; other lists are one value.
    fn list_fit(&mut self, complete: bool, item: &Shape, path: &str) -> Fit {
        match (&item.kind, complete) {
            (_, true) => Fit::Fits,
            (Kind::Table(_), false) => {
                self.incomplete.push(path.to_owned());
                Fit::Fits
            }
            (_, false) => Fit::Broken,
        }
    }

    fn table(&mut self, table: &mut DeTable<'_>, fields: &[Field], path: &str, span: Span) -> Fit {
        let mut fit = Fit::Fits;
        let mut seen: Vec<String> = Vec::new();
        for (key, mut value) in std::mem::take(table) {
            let Some(field) = fields.iter().find(|field| field.name == *key.get_ref()) else {
                self.unknown_key(key.get_ref(), key.span().into(), fields, path);
                continue;
            };
            seen.push(field.name.clone());
            let below = format!("{path}.{}", field.name);
            if self.value(&mut value, &field.shape, &below) == Fit::Broken {
                fit = Fit::Broken;
            }
            table.insert(key, value);
        }
        for field in fields {
            if field.required && !seen.contains(&field.name) {
                self.missing_key(field, path, span);
                fit = Fit::Broken;
            }
        }
        fit
    }

    fn word(&mut self, word: &str, words: &[Word], path: &str, span: Span) -> Fit {
        if words.iter().any(|known| known.name == word) {
            return Fit::Fits;
        }
        let names = || words.iter().map(|known| known.name.as_str());
        let list: Vec<String> = names().map(|name| format!("\"{name}\"")).collect();
        let claim = format!("`{path}` does not take \"{}\"", short(word));
        let mut found = Diagnostic::new(&codes::E0108, claim)
            .at(span, "not one of its words")
            .note(format!("it takes {}", list.join(", ")));
        if let Some(near) = nearest(word, names()) {
            found = found.help(format!("did you mean \"{near}\"?"));
        }
        self.found.push(found);
        Fit::Broken
    }

    fn size(&mut self, text: &str, path: &str, span: Span) -> Fit {
        let error = match Size::parse(text) {
            Ok(_) => return Fit::Fits,
            Err(error) => error,
        };
        let (label, help) = match error {
            SizeError::NotANumber => ("not a decimal number with a unit", None),
            SizeError::NoUnit => ("the unit is missing", Some(guess(text))),
            SizeError::UnknownUnit(meant) => {
                let help = meant.map(|meant| format!("write \"{meant}\" if that is meant"));
                ("this unit is not known", help)
            }
            SizeError::TooLarge => ("2^64 bytes or more", None),
        };
        let claim = format!("`{path}` is not a size: \"{}\"", short(text));
        let mut found = Diagnostic::new(&codes::E0109, claim)
            .at(span, label)
            .note("units are B, KiB, MiB, GiB and TiB")
            .note(format!("a size is {}", Size::ACCEPTED));
        if let Some(help) = help {
            found = found.help(help);
        }
        self.found.push(found);
        Fit::Broken
    }

    fn integer(&mut self, number: &DeInteger<'_>, bits: u32, path: &str, span: Span) -> Fit {
        let most = u64::MAX >> (u64::BITS - bits);
        let read = u64::from_str_radix(number.as_str(), number.radix());
        if read.is_ok_and(|value| value <= most) {
            return Fit::Fits;
        }
        let negative = number.as_str().starts_with('-');
        let label = if negative { "less than 0".to_owned() } else { format!("more than {bits} bits") };
        let claim = format!("`{path}` is out of range: {}", short(&number.to_string()));
        let help = format!("it takes 0 to {most} (0x{most:x})");
        self.found.push(Diagnostic::new(&codes::E0110, claim).at(span, label).help(help));
        Fit::Broken
    }

    fn wrong_length(&mut self, length: usize, shape: &Shape, path: &str, span: Span) -> Fit {
        let claim = format!("`{path}` takes {}, not a list of {length}", takes(&shape.kind));
        self.found.push(Diagnostic::new(&codes::E0105, claim).at(span, "wrong length"));
        Fit::Broken
    }

    fn wrong_type(&mut self, value: &DeValue<'_>, shape: &Shape, path: &str, span: Span) -> Fit {
        let claim = format!("`{path}` takes {}, not {}", takes(&shape.kind), given(value));
        let mut found = Diagnostic::new(&codes::E0105, claim).at(span, "wrong type");
        let key = path.rsplit('.').next().unwrap_or(path);
        if let Some(help) = retyped(value, &shape.kind, key) {
            found = found.help(help);
        }
        self.found.push(found);
        Fit::Broken
    }

    fn unknown_key(&mut self, key: &str, span: Span, fields: &[Field], path: &str) {
        let place = match path {
            "" => "a board file".to_owned(),
            path => format!("`{path}`"),
        };
        let names = || fields.iter().map(|field| field.name.as_str());
        let list: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        let claim = format!("{place} has no key `{}`", short(key));
        let mut found =
            Diagnostic::new(&codes::E0107, claim).at(span, "unknown key").note(format!("it has {}", list.join(", ")));
        if let Some(near) = nearest(key, names()) {
            found = found.help(format!("did you mean `{near}`?"));
        }
        self.found.push(found);
    }

    fn missing_key(&mut self, field: &Field, path: &str, span: Span) {
        let claim = format!("`{path}` lacks the key `{}`", field.name);
        let found = Diagnostic::new(&codes::E0106, claim).at(span, "in this table").help(format!(
            "add `{} = …`: {}",
            field.name,
            purpose(field)
        ));
        self.found.push(found);
    }

    fn missing_table(&mut self, field: &Field) {
        let top = Span { start: 0, end: 0 };
        let claim = format!("the board lacks the table `[{}]`", field.name);
        let found = Diagnostic::new(&codes::E0106, claim).at(top, "in this file").help(format!(
            "add `[{}]`: {}",
            field.name,
            purpose(field)
        ));
        self.found.push(found);
    }
}

/// First sentence of a key's comment and its unit.
fn purpose(field: &Field) -> String {
    let mut lines = field.doc.lines();
    let first = lines.next().unwrap_or_default();
    let first = first.split(". ").next().unwrap_or(first).trim_end_matches('.');
    let lower = match first.strip_prefix(char::is_uppercase) {
        Some(rest) if rest.starts_with(char::is_lowercase) => {
            let head = &first[..first.len() - rest.len()];
            format!("{}{rest}", head.to_lowercase())
        }
        _ => first.to_owned(),
    };
    match lines.find_map(|line| line.strip_prefix("unit: ")) {
        Some(line) => {
            let unit = line.split("; default").next().unwrap_or(line);
            format!("{lower}; {unit}")
        }
        None => lower,
    }
}

fn guess(text: &str) -> String {
    let text = short(text);
    format!("write \"{text} KiB\" or \"{text} MiB\" if that is meant")
}

/// What a key takes, with an article.
fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Table(_) => "a table".to_owned(),
        Kind::List(item, Some(length)) => format!("a list of {length}: each {}", takes(&item.kind)),
        Kind::List(item, None) => format!("a list: each {}", takes(&item.kind)),
        Kind::Word(words) => {
            let list: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.name)).collect();
            format!("a word ({})", list.join(", "))
        }
        Kind::Size => Size::ACCEPTED.to_owned(),
        Kind::Place => "an address such as 0x4000_0000, or \"auto\"".to_owned(),
        Kind::Integer(_) => "a number".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Text => "text".to_owned(),
    }
}

/// What was written, with an article.
fn given(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The same value as the kind that the key takes, where that is plain.
fn retyped(value: &DeValue<'_>, kind: &Kind, key: &str) -> Option<String> {
    match (kind, value) {
        (Kind::Integer(_), DeValue::String(text)) => {
            let plain = text.replace('_', "");
            let digits = plain.strip_prefix("0x");
            let number = match digits {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => plain.parse(),
            };
            number.ok()?;
            Some(format!("write it without quotes: `{key} = {text}`"))
        }
        (Kind::Integer(_), _) => Some("write a number such as 16 or 0x4000_0000".to_owned()),
        (Kind::Text | Kind::Word(_), DeValue::Integer(number)) => {
            Some(format!("write it in quotes: `{key} = \"{number}\"`"))
        }
        (Kind::Text | Kind::Word(_), DeValue::Boolean(word)) => {
            Some(format!("write it in quotes: `{key} = \"{word}\"`"))
        }
        (Kind::Boolean, DeValue::String(word)) if matches!(&**word, "true" | "false") => {
            Some(format!("write it without quotes: `{key} = {word}`"))
        }
        (Kind::List(item, _), DeValue::Table(_)) if matches!(item.kind, Kind::Table(_)) => {
            Some(format!("put the table into a list: `[[…{key}]]` or `{key} = [{{ … }}]`"))
        }
        (Kind::Table(_), DeValue::Array(_)) => Some(format!("write one table `{key} = {{ … }}`")),
        _ => None,
    }
}

/// A text from the file, cut where it would drown the message.
fn short(text: &str) -> String {
    const MOST: usize = 48;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
