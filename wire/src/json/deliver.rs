//! The lines that the daemon writes.
//!
//! A delivery is written in two pieces: a head with the subscription's number, and a tail that is
//! the same for every subscriber and written once.

use crate::{Code, Delivery, Event, Priority};
use data_encoding::BASE64;
use std::io::Write;
use std::num::NonZeroU32;

/// Appends the head of a `msg` line.
pub fn message_head(out: &mut Vec<u8>, subscription: NonZeroU32) {
    out.extend_from_slice(b"{\"op\":\"msg\",\"sub\":");
    put_number(out, subscription.get().into());
}

/// Appends the head of a `reply` line.
pub fn reply_head(out: &mut Vec<u8>, number: NonZeroU32) {
    out.extend_from_slice(b"{\"op\":\"reply\",\"id\":");
    put_number(out, number.get().into());
}

/// Appends what follows either head, with the line feed.
pub fn tail(out: &mut Vec<u8>, delivery: &Delivery<'_>) {
    out.extend_from_slice(b",\"msg_id\":\"");
    delivery.message_id.write_to(out);
    out.extend_from_slice(b"\",\"sender\":");
    put_string(out, delivery.sender);
    if let Some(petname) = delivery.petname {
        out.extend_from_slice(b",\"petname\":");
        put_string(out, petname);
    }
    if let Some(device) = delivery.device {
        out.extend_from_slice(b",\"device\":");
        put_string(out, device);
    }
    out.extend_from_slice(b",\"scope\":\"");
    out.extend_from_slice(delivery.scope.name().as_bytes());
    out.extend_from_slice(b"\",\"protocol\":\"");
    out.extend_from_slice(delivery.protocol.as_str().as_bytes());
    out.extend_from_slice(b"\",\"topic\":");
    put_string(out, delivery.topic.as_str());
    out.extend_from_slice(b",\"sent_at\":");
    put_number(out, delivery.sent_at_ms);
    if let Some(ms) = delivery.expires_at_ms {
        out.extend_from_slice(b",\"expires_at\":");
        put_number(out, ms);
    }
    if let Some(reply_to) = &delivery.reply_to {
        out.extend_from_slice(b",\"reply_to\":");
        put_string(out, reply_to.as_str());
    }
    if delivery.priority != Priority::Normal {
        out.extend_from_slice(b",\"priority\":\"");
        out.extend_from_slice(delivery.priority.name().as_bytes());
        out.push(b'"');
    }
    if delivery.retained {
        out.extend_from_slice(b",\"retained\":true");
    }
    if let Some(attempt) = delivery.attempt {
        out.extend_from_slice(b",\"attempt\":");
        put_number(out, attempt.get().into());
    }
    if !delivery.headers.is_empty() {
        put_headers(out, delivery);
    }
    if delivery.protocol.is_ms() {
        out.extend_from_slice(b",\"payload\":");
        match delivery.payload {
            // It means that a kept value is removed and is not delivered; it must not break a line.
            [] => out.extend_from_slice(b"null"),
            payload => out.extend_from_slice(payload),
        }
    } else {
        out.extend_from_slice(b",\"payload_b64\":\"");
        let start = out.len();
        out.resize(start + BASE64.encode_len(delivery.payload.len()), 0);
        if let Some(place) = out.get_mut(start..) {
            BASE64.encode_mut(delivery.payload, place);
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the line of an event.
pub fn event(out: &mut Vec<u8>, event: &Event<'_>) {
    match event {
        Event::Bye { code, text } => {
            out.extend_from_slice(b"{\"op\":\"bye\",\"code\":\"");
            out.extend_from_slice(code_name(*code).as_bytes());
            out.extend_from_slice(b"\",\"text\":");
            put_string(out, text);
        }
        Event::Err { number, code, text, at, fatal } => {
            out.extend_from_slice(b"{\"op\":\"err\"");
            if let Some(number) = number {
                out.extend_from_slice(b",\"id\":");
                put_number(out, number.get().into());
            }
            out.extend_from_slice(b",\"code\":\"");
            out.extend_from_slice(code_name(*code).as_bytes());
            out.extend_from_slice(b"\",\"text\":");
            put_string(out, text);
            if let Some(at) = at {
                out.extend_from_slice(b",\"at\":");
                put_number(out, *at);
            }
            if *fatal {
                out.extend_from_slice(b",\"fatal\":true");
            }
        }
        Event::Lag { subscription, count } => {
            out.extend_from_slice(b"{\"op\":\"lag\",\"sub\":");
            put_number(out, subscription.get().into());
            out.extend_from_slice(b",\"count\":");
            put_number(out, *count);
        }
        Event::Message { subscription, delivery } => {
            message_head(out, *subscription);
            return tail(out, delivery);
        }
        Event::Ok { number, message_id, duplicate, stored } => {
            put_ok(out, *number);
            if let Some(id) = message_id {
                out.extend_from_slice(b",\"msg_id\":\"");
                id.write_to(out);
                out.push(b'"');
            }
            if *duplicate {
                out.extend_from_slice(b",\"duplicate\":true");
            }
            if *stored {
                out.extend_from_slice(b",\"state\":\"stored\"");
            }
        }
        Event::Reply { number, delivery } => {
            reply_head(out, *number);
            return tail(out, delivery);
        }
        Event::Welcome { number, version, payload_bytes_max, .. } => {
            put_ok(out, *number);
            out.extend_from_slice(b",\"version\":");
            put_string(out, version);
            out.extend_from_slice(b",\"protocol\":");
            put_number(out, crate::binary::VERSION.into());
            out.extend_from_slice(b",\"payload_bytes_max\":");
            put_number(out, *payload_bytes_max);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn put_ok(out: &mut Vec<u8>, number: NonZeroU32) {
    out.extend_from_slice(b"{\"op\":\"ok\",\"id\":");
    put_number(out, number.get().into());
}

fn put_headers(out: &mut Vec<u8>, delivery: &Delivery<'_>) {
    out.extend_from_slice(b",\"headers\":{");
    for (index, (key, value)) in delivery.headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_string(out, key);
        out.push(b':');
        put_string(out, value);
    }
    out.push(b'}');
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    // Writing to a vector can't fail.
    let _ = write!(out, "{number}");
}

/// Appends `text` as a JSON string. Most texts need no escape and are copied whole.
fn put_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // Writing to a vector can't fail, nor can a string be no JSON.
        let _ = serde_json::to_writer(out, text);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

fn code_name(code: Option<Code>) -> &'static str {
    code.map_or("unknown", Code::name)
}
