//! Values that know where they were written, and the kinds of value that TOML has no type for.
//!
//! Never reports: text that cannot be read is found by the walk over the shape before any of this runs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::diagnostic::Span;

/// A value and the characters it was written as.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Its place in the files of this run.
    pub span: Span,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.span().into();
        let value = spanned.into_inner();
        Ok(Self { value, span })
    }
}

impl<T: JsonSchema> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A number of bytes: an integer, or a string with a binary unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// What a size may look like.
    pub(crate) const ACCEPTED: &str =
        "an integer number of bytes such as 0x1_0000, or text with a unit such as \"64 KiB\"";
    const UNITS: [(&str, u32); 5] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

    /// Reads `"64 KiB"`; the space may be left out.
    pub(crate) fn parse(text: &str) -> Result<Self, SizeError> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text[digits.len()..].trim_start_matches(' ');
        let plain = digits.replace('_', "");
        if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SizeError::NotANumber);
        }
        let number: u64 = plain.parse().map_err(|_| SizeError::TooLarge)?;
        let Some((_, shift)) = Self::UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Self::wrong_unit(number, unit));
        };
        if number.leading_zeros() < *shift {
            return Err(SizeError::TooLarge);
        }
        Ok(Self(number << shift))
    }

    fn wrong_unit(number: u64, unit: &str) -> SizeError {
        let meant = match unit.chars().next().map(|c| c.to_ascii_lowercase()) {
            None => return SizeError::NoUnit,
            Some('b') => "B",
            Some('k') => "KiB",
            Some('m') => "MiB",
            Some('g') => "GiB",
            Some('t') => "TiB",
            Some(_) => return SizeError::UnknownUnit(None),
        };
        SizeError::UnknownUnit(Some(format!("{number} {meant}")))
    }
}

impl std::str::FromStr for Size {
    type Err = &'static str;

    /// An integer, decimal or hexadecimal, or a number with a unit.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.replace('_', "");
        let number = match plain.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => plain.parse().ok(),
        };
        number.map(Self).or_else(|| Self::parse(text).ok()).ok_or(Self::ACCEPTED)
    }
}

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SizeError {
    /// It does not start with decimal digits.
    NotANumber,
    /// It has no unit.
    NoUnit,
    /// The unit is not one of ours; with what was probably meant.
    UnknownUnit(Option<String>),
    /// 2^64 or more.
    TooLarge,
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(Size::ACCEPTED)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number).map(Size).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).map_err(|_| E::custom(Size::ACCEPTED))
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kind": "size",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9][0-9_]* ?(B|KiB|MiB|GiB|TiB)$" },
            ],
        })
    }
}

/// An address, or `"auto"` for one that the planner chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `"auto"`.
    Auto,
    /// A number.
    At(u64),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlaceVisitor;
        impl Visitor<'_> for PlaceVisitor {
            type Value = Place;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address or \"auto\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Place, E> {
                u64::try_from(number).map(Place::At).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Place, E> {
                Ok(Place::At(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Place, E> {
                match text {
                    "auto" => Ok(Place::Auto),
                    other => Err(E::unknown_variant(other, &["auto"])),
                }
            }
        }
        deserializer.deserialize_any(PlaceVisitor)
    }
}

impl JsonSchema for Place {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kind": "place",
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "auto" }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, SizeError};

    #[test]
    fn sizes_need_a_binary_unit() {
        assert_eq!(Size::parse("64 KiB"), Ok(Size(0x1_0000)));
        assert_eq!(Size::parse("512MiB"), Ok(Size(0x2000_0000)));
        assert_eq!(Size::parse("10_000 B"), Ok(Size(10_000)));
        assert_eq!(Size::parse("64"), Err(SizeError::NoUnit));
        let meant = |text: &str| Err(SizeError::UnknownUnit(Some(text.to_owned())));
        assert_eq!(Size::parse("64k"), meant("64 KiB"));
        assert_eq!(Size::parse("64 KB"), meant("64 KiB"));
        assert_eq!(Size::parse("64 pages"), Err(SizeError::UnknownUnit(None)));
        assert_eq!(Size::parse("-1 KiB"), Err(SizeError::NotANumber));
        assert_eq!(Size::parse(""), Err(SizeError::NotANumber));
        assert_eq!(Size::parse("16777216 TiB"), Err(SizeError::TooLarge));
        assert_eq!(Size::parse("16777215 TiB"), Ok(Size(16_777_215 << 40)));
    }
}
