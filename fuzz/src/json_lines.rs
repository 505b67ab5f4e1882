//! JSON lines: any bytes as the lines of a client, and what of them is delivered.
//!
//! Of what is taken: binary frames can say it too, and the line that a script would write for it
//! means the same. What is published is delivered as the daemon would: one line, without another
//! line break in it, with every field and the payload as they were. Of what is refused: the place
//! is inside the line, nothing is fatal, and the request number is there if it could be read.

use crate::binary::{PAYLOAD_BYTES, told_again, written_again};
use crate::refused;
use kith_wire::json::decode::{Refused, request};
use kith_wire::{
    Delivery, Event, MessageId, Operation, Publication, RequestNumber, SENDER_LOCAL, Scope, Until,
};
use serde_json::Value;
use std::num::NonZeroU32;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match request(line, PAYLOAD_BYTES) {
            Ok(request) => {
                written_again(&request);
                match &request.operation {
                    Operation::Publish(publication)
                    | Operation::Request { publication, .. }
                    | Operation::Will(publication) => delivered(publication),
                    _ => {}
                }
            }
            Err(Refused { number, refusal }) => {
                refused::check(&refusal, line.len());
                assert!(!refusal.fatal, "{refusal:?}");
                if let Some(expected) = number_of(line) {
                    assert_eq!(number, Some(expected), "{refusal:?}");
                }
            }
        }
    }
}

/// The number of a JSON object that has one and says so plainly.
fn number_of(line: &[u8]) -> Option<RequestNumber> {
    let text = str::from_utf8(line).ok()?;
    let value: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let number = u32::try_from(value.get("id")?.as_u64()?).ok()?;
    let is_plain = text.matches("\"id\"").count() == 1 && !text.contains('\\');
    RequestNumber::new(number).filter(|_| is_plain)
}

fn delivered(publication: &Publication<'_>) {
    let Publication { topic, protocol, payload, options } = publication;
    let mut delivery = Delivery {
        message_id: MessageId::from_parts(1_700_000_000_000, &[7; 10]),
        sender: SENDER_LOCAL,
        petname: None,
        device: None,
        scope: Scope::Own,
        protocol: protocol.borrow(),
        topic: topic.borrow(),
        sent_at_ms: 1_700_000_000_000,
        expires_at_ms: options.expire_after_ms,
        reply_to: options.reply_to.clone(),
        priority: options.priority,
        retained: false,
        attempt: None,
        headers: options.headers.clone(),
        payload,
        sealed_bytes: None,
    };
    told_again(&Event::Reply { number: RequestNumber::MIN, delivery: delivery.clone() });
    delivery.retained = options.retain;
    delivery.attempt = Some(NonZeroU32::MIN).filter(|_| options.until == Until::Stored);
    told_again(&Event::Message { subscription: RequestNumber::MIN, delivery });
}
