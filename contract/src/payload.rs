//! How a payload is declared: `payload!` for its fields, `words!` for the words of a field.
//!
//! A declaration is a struct of Rust, and a table of its fields. The table is what the readers, the
//! check, the document and the tests work with; of the struct they know no more than two
//! functions, which the macro writes. So there is no code for a single topic anywhere.

use crate::kind::Field;
use crate::value::Value;

/// What can be the payload of a topic.
pub trait Payload: Sized {
    /// Its fields, in the order of the JSON view.
    #[doc(hidden)]
    const FIELDS: &'static [Field];

    /// It, as its writers want it.
    #[doc(hidden)]
    fn to_fields(&self) -> Value<'_>;

    /// Takes it out of what has passed the check.
    #[doc(hidden)]
    fn from_fields(fields: Value<'_>) -> Option<Self>;
}

/// Declares payloads: `PRESENCE NAME: TYPE = KIND`, with `required`, `speaker`, `optional` or
/// `nullable` before each field. The last two have an `Option` as their type.
macro_rules! payload {
    ($(
        $(#[doc = $about:literal])+
        pub struct $payload:ident {
            $($(#[doc = $field_about:literal])+
            $presence:ident $field:ident: $type:ty = $kind:expr,)*
        }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $payload {
            $($(#[doc = $field_about])+ pub $field: $type,)*
        }

        impl $crate::payload::Payload for $payload {
            const FIELDS: &'static [$crate::kind::Field] = &[$($crate::kind::Field {
                name: stringify!($field),
                about: &[$($field_about),+],
                kind: $kind,
                presence: $crate::payload::presence!($presence),
            },)*];

            fn to_fields(&self) -> $crate::value::Value<'_> {
                $crate::payload::fields(
                    Self::FIELDS,
                    [$($crate::value::Part::to_value(&self.$field)),*],
                )
            }

            #[allow(unused_mut, unused_variables)]
            fn from_fields(mut fields: $crate::value::Value<'_>) -> Option<Self> {
                Some(Self {
                    $($field: $crate::value::Part::from_value(
                        fields.take(stringify!($field)),
                    )?,)*
                })
            }
        }

        impl $crate::value::Part for $payload {
            fn to_value(&self) -> $crate::value::Value<'_> {
                $crate::payload::Payload::to_fields(self)
            }

            fn from_value(value: $crate::value::Value<'_>) -> Option<Self> {
                $crate::payload::Payload::from_fields(value)
            }
        }
    )+};
}

/// A word of `payload!` as a [`Presence`](crate::Presence).
macro_rules! presence {
    (required) => {
        $crate::kind::Presence::Required
    };
    (speaker) => {
        $crate::kind::Presence::Speaker
    };
    (optional) => {
        $crate::kind::Presence::Optional
    };
    (nullable) => {
        $crate::kind::Presence::Nullable
    };
}

/// Declares the words that a field can have.
macro_rules! words {
    ($(
        $(#[doc = $about:literal])+
        pub enum $words:ident {
            $($(#[doc = $word_about:literal])+ $word:ident = $text:literal,)+
        }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $words {
            $($(#[doc = $word_about])+ $word,)+
        }

        impl $words {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];
            pub(crate) const KIND: $crate::kind::Kind = $crate::kind::Kind::Word(&[
                $($crate::kind::Word { name: $text, about: &[$($word_about),+] }),+
            ]);

            /// The word in CBOR and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)+
                }
            }

            /// What this word says.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == name)
            }
        }

        impl std::fmt::Display for $words {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $crate::value::Part for $words {
            fn to_value(&self) -> $crate::value::Value<'_> {
                $crate::value::Value::Text(std::borrow::Cow::Borrowed(self.name()))
            }

            fn from_value(value: $crate::value::Value<'_>) -> Option<Self> {
                let $crate::value::Value::Text(text) = value else { return None };
                Self::from_name(&text)
            }
        }
    )+};
}

pub(crate) use {payload, presence, words};

/// Puts names to values; what may be left out and isn't there is left out.
pub(crate) fn fields<'a, const COUNT: usize>(
    fields: &'static [Field],
    values: [Value<'a>; COUNT],
) -> Value<'a> {
    let named = fields.iter().zip(values).filter(|(field, value)| {
        field.presence != crate::kind::Presence::Optional || *value != Value::Null
    });
    Value::Map(named.map(|(field, value)| (field.name.into(), value)).collect())
}
