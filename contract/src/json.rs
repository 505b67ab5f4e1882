//! The JSON view of a payload: an object with the same names; bytes are base64.
//!
//! The usual reader of JSON keeps the last of two fields of one name, and the daemon would then
//! have read something else than another reader of the same text. This one keeps both, and the
//! check for twins says which. Order is free.

use crate::error::{Fault, Trouble, shown};
use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::value::Value;
use data_encoding::BASE64;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// What the reader says to itself when there are too many values.
const TOO_MANY: &str = "too many values";

/// Reads one value; nothing may follow it.
pub(crate) fn read(bytes: &[u8]) -> Result<Value<'_>, Trouble> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let why = format!("no UTF-8 from byte {}", error.valid_up_to());
        Trouble::from(Fault::NotJson(why))
    })?;
    let values = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { values: &values, depth: 0 };
    let value = seed.deserialize(&mut reader).map_err(|error| refused(&error))?;
    reader.end().map_err(|error| refused(&error))?;
    Ok(value)
}

fn refused(error: &serde_json::Error) -> Trouble {
    let text = error.to_string();
    if text.starts_with(TOO_MANY) {
        return Fault::TooMany.into();
    }
    // The parser repeats what it has read.
    Fault::NotJson(shown(&text)).into()
}

#[derive(Clone, Copy)]
struct Seed<'c> {
    values: &'c Cell<usize>,
    depth: usize,
}

impl Seed<'_> {
    /// For what stands inside; `None` where that is too deep to be looked at.
    fn inside(self) -> Option<Self> {
        let depth = self.depth + 1;
        (depth <= DEPTH_MAX).then_some(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value<'de>, D::Error> {
        self.values.set(self.values.get() + 1);
        if VALUES_MAX < self.values.get() {
            return Err(D::Error::custom(TOO_MANY));
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(i128::from(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(i128::from(number)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a fraction or too large a number"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let Some(inside) = self.inside() else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Other("nested too deep"));
        };
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let Some(inside) = self.inside() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Other("nested too deep"));
        };
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.push((Cow::Owned(name), map.next_value_seed(inside)?));
        }
        Ok(Value::Map(fields))
    }
}

/// Writes a value as JSON on one line.
pub(crate) fn written(value: &Value<'_>) -> String {
    // Texts, numbers and names of texts: nothing here can fail.
    serde_json::to_string(value).unwrap_or_default()
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null | Self::Other(_) => writer.serialize_unit(),
            Self::Flag(flag) => writer.serialize_bool(*flag),
            Self::Number(number) => match i64::try_from(*number) {
                Ok(number) => writer.serialize_i64(number),
                Err(_) => writer.serialize_u64(u64::try_from(*number).unwrap_or_default()),
            },
            Self::Text(text) => writer.serialize_str(text),
            Self::Bytes(bytes) => writer.serialize_str(&BASE64.encode(bytes)),
            Self::List(values) => {
                let mut list = writer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Self::Map(fields) => {
                let mut map = writer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}
