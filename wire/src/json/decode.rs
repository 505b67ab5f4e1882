//! From a client's line to what it asks.
//!
//! One flat structure for all operations, filled in one pass over the line; then each operation
//! takes its own fields and refuses the others. (An enum tagged by `op` would have serde keep the
//! whole line in a tree until it has seen the tag.)

use super::fields::{Line, PUBLICATION, REQUEST, SinceField, Text, WILL};
use crate::limits::{REQUEST_TIMEOUT_MS_DEFAULT, SHOWN_CHARS_MAX};
use crate::payload::{check_depth, offset_of, reason_of};
use crate::refusal::Placed;
use crate::text::shown;
use crate::{
    Code, Destination, Headers, MessageId, Operation, Options, Pattern, Priority, Protocol,
    Publication, Refusal, Request, Since, Subscribe, TextError, Token, Topic, Until,
    check_consumer, check_group, check_name, decode,
};
use data_encoding::BASE64;
use serde::Deserialize;
use serde::de::IgnoredAny;
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
    let refused = |refusal| Refused { number: None, refusal };
    let text = std::str::from_utf8(line).map_err(|error| {
        let refusal = Refusal::new(Code::BadJson, "the line is not UTF-8");
        refused(refusal.at(error.valid_up_to()))
    })?;
    // An array would be taken too, as a list of the fields in the order of their declaration.
    let start = text.trim_start_matches([' ', '\t', '\r', '\n']);
    if !start.starts_with('{') {
        let refusal = Refusal::new(Code::BadJson, "the line is not a JSON object");
        return Err(refused(refusal.at(text.len() - start.len())));
    }
    let fields: Line<'_> = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
    let number = fields.id;
    match operation(text, fields, payload_bytes_max) {
        Ok(operation) => Ok(Request { number, operation }),
        Err(refusal) => Err(Refused { number, refusal }),
    }
}

/// What to say to a line that could not be read. Its request number is looked for once more, so
/// that whoever waits for an answer under it gets one.
#[cold]
fn unreadable(line: &str, error: &serde_json::Error) -> Refused {
    #[derive(Deserialize)]
    struct Number {
        id: NonZeroU32,
    }
    // The parser also calls it a syntax error where JSON is well but a field can't hold it.
    let is_json = serde_json::from_str::<IgnoredAny>(line).is_ok();
    let code = if is_json { Code::BadField } else { Code::BadJson };
    Refused {
        number: serde_json::from_str(line).ok().map(|Number { id }| id),
        refusal: Refusal::new(code, reason_of(error)).at(offset_of(line.as_bytes(), error)),
    }
}

fn operation<'a>(
    line: &'a str,
    mut fields: Line<'a>,
    payload_bytes_max: usize,
) -> Result<Operation<'a>, Refusal> {
    match fields.op.as_ref() {
        "hello" => {
            fields.only(&["name", "client", "token"])?;
            hello(line, &fields)
        }
        "sub" => {
            fields.only(&["pattern", "group", "retained", "monitor", "durable", "since"])?;
            subscribe(line, fields)
        }
        "unsub" => {
            fields.only(&["sub"])?;
            Ok(Operation::Unsubscribe(fields.sub.ok_or_else(|| missing("unsub", "sub"))?))
        }
        "pub" => {
            fields.only(&PUBLICATION)?;
            Ok(Operation::Publish(publication(line, fields, payload_bytes_max)?))
        }
        "ack" => {
            fields.only(&["sub", "msg_id", "msg_ids"])?;
            acknowledge(line, fields)
        }
        "will" => {
            fields.only(&WILL)?;
            Ok(Operation::Will(publication(line, fields, payload_bytes_max)?))
        }
        "req" => {
            fields.only(&REQUEST)?;
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
                "no operation `{}`; there are hello, sub, unsub, pub, req, ack, will, unwill, \
                 ping, bye",
                shown(other, SHOWN_CHARS_MAX)
            );
            Err(Refusal::new(Code::BadOp, text).after(offset_in(line, other)))
        }
    }
}

