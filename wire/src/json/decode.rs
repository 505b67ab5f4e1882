//! From a client's line to what it asks.
//!
//! One flat structure for all operations, filled in one pass over the line; then each operation takes
//! its own fields and refuses the others. (An enum tagged by `op` would have serde keep the whole
//! line in a tree until it has seen the tag.)

use super::super::payload::{check_depth, offset_of, reason_of};
use crate::limits::REQUEST_TIMEOUT_MS_DEFAULT;
use crate::{
    Code, Destination, Headers, MessageId, Operation, Options, Pattern, Priority, Protocol,
    Publication, Refusal, Request, Subscribe, Topic, check_group, check_name, decode,
};
use data_encoding::BASE64;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Why a line was refused, and the request number if it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Under which number to say so.
    pub number: Option<NonZeroU32>,
    /// What is wrong.
    pub refusal: Refusal,
}

/// Decodes one line, without its line feed.
///
/// # Errors
/// Whatever is wrong with it, at its offset in the line. None is fatal: the line was whole.
pub fn request(line: &[u8], payload_bytes_max: usize) -> Result<Request<'_>, Refused> {
    let text = std::str::from_utf8(line).map_err(|error| Refused {
        number: None,
        refusal: Refusal::new(Code::BadJson, "the line is not UTF-8").at(error.valid_up_to()),
    })?;
    let fields: Line<'_> = serde_json::from_str(text)
        .map_err(|error| Refused { number: number_of(line), refusal: json_error(line, &error) })?;
    let number = fields.id;
    match operation(text, fields, payload_bytes_max) {
        Ok(operation) => Ok(Request { number, operation }),
        Err(refusal) => Err(Refused { number, refusal }),
    }
}

/// The request number of a line in which something else is wrong, so that whoever waits for an
/// answer under it gets one.
fn number_of(line: &[u8]) -> Option<NonZeroU32> {
    #[derive(Deserialize)]
    struct Number {
        id: NonZeroU32,
    }
    serde_json::from_slice::<Number>(line).ok().map(|number| number.id)
}

macro_rules! line {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// All fields of all operations.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "one JSON object a line")]
        struct Line<'a> {
            #[serde(borrow)]
            op: Cow<'a, str>,
            id: Option<NonZeroU32>,
            $($(#[$attribute])* $field: Option<$type>,)*
        }

        impl Line<'_> {
            /// Refuses every field that is there and not in `allowed`.
            fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
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
    #[serde(borrow)] name: Cow<'a, str>,
    #[serde(borrow)] client: Cow<'a, str>,
    #[serde(borrow)] pattern: Cow<'a, str>,
    #[serde(borrow)] group: Cow<'a, str>,
    retained: bool,
    sub: NonZeroU32,
    #[serde(borrow)] topic: Cow<'a, str>,
    #[serde(borrow)] protocol: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "raw_value")] payload: &'a RawValue,
    #[serde(borrow)] payload_b64: Cow<'a, str>,
    #[serde(borrow)] msg_id: Cow<'a, str>,
    #[serde(borrow)] to: Cow<'a, str>,
    expire_after_ms: u64,
    retain: bool,
    #[serde(borrow)] reply_to: Cow<'a, str>,
    #[serde(borrow)] priority: Cow<'a, str>,
    headers: Pairs,
    timeout_ms: u64,
}

const PUBLICATION: [&str; 10] = [
    "topic",
    "protocol",
    "payload",
    "payload_b64",
    "msg_id",
    "to",
    "expire_after_ms",
    "priority",
    "headers",
    // Only `pub` and `will` have these two; `decode::request` refuses them to a request.
    "retain",
];

/// `"payload":null` is a payload, where `Option` alone would take it for none.
fn raw_value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// A JSON object of strings, in order, so that a key given twice is seen.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Strings)
    }
}

fn json_error(line: &[u8], error: &serde_json::Error) -> Refusal {
    let reason = reason_of(error);
    let code = match error.classify() {
        // What is JSON but not an object is `bad-json` too.
        serde_json::error::Category::Data if line.first() == Some(&b'{') => Code::BadField,
        _ => Code::BadJson,
    };
    Refusal::new(code, reason).at(offset_of(line, error.line(), error.column()))
}

