//! Operations as JSON lines, the way a script would write them.
//!
//! `kith-wire` only reads this framing. Written from `docs/protocol.md`, without a look at the
//! reader: what is read back has to be what was meant.

use data_encoding::BASE64;
use kith_wire::{
    Destination, Operation, Options, Priority, Publication, Request, Since, Token, Until,
};
use std::fmt::Write;

/// A line that is being written.
struct Line(String);

/// The line of an operation, without its line feed.
pub(crate) fn line(request: &Request<'_>) -> String {
    let mut line = Line(String::new());
    match &request.operation {
        Operation::Acknowledge { subscription, message_ids } => {
            line.text("op", "ack");
            line.value("sub", &subscription.to_string());
            let ids: Vec<_> = message_ids.iter().map(|id| format!("\"{id}\"")).collect();
            match &ids[..] {
                [id] => line.value("msg_id", id),
                ids => line.value("msg_ids", &format!("[{}]", ids.join(","))),
            }
        }
        Operation::Bye => line.text("op", "bye"),
        Operation::Hello { name, client, token, .. } => {
            line.text("op", "hello");
            line.text_if("name", name.as_deref());
            let client = client.map(|id| uuid::Uuid::from_bytes(id).hyphenated().to_string());
            line.text_if("client", client.as_deref());
            line.text_if("token", token.as_ref().map(Token::reveal));
        }
        Operation::Ping => line.text("op", "ping"),
        Operation::Publish(publication) => line.publication("pub", publication),
        Operation::PublishSealed { .. } => unreachable!("a line can't name a descriptor"),
        Operation::Request { publication, timeout_ms, .. } => {
            line.publication("req", publication);
            line.value("timeout_ms", &timeout_ms.to_string());
        }
        Operation::Subscribe(asked) => {
            line.text("op", "sub");
            line.text("pattern", &asked.pattern.to_string());
            line.text_if("group", asked.group.as_deref());
            line.flag("retained", asked.retained);
            line.flag("monitor", asked.monitor);
            line.text_if("durable", asked.durable.as_deref());
            match asked.since {
                None => {}
                Some(Since::Start) => line.text("since", "start"),
                Some(Since::Time(ms)) => line.value("since", &ms.to_string()),
                Some(Since::After(id)) => line.text("since", &id.to_string()),
            }
        }
        Operation::Unsubscribe(subscription) => {
            line.text("op", "unsub");
            line.value("sub", &subscription.to_string());
        }
        Operation::Unwill => line.text("op", "unwill"),
        Operation::Will(publication) => line.publication("will", publication),
    }
    if let Some(number) = request.number {
        line.value("id", &number.to_string());
    }
    line.0.push('}');
    line.0
}

impl Line {
    fn value(&mut self, name: &str, value: &str) {
        let before = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a string can't fail.
        let _ = write!(self.0, "{before}\"{name}\":{value}");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.value(name, &quoted(text));
    }

    fn text_if(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.value(name, "true");
        }
    }

    fn publication(&mut self, op: &str, publication: &Publication<'_>) {
        let Publication { topic, protocol, payload, options } = publication;
        self.text("op", op);
        self.text("topic", topic.as_str());
        if !protocol.is_ms() {
            self.text("protocol", protocol.as_str());
        }
        self.options(options);
        // White space around a value is no part of it here; as base64 it is.
        let text = str::from_utf8(payload).ok().filter(|text| text.trim_ascii() == *text);
        match text.filter(|_| protocol.is_ms()) {
            Some("") => assert!(options.retain, "an `ms` payload without a value"),
            Some(text) => self.value("payload", text),
            None => self.text("payload_b64", &BASE64.encode(payload)),
        }
    }

    fn options(&mut self, options: &Options<'_>) {
        self.text_if("msg_id", options.message_id.map(|id| id.to_string()).as_deref());
        if let Destination::Elsewhere(to) = &options.to {
            self.text("to", to);
        }
        if let Some(ms) = options.expire_after_ms {
            self.value("expire_after_ms", &ms.to_string());
        }
        self.flag("retain", options.retain);
        self.text_if("reply_to", options.reply_to.as_ref().map(|topic| topic.as_str()));
        if options.priority != Priority::Normal {
            self.text("priority", options.priority.name());
        }
        if options.until != Until::Accepted {
            self.text("until", options.until.name());
        }
        let pairs = options.headers.iter();
        let pairs: Vec<_> =
            pairs.map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
        if !pairs.is_empty() {
            self.value("headers", &format!("{{{}}}", pairs.join(",")));
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