fn hello<'a>(line: &str, fields: &Line<'a>) -> Result<Operation<'a>, Refusal> {
    if let Some(name) = &fields.name {
        short_text(line, name, Code::BadField, check_name)?;
    }
    let client = match &fields.client {
        None => None,
        Some(text) => Some(decode::parse_uuid(text).ok_or_else(|| {
            let refusal = Refusal::new(Code::BadId, "`client` is not a UUID with its hyphens");
            refusal.after(offset_in(line, text))
        })?),
    };
    let token = match &fields.token {
        None => None,
        Some(text) => {
            let token = Token::new(text.0.as_ref()).map_err(Refusal::from);
            Some(token.map_err(|refusal| refusal.after(offset_in(line, text)))?)
        }
    };
    let name = fields.name.as_deref().map(str::to_owned);
    Ok(Operation::Hello { name, client, descriptors: false, token })
}

fn subscribe<'a>(line: &'a str, fields: Line<'a>) -> Result<Operation<'a>, Refusal> {
    let number = fields.id.ok_or_else(|| missing("sub", "id"))?;
    let text = fields.pattern.ok_or_else(|| missing("sub", "pattern"))?;
    let at = offset_in(line, &text);
    let pattern = Pattern::new(text.0).map_err(|error| error.placed().after(at))?;
    if let Some(group) = &fields.group {
        short_text(line, group, Code::BadGroup, check_group)?;
    }
    let group = fields.group.map(|group| group.0);
    if let Some(durable) = &fields.durable {
        short_text(line, durable, Code::BadConsumer, check_consumer)?;
    }
    let durable = fields.durable.map(|durable| durable.0);
    let retained = fields.retained.unwrap_or(false);
    let monitor = fields.monitor.unwrap_or(false);
    let since = fields.since.map(|since| self::since(line, &since)).transpose()?;
    let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
    decode::subscribe(&asked)?;
    Ok(Operation::Subscribe(asked))
}

fn since(line: &str, field: &SinceField<'_>) -> Result<Since, Refusal> {
    match field {
        SinceField::Time(ms) => Ok(Since::Time(*ms)),
        SinceField::Text(text) if &**text == "start" => Ok(Since::Start),
        SinceField::Text(text) if decode::parse_uuid(text).is_none() => {
            let reason = "`since` is `start`, a time in milliseconds or a message id";
            Err(Refusal::new(Code::BadField, reason).after(offset_in(line, text)))
        }
        SinceField::Text(text) => message_id(line, text).map(Since::After),
    }
}

fn acknowledge<'a>(line: &str, fields: Line<'a>) -> Result<Operation<'a>, Refusal> {
    let subscription = fields.sub.ok_or_else(|| missing("ack", "sub"))?;
    let texts = match (fields.msg_id, fields.msg_ids) {
        (Some(_), Some(_)) => {
            return Err(Refusal::new(Code::BadField, "`msg_id` and `msg_ids` are given both"));
        }
        (Some(text), None) => vec![text],
        (None, texts) => texts.ok_or_else(|| missing("ack", "msg_id"))?.0,
    };
    decode::acknowledged(texts.len())?;
    let message_ids = texts.iter().map(|text| message_id(line, text)).collect::<Result<_, _>>()?;
    Ok(Operation::Acknowledge { subscription, message_ids })
}

fn message_id(line: &str, text: &str) -> Result<MessageId, Refusal> {
    let id = MessageId::from_text(text);
    id.map_err(|error| Refusal::from(error).after(offset_in(line, text)))
}

fn publication<'a>(
    line: &'a str,
    mut fields: Line<'a>,
    payload_bytes_max: usize,
) -> Result<Publication<'a>, Refusal> {
    let text = fields.topic.take().ok_or_else(|| missing(&fields.op, "topic"))?;
    let topic = topic(line, text)?;
    let protocol = match fields.protocol.take() {
        None => Protocol::MS,
        Some(name) => {
            let at = offset_in(line, &name);
            Protocol::new(name.0).map_err(|error| error.placed().after(at))?
        }
    };
    let (json, base64) = (fields.payload.take(), fields.payload_b64.take());
    let options = options(line, fields)?;
    let payload = payload(line, &protocol, &options, json, base64, payload_bytes_max)?;
    Ok(Publication { topic, protocol, payload, options })
}

