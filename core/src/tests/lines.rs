//! Operations as the JSON lines that a script would write.

use kith_wire::{Destination, Operation, Priority, Publication, Request, Since, Until};
use serde_json::{Map, Value, json};

/// The line of an operation, with its line feed. `ms` payloads are written as they are.
pub(super) fn line(request: &Request<'_>) -> Vec<u8> {
    let mut fields = Map::new();
    let mut payload = None;
    let op = match &request.operation {
        Operation::Acknowledge { subscription, message_ids } => {
            let ids: Vec<_> = message_ids.iter().map(ToString::to_string).collect();
            fields.insert("sub".to_owned(), json!(subscription));
            fields.insert("msg_ids".to_owned(), json!(ids));
            "ack"
        }
        Operation::Bye => "bye",
        Operation::Hello { name, client, token, .. } => {
            if let Some(name) = name {
                fields.insert("name".to_owned(), json!(name));
            }
            if let Some(client) = client {
                let hex: String = client.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                fields.insert("client".to_owned(), json!(parts.join("-")));
            }
            if let Some(token) = token {
                fields.insert("token".to_owned(), json!(token.reveal()));
            }
            "hello"
        }
        Operation::Ping => "ping",
        Operation::Publish(publication) => {
            payload = publication_fields(&mut fields, publication);
            "pub"
        }
        Operation::PublishSealed { .. } => panic!("no descriptors in JSON lines"),
        Operation::Request { publication, timeout_ms, .. } => {
            payload = publication_fields(&mut fields, publication);
            fields.insert("timeout_ms".to_owned(), json!(timeout_ms));
            "req"
        }
        Operation::Subscribe(asked) => {
            fields.insert("pattern".to_owned(), json!(asked.pattern.to_string()));
            if let Some(group) = &asked.group {
                fields.insert("group".to_owned(), json!(group));
            }
            if asked.retained {
                fields.insert("retained".to_owned(), json!(true));
            }
            if asked.monitor {
                fields.insert("monitor".to_owned(), json!(true));
            }
            if let Some(durable) = &asked.durable {
                fields.insert("durable".to_owned(), json!(durable));
            }
            if let Some(since) = &asked.since {
                let since = match since {
                    Since::Start => json!("start"),
                    Since::Time(ms) => json!(ms),
                    Since::After(id) => json!(id.to_string()),
                };
                fields.insert("since".to_owned(), since);
            }
            "sub"
        }
        Operation::Unsubscribe(number) => {
            fields.insert("sub".to_owned(), json!(number));
            "unsub"
        }
        Operation::Unwill => "unwill",
        Operation::Will(publication) => {
            payload = publication_fields(&mut fields, publication);
            "will"
        }
    };
    fields.insert("op".to_owned(), json!(op));
    if let Some(number) = request.number {
        fields.insert("id".to_owned(), json!(number));
    }
    let mut line = Value::Object(fields).to_string().into_bytes();
    if let Some(payload) = payload {
        line.pop();
        line.extend_from_slice(b",\"payload\":");
        line.extend_from_slice(&payload);
        line.push(b'}');
    }
    line.push(b'\n');
    line
}

/// Puts a publication's fields, and returns its payload if that is to stand there as it is.
fn publication_fields(
    fields: &mut Map<String, Value>,
    publication: &Publication<'_>,
) -> Option<Vec<u8>> {
    let Publication { topic, protocol, payload, options } = publication;
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("topic", json!(topic.as_str()));
    if !protocol.is_ms() {
        put("protocol", json!(protocol.as_str()));
    }
    if let Some(id) = options.message_id {
        put("msg_id", json!(id.to_string()));
    }
    if let Destination::Elsewhere(to) = &options.to {
        put("to", json!(to));
    }
    if let Some(ms) = options.expire_after_ms {
        put("expire_after_ms", json!(ms));
    }
    if options.retain {
        put("retain", json!(true));
    }
    if let Some(topic) = &options.reply_to {
        put("reply_to", json!(topic.as_str()));
    }
    if options.priority != Priority::Normal {
        put("priority", json!(options.priority.name()));
    }
    if options.until != Until::Accepted {
        put("until", json!(options.until.name()));
    }
    if options.realtime {
        put("realtime", json!(true));
    }
    if options.echo {
        put("echo", json!(true));
    }
    if !options.headers.is_empty() {
        let headers: Map<_, _> =
            options.headers.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        put("headers", Value::Object(headers));
    }
    if protocol.is_ms() && !payload.is_empty() {
        return Some(payload.to_vec());
    }
    if !(options.retain && payload.is_empty()) {
        put("payload_b64", json!(data_encoding::BASE64.encode(payload)));
    }
    None
}
