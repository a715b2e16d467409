//! The JSON schema for editors accepts every board file and refuses every file that is refused for its shape.
//!
//! Judged by a validator of the few keywords that the schema uses: it shares no code with the loader.

use std::path::Path;

use serde_json::{Map, Value};

/// Codes of files that have the wrong shape: a key, a word, a type, a unit.
const SHAPE: [&str; 5] = ["E0105", "E0106", "E0107", "E0108", "E0109"];

/// A board file with its base merged in, as data.
fn merged(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("it was listed");
    let own: Value = toml::from_str(&text).expect("it is TOML");
    let base = own.get("base").and_then(Value::as_str);
    match base.map(|base| path.parent().unwrap_or(Path::new("")).join(base)) {
        Some(base) => over(merged(&base), own),
        None => own,
    }
}

/// Tables key by key, unless they describe something else now; all else is replaced.
fn over(base: Value, own: Value) -> Value {
    match (base, own) {
        (Value::Object(mut base), Value::Object(own)) => {
            if own.get("kind").is_some_and(|kind| base.get("kind") != Some(kind)) {
                return Value::Object(own);
            }
            for (key, value) in own {
                let old = base.remove(&key).unwrap_or(Value::Null);
                base.insert(key, over(old, value));
            }
            Value::Object(base)
        }
        (_, own) => own,
    }
}

struct Validator {
    root: Value,
}

impl Validator {
    fn new() -> Self {
        Self { root: serde_json::from_str(&codegen::keys::schema()).expect("the schema is JSON") }
    }

    fn accepts(&self, schema: &Value, value: &Value) -> bool {
        let Some(schema) = schema.as_object() else { return schema.as_bool().unwrap_or(true) };
        schema.iter().all(|(keyword, argument)| self.keyword(schema, keyword, argument, value))
    }

    fn keyword(&self, schema: &Map<String, Value>, keyword: &str, argument: &Value, value: &Value) -> bool {
        let list = || argument.as_array().expect("a list");
        match keyword {
            "$ref" => {
                let pointer = argument.as_str().and_then(|text| text.strip_prefix('#')).expect("a pointer");
                self.accepts(self.root.pointer(pointer).expect("it leads somewhere"), value)
            }
            "type" => match argument {
                Value::Array(names) => names.iter().any(|name| is(name, value)),
                name => is(name, value),
            },
            "anyOf" => list().iter().any(|choice| self.accepts(choice, value)),
            "oneOf" => list().iter().filter(|choice| self.accepts(choice, value)).count() == 1,
            "enum" => list().contains(value),
            "const" => argument == value,
            "required" => {
                let object = value.as_object();
                object.is_none_or(|object| list().iter().all(|key| object.contains_key(key.as_str().unwrap_or(""))))
            }
            "properties" => value.as_object().is_none_or(|object| {
                object.iter().all(|(key, value)| argument.get(key).is_none_or(|schema| self.accepts(schema, value)))
            }),
            "additionalProperties" => {
                let known = |key: &String| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                argument != &Value::Bool(false) || value.as_object().is_none_or(|object| object.keys().all(known))
            }
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.accepts(argument, item))),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap_or(0)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= argument.as_u64().unwrap_or(0)),
            "minimum" => value.as_i64().is_none_or(|number| number >= argument.as_i64().unwrap_or(0)),
            "maximum" => value.as_i64().is_none_or(|number| number <= argument.as_i64().unwrap_or(0)),
            "pattern" => value.as_str().is_none_or(is_size),
            // Words for people, and a place for definitions.
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "x-kind" | "x-unit"
            | "x-default" => true,
            other => panic!("the schema uses `{other}`, which this validator does not know"),
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("the schema uses the type {other:?}"),
    }
}

/// The one pattern that the schema has: a number and a binary unit.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim_start_matches(' ');
    let plain =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    plain && ["B", "KiB", "MiB", "GiB", "TiB"].contains(&unit)
}

fn judged(path: &Path) -> bool {
    let validator = Validator::new();
    validator.accepts(&validator.root, &merged(path))
}

#[test]
fn it_accepts_every_board_file() {
    let mut files = tests::fixtures("../platforms", "toml");
    files.extend(tests::fixtures("accept", "toml"));
    assert!(files.len() > 8);
    let refused: Vec<_> = files.iter().filter(|file| !judged(file)).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn it_refuses_every_file_of_the_wrong_shape() {
    let files = tests::fixtures("reject", "toml");
    let misshapen: Vec<_> = files
        .iter()
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            SHAPE.iter().any(|code| name.starts_with(code))
        })
        .collect();
    assert!(misshapen.len() >= 10, "{misshapen:?}");
    let accepted: Vec<_> = misshapen.iter().filter(|file| judged(file)).collect();
    assert!(accepted.is_empty(), "{accepted:?}");
}