fn options<'a>(line: &'a str, fields: Line<'a>) -> Result<Options<'a>, Refusal> {
    let to = |to: Text<'_>| {
        decode::destination(&to).map_err(|refusal| refusal.after(offset_in(line, &to)))
    };
    let priority = |name: Text<'_>| {
        Priority::from_name(&name).ok_or_else(|| {
            let text = "`priority` is `high`, `normal` or `bulk`";
            Refusal::new(Code::BadField, text).after(offset_in(line, &name))
        })
    };
    let until = |name: Text<'_>| {
        Until::from_name(&name).ok_or_else(|| {
            let text = "`until` is `accepted`, `stored`, `sent` or `delivered`";
            Refusal::new(Code::BadField, text).after(offset_in(line, &name))
        })
    };
    let mut headers = Headers::new();
    for (key, value) in fields.headers.iter().flat_map(|pairs| &pairs.0) {
        headers
            .insert(key, value)
            .map_err(|error| Refusal::from(error).after(offset_in(line, key)))?;
    }
    let options = Options {
        message_id: fields.msg_id.map(|text| message_id(line, &text)).transpose()?,
        to: fields.to.map_or_else(|| Ok(Destination::default()), to)?,
        expire_after_ms: fields.expire_after_ms.map(decode::expire_after).transpose()?,
        retain: fields.retain.unwrap_or(false),
        reply_to: fields.reply_to.map(|text| topic(line, text)).transpose()?,
        priority: fields.priority.map_or(Ok(Priority::Normal), priority)?,
        headers,
        until: fields.until.map_or(Ok(Until::Accepted), until)?,
        realtime: fields.realtime.unwrap_or(false),
        echo: fields.echo.unwrap_or(false),
    };
    decode::options(&options)?;
    Ok(options)
}

fn topic<'a>(line: &str, text: Text<'a>) -> Result<Topic<'a>, Refusal> {
    let at = offset_in(line, &text);
    Topic::new(text.0).map_err(|error| error.placed().after(at))
}

fn short_text(
    line: &str,
    text: &str,
    code: Code,
    check: impl FnOnce(&str) -> Result<(), TextError>,
) -> Result<(), Refusal> {
    check(text).map_err(|error| decode::text(code, &error).after(offset_in(line, text)))
}

fn payload<'a>(
    line: &'a str,
    protocol: &Protocol<'_>,
    options: &Options<'_>,
    json: Option<&'a RawValue>,
    base64: Option<Text<'a>>,
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
            decode::payload_size(json.len(), payload_bytes_max)
                .map_err(|refusal| refusal.after(at))?;
            // That it is JSON is known; `check_depth` finds the rest that an `ms` payload must be.
            check_depth(json.as_bytes()).map_err(|error| error.placed().after(at))?;
            Ok(Cow::Borrowed(json.as_bytes()))
        }
        (None, Some(text)) => {
            let at = offset_in(line, &text);
            let bytes = BASE64.decode(text.as_bytes()).map_err(|error| {
                let refusal = Refusal::new(Code::BadPayload, format!("`payload_b64`: {error}"));
                refusal.at(error.position).after(at)
            })?;
            // Inside of the base64 there is no byte of the line to point at.
            decode::payload(&bytes, protocol, options, payload_bytes_max)
                .map_err(|refusal| refusal.at(0).after(at))?;
            Ok(Cow::Owned(bytes))
        }
    }
}

#[cold]
fn missing(op: &str, field: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{op}` needs `{field}`"))
}

/// Where in `line` the text `part` stands, if it was borrowed from there: with an escape in it, it
/// was not.
fn offset_in(line: &str, part: &str) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    (offset + part.len() <= line.len()).then_some(offset)
}
