//! What the types of the schema look like from outside: tables, keys, words, kinds of value.
//!
//! Derived from the types themselves through their JSON schema, so that the walk that finds every misfit of a file and the
//! page of keys cannot disagree with them. Never holds a value of a board.

use std::sync::OnceLock;

use serde_json::Value;

use super::File;

/// A kind of value.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A table with these keys.
    Table(Vec<Field>),
    /// A list, whose length may be fixed.
    List(Box<Shape>, Option<usize>),
    /// One of a closed list of words.
    Word(Vec<Word>),
    /// [`super::Size`].
    Size,
    /// [`super::Place`].
    Place,
    /// An unsigned integer of that many bits.
    Integer(u32),
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
}

/// A kind of value.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// One word of a closed list.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) name: String,
    pub(crate) doc: String,
}

impl Shape {
    /// The shape of a board file.
    pub(crate) fn file() -> &'static Shape {
        static FILE: OnceLock<Shape> = OnceLock::new();
        FILE.get_or_init(|| {
            let schema = schemars::schema_for!(File).to_value();
            Reader { root: &schema }.shape(&schema)
        })
    }
}

struct Reader<'a> {
    root: &'a Value,
}

impl Reader<'_> {
    fn shape(&self, schema: &Value) -> Shape {
        if let Some(target) = self.reference(schema) {
            return self.shape(target);
        }
        if let Some(inner) = present(schema) {
            return self.shape(inner);
        }
        Shape { kind: self.kind(schema) }
    }

    fn reference(&self, schema: &Value) -> Option<&Value> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    fn kind(&self, schema: &Value) -> Kind {
        match schema.get("x-kind").and_then(Value::as_str) {
            Some("size") => return Kind::Size,
            Some("place") => return Kind::Place,
            _ => {}
        }
        if let Some(words) = words(schema) {
            return Kind::Word(words);
        }
        match type_name(schema) {
            Some("object") => Kind::Table(self.fields(schema)),
            Some("array") => {
                let length = schema.get("minItems").and_then(Value::as_u64);
                let item = Box::new(self.shape(&schema["items"]));
                Kind::List(item, length.and_then(|length| usize::try_from(length).ok()))
            }
            Some("integer") => Kind::Integer(bits(schema)),
            Some("boolean") => Kind::Boolean,
            Some("string") => Kind::Text,
            other => unreachable!("the schema uses no type {other:?}: {schema}"),
        }
    }

    fn fields(&self, schema: &Value) -> Vec<Field> {
        let required = |name: &str| {
            let list = schema.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|item| item == name))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(name, property)| Field {
                name: name.clone(),
                doc: text(property, "description"),
                required: required(name),
                shape: self.shape(property),
            })
            .collect()
    }
}

/// What an optional value is when it is there.
fn present(schema: &Value) -> Option<&Value> {
    let choices = schema.get("anyOf")?.as_array()?;
    let is_null = |choice: &Value| type_name(choice) == Some("null");
    choices.iter().any(is_null).then(|| choices.iter().find(|choice| !is_null(choice)))?
}

fn type_name(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|n| *n != "null"),
        _ => None,
    }
}

fn words(schema: &Value) -> Option<Vec<Word>> {
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        let names = list.iter().filter_map(Value::as_str);
        let word = |name: &str| Word { name: name.to_owned(), doc: String::new() };
        return Some(names.map(word).collect());
    }
    let choices = schema.get("oneOf")?.as_array()?;
    let word = |choice: &Value| Word { name: text(choice, "const"), doc: text(choice, "description") };
    Some(choices.iter().map(word).collect())
}

fn bits(schema: &Value) -> u32 {
    match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => 8,
        Some("uint16") => 16,
        Some("uint32") => 32,
        _ => 64,
    }
}

fn text(schema: &Value, key: &str) -> String {
    let text = schema.get(key).and_then(Value::as_str).unwrap_or_default();
    text.to_owned()
}
