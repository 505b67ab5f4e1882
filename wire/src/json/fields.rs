//! The fields of a client's line, as serde fills them in.
//!
//! A field is there or it isn't: `null` is no way to leave one out, but a value that it can't have
//! (and that `payload` can). Texts are borrowed from the line unless they hold an escape; serde's
//! own `Option<Cow<str>>` would copy every one of them.

use crate::limits::{ACKNOWLEDGED_IDS_MAX, HEADERS_MAX};
use crate::{Code, Refusal};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::Deref;

macro_rules! line {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// All fields of all operations.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "one JSON object a line")]
        pub(super) struct Line<'a> {
            #[serde(borrow)]
            pub(super) op: Cow<'a, str>,
            #[serde(default, deserialize_with = "given")]
            pub(super) id: Option<NonZeroU32>,
            $(
                $(#[$attribute])*
                #[serde(default, deserialize_with = "given")]
                pub(super) $field: Option<$type>,
            )*
        }

        impl Line<'_> {
            /// Refuses every field that is there and not in `allowed`.
            pub(super) fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
                $(if self.$field.is_some() && !allowed.contains(&stringify!($field)) {
                    return Err(Refusal::new(Code::BadField, format!(
                        "`{}` does not belong to `{}`", stringify!($field), self.op
                    )));
                })*
                Ok(())
            }
        }
    };
}

line! {
    #[serde(borrow)] name: Text<'a>,
    #[serde(borrow)] client: Text<'a>,
    #[serde(borrow)] token: Text<'a>,
    #[serde(borrow)] pattern: Text<'a>,
    #[serde(borrow)] group: Text<'a>,
    retained: bool,
    monitor: bool,
    #[serde(borrow)] durable: Text<'a>,
    #[serde(borrow)] since: SinceField<'a>,
    sub: NonZeroU32,
    #[serde(borrow)] topic: Text<'a>,
    #[serde(borrow)] protocol: Text<'a>,
    #[serde(borrow)] payload: &'a RawValue,
    #[serde(borrow)] payload_b64: Text<'a>,
    #[serde(borrow)] msg_id: Text<'a>,
    #[serde(borrow)] msg_ids: Texts<'a>,
    #[serde(borrow)] to: Text<'a>,
    expire_after_ms: u64,
    retain: bool,
    #[serde(borrow)] reply_to: Text<'a>,
    #[serde(borrow)] priority: Text<'a>,
    #[serde(borrow)] headers: Pairs<'a>,
    #[serde(borrow)] until: Text<'a>,
    realtime: bool,
    echo: bool,
    timeout_ms: u64,
}

/// What `pub` may have. Nobody waits for the answer to a will's message, so that has no `until`.
pub(super) const PUBLICATION: [&str; 14] = [
    "topic",
    "payload",
    "payload_b64",
    "protocol",
    "msg_id",
    "to",
    "expire_after_ms",
    "retain",
    "reply_to",
    "priority",
    "headers",
    "until",
    "realtime",
    "echo",
];

/// What `will` may have.
pub(super) const WILL: [&str; 13] = [
    "topic",
    "payload",
    "payload_b64",
    "protocol",
    "msg_id",
    "to",
    "expire_after_ms",
    "retain",
    "reply_to",
    "priority",
    "headers",
    "realtime",
    "echo",
];

/// What `req` may have.
pub(super) const REQUEST: [&str; 10] = [
    "topic",
    "payload",
    "payload_b64",
    "protocol",
    "msg_id",
    "to",
    "expire_after_ms",
    "priority",
    "headers",
    "timeout_ms",
];

/// A field that is there, whatever its value; `Option` alone would take `null` for none.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A text, borrowed from the line where that can be.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Borrowing<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Borrowing<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Borrowing(PhantomData))
    }
}

/// What `since` may be: a text or a time.
pub(super) enum SinceField<'a> {
    Text(Text<'a>),
    Time(u64),
}

impl<'de: 'a, 'a> Deserialize<'de> for SinceField<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Either<'a> {
            type Value = SinceField<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`start`, a time in milliseconds or a message id")
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<SinceField<'a>, E> {
                Ok(SinceField::Time(ms))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<SinceField<'a>, E> {
                Ok(SinceField::Text(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SinceField<'a>, E> {
                Ok(SinceField::Text(Text(Cow::Owned(text.to_owned()))))
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

/// A JSON array of strings; of more than there may be one more is kept, as of headers.
pub(super) struct Texts<'a>(pub(super) Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Strings<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Strings<'a> {
            type Value = Texts<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Texts<'a>, A::Error> {
                let mut texts = Vec::new();
                while texts.len() <= ACKNOWLEDGED_IDS_MAX {
                    match array.next_element()? {
                        Some(text) => texts.push(text),
                        None => return Ok(Texts(texts)),
                    }
                }
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Texts(texts))
            }
        }
        from.deserialize_seq(Strings(PhantomData))
    }
}

/// A JSON object of strings, in order, so that a key given twice is seen. Of more than there may be
/// only one more is kept: enough to be refused, whatever the length of the line.
pub(super) struct Pairs<'a>(pub(super) Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Strings<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Strings<'a> {
            type Value = Pairs<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'a>, A::Error> {
                let mut pairs = Vec::new();
                while pairs.len() <= HEADERS_MAX {
                    match map.next_entry()? {
                        Some(pair) => pairs.push(pair),
                        None => return Ok(Pairs(pairs)),
                    }
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Strings(PhantomData))
    }
}
