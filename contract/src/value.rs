//! What a payload is between its bytes and its type: the part that CBOR and JSON have in common.
//!
//! Both readers make one of these, one check goes over it (`check.rs`), and both writers write it.
//! So a payload has one set of rules, and a field can't be read by one rule in CBOR and by another
//! in JSON. Texts and bytes are borrowed where they can be: a letter has up to a megabyte.

use kith_wire::MessageId;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A value of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing, and said so.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number: all that CBOR's and JSON's integers can be.
    Number(i128),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes. JSON has none: there they are a text until the check has looked at it.
    Bytes(Cow<'a, [u8]>),
    /// Values in their order.
    List(Vec<Self>),
    /// Named values.
    Map(Vec<(Cow<'a, str>, Self)>),
    /// What no field can be, by name: a fraction, a tag.
    Other(&'static str),
}

impl Value<'_> {
    /// What it is, as errors say it.
    pub(crate) fn is(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Other(name) => name,
        }
    }

    /// Takes the field `name` out of a map; null if there is none.
    #[doc(hidden)]
    pub fn take(&mut self, name: &str) -> Self {
        let Self::Map(fields) = self else { return Self::Null };
        let found = fields.iter_mut().find(|(key, _)| key == name);
        found.map_or(Self::Null, |(_, value)| std::mem::replace(value, Self::Null))
    }
}

/// What a field can be in Rust. Reading happens behind the check, so that `None` means that the
/// kind of the field and its type don't fit: the tests go through all of them.
pub(crate) trait Part: Sized {
    fn to_value(&self) -> Value<'_>;
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl Part for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Flag(*self)
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Flag(flag) = value { Some(flag) } else { None }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Part for $number {
            fn to_value(&self) -> Value<'_> {
                Value::Number(i128::from(*self))
            }

            fn from_value(value: Value<'_>) -> Option<Self> {
                if let Value::Number(number) = value { number.try_into().ok() } else { None }
            }
        }
    )*};
}

numbers!(u64, u32, i64);

impl Part for String {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl Part for MessageId {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Owned(self.to_string()))
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Self::from_text(&text).ok() } else { None }
    }
}

/// Bytes of a field: a letter, a record.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(bytes) = self;
        let beginning: Vec<u8> = bytes.iter().take(32).copied().collect();
        let more = if bytes.len() > beginning.len() { "…" } else { "" };
        let hex = data_encoding::HEXLOWER.encode(&beginning);
        write!(f, "Bytes({} of {hex}{more})", bytes.len())
    }
}

impl<T: Into<Vec<u8>>> From<T> for Bytes {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Part for Bytes {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(&self.0))
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(Self(bytes.into_owned())) } else { None }
    }
}

/// Keys, hashes and signatures.
impl<const LENGTH: usize> Part for [u8; LENGTH] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.as_ref().try_into().ok() } else { None }
    }
}

impl<T: Part> Part for Vec<T> {
    fn to_value(&self) -> Value<'_> {
        Value::List(self.iter().map(Part::to_value).collect())
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        let Value::List(values) = value else { return None };
        values.into_iter().map(T::from_value).collect()
    }
}

impl<T: Part> Part for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Part::to_value)
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// Figures by name.
impl Part for BTreeMap<String, i64> {
    fn to_value(&self) -> Value<'_> {
        let named = |(name, number)| (Cow::Borrowed(String::as_str(name)), i64::to_value(number));
        Value::Map(self.iter().map(named).collect())
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        let Value::Map(fields) = value else { return None };
        let figure =
            |(name, value): (Cow<'_, str>, _)| Some((name.into_owned(), i64::from_value(value)?));
        fields.into_iter().map(figure).collect()
    }
}