fn operation<'a>(
    line: &'a str,
    mut fields: Line<'a>,
    payload_bytes_max: usize,
) -> Result<Operation<'a>, Refusal> {
    match fields.op.as_ref() {
        "hello" => {
            fields.only(&["name", "client"])?;
            hello(line, &fields)
        }
        "sub" => {
            fields.only(&["pattern", "group", "retained"])?;
            subscribe(line, fields)
        }
        "unsub" => {
            fields.only(&["sub"])?;
            Ok(Operation::Unsubscribe(fields.sub.ok_or_else(|| missing("unsub", "sub"))?))
        }
        "pub" => {
            fields.only(&[&PUBLICATION[..], &["reply_to"]].concat())?;
            Ok(Operation::Publish(publication(line, fields, payload_bytes_max)?))
        }
        "will" => {
            fields.only(&[&PUBLICATION[..], &["reply_to"]].concat())?;
            Ok(Operation::Will(publication(line, fields, payload_bytes_max)?))
        }
        "req" => {
            fields.only(&[&PUBLICATION[..], &["timeout_ms"]].concat())?;
            let number = fields.id;
            let timeout_ms = match fields.timeout_ms.take() {
                Some(ms) => decode::timeout(ms)?,
                None => REQUEST_TIMEOUT_MS_DEFAULT,
            };
            decode::request(number, publication(line, fields, payload_bytes_max)?, timeout_ms)
        }
        "unwill" => fields.only(&[]).map(|()| Operation::Unwill),
        "ping" => fields.only(&[]).map(|()| Operation::Ping),
        "bye" => fields.only(&[]).map(|()| Operation::Bye),
        other => {
            let text = format!(
                "no operation `{}`; there are hello, sub, unsub, pub, req, will, unwill, ping, bye",
                other.chars().take(20).flat_map(char::escape_debug).collect::<String>()
            );
            Err(at_part(line, other, Refusal::new(Code::BadOp, text)))
        }
    }
}

fn hello<'a>(line: &str, fields: &Line<'a>) -> Result<Operation<'a>, Refusal> {
    if let Some(name) = &fields.name {
        let refusal = |error: crate::TextError| Refusal::new(Code::BadField, error.to_string());
        check_name(name).map_err(|error| at_part(line, name, refusal(error)))?;
    }
    let client = match &fields.client {
        None => None,
        Some(text) => Some(uuid::Uuid::try_parse(text).map_err(|_| {
            at_part(line, text, Refusal::new(Code::BadId, "`client` is not a UUID"))
        })?),
    };
    let name = fields.name.as_deref().map(str::to_owned);
    Ok(Operation::Hello { name, client: client.map(uuid::Uuid::into_bytes) })
}

fn subscribe<'a>(line: &'a str, fields: Line<'a>) -> Result<Operation<'a>, Refusal> {
    let number = fields.id.ok_or_else(|| missing("sub", "id"))?;
    let text = fields.pattern.ok_or_else(|| missing("sub", "pattern"))?;
    let at = offset_in(line, &text);
    let pattern = Pattern::new(text).map_err(|error| place(error.into(), at))?;
    if let Some(group) = &fields.group {
        check_group(group).map_err(|error| {
            at_part(line, group, Refusal::new(Code::BadGroup, error.to_string()))
        })?;
    }
    let (group, retained) = (fields.group, fields.retained.unwrap_or(false));
    Ok(Operation::Subscribe(Subscribe { number, pattern, group, retained }))
}

