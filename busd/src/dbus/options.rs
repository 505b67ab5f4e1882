//! The `a{sv}` of a call: what may be added to it.
//!
//! Every method names the options that it has, so a misspelt one is an error instead of nothing. A
//! number may be of any integer type: few languages let a program choose.

use super::error::Failure;
use crate::limits::OPTION_SHOWN_CHARS_MAX;
use kith_wire::{
    Code, Destination, Headers, MessageId, Options, Priority, Protocol, Refusal, Since, Topic,
    Until, parse_uuid,
};
use std::collections::HashMap;
use zbus::Variant;

/// The options of one call.
pub(super) struct Given<'a> {
    all: HashMap<&'a str, Variant<'a>>,
}

impl<'a> Given<'a> {
    /// The options given to `method`, which has those that are `known`.
    pub(super) fn new(
        method: &str,
        known: &[&str],
        all: HashMap<&'a str, Variant<'a>>,
    ) -> Result<Self, Failure> {
        // Of several the same one is named each time.
        let unknown = all.keys().filter(|name| !known.contains(name)).min();
        match unknown {
            None => Ok(Self { all }),
            Some(name) => {
                let name: String = name.chars().take(OPTION_SHOWN_CHARS_MAX).collect();
                let known = known.join(", ");
                let text = format!("`{method}` has no option {name:?}; it has {known}");
                Err(Failure::new(Code::BadField, text))
            }
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &Variant<'a>)> {
        self.all.iter().map(|(name, value)| (*name, value))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.get(name, "a string (s)", |value| match value {
            Variant::Str(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        let flag = self.get(name, "a boolean (b)", |value| match value {
            Variant::Bool(flag) => Some(*flag),
            _ => None,
        })?;
        Ok(flag.unwrap_or(false))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.get(name, "a number, and not negative (t)", |value| match value {
            Variant::U8(number) => Some(u64::from(*number)),
            Variant::U16(number) => Some(u64::from(*number)),
            Variant::U32(number) => Some(u64::from(*number)),
            Variant::U64(number) => Some(*number),
            Variant::I16(number) => u64::try_from(*number).ok(),
            Variant::I32(number) => u64::try_from(*number).ok(),
            Variant::I64(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    pub(super) fn uuid(&self, name: &str) -> Result<Option<[u8; 16]>, Failure> {
        let uuid = |text| {
            let text = format!("`{name}` is {text:?}, which is no UUID with its hyphens");
            Failure::new(Code::BadId, text)
        };
        let text = self.text(name)?;
        text.map(|text| parse_uuid(text).ok_or_else(|| uuid(text))).transpose()
    }

    /// From where on messages are wanted that were published before.
    pub(super) fn since(&self) -> Result<Option<Since>, Failure> {
        if !matches!(self.all.get("since"), Some(Variant::Str(_))) {
            return Ok(self.number("since")?.map(Since::Time));
        }
        let since = |text| match text {
            "start" => Ok(Since::Start),
            text if parse_uuid(text).is_none() => {
                let text = "`since` is `start`, a time in milliseconds (t) or a message id (s)";
                Err(Failure::new(Code::BadField, text))
            }
            text => Ok(Since::After(MessageId::from_text(text).map_err(Refusal::from)?)),
        };
        self.text("since")?.map(since).transpose()
    }

    pub(super) fn protocol(&self) -> Result<Protocol<'static>, Failure> {
        let Some(name) = self.text("protocol")? else { return Ok(Protocol::MS) };
        Ok(Protocol::new(name.to_owned()).map_err(Refusal::from)?)
    }

    /// What a publication may add, beside its payload's protocol.
    pub(super) fn of_publication(&self, to: &str) -> Result<Options<'static>, Failure> {
        let message_id = |text| MessageId::from_text(text).map_err(Refusal::from);
        let reply_to = |text: &str| Topic::new(text.to_owned()).map_err(Refusal::from);
        let priority = |name| {
            let text = "`priority` is `high`, `normal` or `bulk`";
            Priority::from_name(name).ok_or_else(|| Failure::new(Code::BadField, text))
        };
        let until = |name| {
            let text = "`until` is `accepted`, `stored`, `sent` or `delivered`";
            Until::from_name(name).ok_or_else(|| Failure::new(Code::BadField, text))
        };
        Ok(Options {
            message_id: self.text("msg_id")?.map(message_id).transpose()?,
            to: if to.is_empty() { Destination::Local } else { Destination::from_text(to) },
            expire_after_ms: self.number("expire_after_ms")?,
            retain: self.flag("retain")?,
            reply_to: self.text("reply_to")?.map(reply_to).transpose()?,
            priority: self.text("priority")?.map_or(Ok(Priority::Normal), priority)?,
            headers: self.headers()?,
            until: self.text("until")?.map_or(Ok(Until::Accepted), until)?,
            realtime: self.flag("realtime")?,
            echo: self.flag("echo")?,
        })
    }

    fn headers(&self) -> Result<Headers, Failure> {
        let mut headers = Headers::new();
        let expected = "a dictionary of strings (a{ss})";
        let dict = self.get("headers", expected, |value| match value {
            Variant::Dict(dict) => Some(dict),
            _ => None,
        })?;
        for (key, value) in dict.iter().flat_map(|dict| dict.iter()) {
            // A dictionary of variants is what many languages make of one of strings.
            let (Some(key), Some(value)) = (string(key), string(value)) else {
                let text = format!("option `headers` has to be {expected}");
                return Err(Failure::new(Code::BadField, text));
            };
            headers.insert(key, value).map_err(Refusal::from)?;
        }
        Ok(headers)
    }

    fn get<'b, T>(
        &'b self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'b Variant<'a>) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.all.get(name) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => {
                let signature = value.value_signature();
                let text =
                    format!("option `{name}` has to be {expected}, not of type `{signature}`");
                Err(Failure::new(Code::BadField, text))
            }
        }
    }
}

fn string<'a>(value: &'a Variant<'_>) -> Option<&'a str> {
    match value {
        Variant::Str(text) => Some(text),
        Variant::Variant(inner) => string(inner),
        _ => None,
    }
}