fn publication<'a>(
    line: &'a str,
    fields: Line<'a>,
    payload_bytes_max: usize,
) -> Result<Publication<'a>, Refusal> {
    let text = fields.topic.ok_or_else(|| missing(&fields.op, "topic"))?;
    let at = offset_in(line, &text);
    let topic = Topic::new(text).map_err(|error| {
        let at = at.map(|at| at + error.at());
        place(error.into(), at)
    })?;
    let protocol = match fields.protocol {
        None => Protocol::MS,
        Some(name) => {
            let at = offset_in(line, &name);
            Protocol::new(name).map_err(|error| place(error.into(), at))?
        }
    };
    let mut options = Options {
        message_id: match &fields.msg_id {
            None => None,
            Some(text) => Some(
                MessageId::from_text(text).map_err(|error| at_part(line, text, error.into()))?,
            ),
        },
        to: fields.to.as_deref().map_or_else(Destination::default, Destination::from_text),
        expire_after_ms: fields.expire_after_ms.map(decode::expire_after).transpose()?,
        retain: fields.retain.unwrap_or(false),
        reply_to: match fields.reply_to {
            None => None,
            Some(text) => {
                let at = offset_in(line, &text);
                Some(Topic::new(text).map_err(|error| place(error.into(), at))?)
            }
        },
        priority: match &fields.priority {
            None => Priority::Normal,
            Some(name) => Priority::from_name(name).ok_or_else(|| {
                let text = "`priority` is `high`, `normal` or `bulk`";
                at_part(line, name, Refusal::new(Code::BadField, text))
            })?,
        },
        headers: Headers::new(),
    };
    for (key, value) in fields.headers.iter().flat_map(|pairs| &pairs.0) {
        options.headers.insert(key, value)?;
    }
    let payload =
        payload(line, &protocol, &options, fields.payload, fields.payload_b64, payload_bytes_max)?;
    Ok(Publication { topic, protocol, payload, options })
}

fn payload<'a>(
    line: &'a str,
    protocol: &Protocol<'_>,
    options: &Options<'_>,
    json: Option<&'a RawValue>,
    base64: Option<Cow<'a, str>>,
    payload_bytes_max: usize,
) -> Result<Cow<'a, [u8]>, Refusal> {
    match (json, base64) {
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::BadField, "`payload` and `payload_b64` are given both"))
        }
        (None, None) if options.retain => Ok(Cow::Borrowed(&[])),
        (None, None) => Err(Refusal::new(Code::BadField, "no `payload` and no `payload_b64`")),
        (Some(_), None) if !protocol.is_ms() => {
            let text = format!("a payload of protocol `{protocol}` travels as `payload_b64`");
            Err(Refusal::new(Code::BadField, text))
        }
        (Some(json), None) => {
            let json = json.get();
            let at = offset_in(line, json);
            if json.len() > payload_bytes_max {
                return Err(place(too_large(json.len(), payload_bytes_max), at));
            }
            check_depth(json.as_bytes()).map_err(|error| {
                let at = at.map(|at| at + error.at());
                place(error.into(), at)
            })?;
            Ok(Cow::Borrowed(json.as_bytes()))
        }
        (None, Some(text)) => {
            let bytes = BASE64.decode(text.as_bytes()).map_err(|error| {
                let at = offset_in(line, &text).map(|at| at + error.position);
                place(Refusal::new(Code::BadPayload, format!("`payload_b64`: {error}")), at)
            })?;
            decode::payload(&bytes, protocol, options, payload_bytes_max)
                .map_err(|refusal| place(refusal, offset_in(line, &text)))?;
            Ok(Cow::Owned(bytes))
        }
    }
}

fn too_large(bytes: usize, payload_bytes_max: usize) -> Refusal {
    let text = format!("a payload of {bytes} bytes, over the limit of {payload_bytes_max}");
    Refusal::new(Code::TooLarge, text)
}

fn missing(op: &str, field: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{op}` needs `{field}`"))
}

/// Where in `line` the text `part` stands, if it was borrowed from there.
fn offset_in(line: &str, part: &str) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    (offset + part.len() <= line.len()).then_some(offset)
}

fn place(mut refusal: Refusal, at: Option<usize>) -> Refusal {
    refusal.at = at;
    refusal
}

fn at_part(line: &str, part: &str, refusal: Refusal) -> Refusal {
    place(refusal, offset_in(line, part))
}
