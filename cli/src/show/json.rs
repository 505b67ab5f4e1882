//! JSON lines for programs: the `msg` line of the protocol without what belongs to the connection.
//!
//! The daemon's own encoder writes it, so both are the same by construction, field for field.

use kith_wire::{Delivery, MessageId, json};

/// A message. `extra` are fields that go before those of the protocol.
pub(crate) fn message(out: &mut Vec<u8>, delivery: &Delivery<'_>, extra: &[(&str, u64)]) {
    let mut fields = Vec::new();
    for (key, value) in extra {
        fields.extend_from_slice(format!(",\"{key}\":{value}").as_bytes());
    }
    json::deliver::tail(&mut fields, delivery);
    out.push(b'{');
    // The first field follows no other.
    out.extend_from_slice(fields.strip_prefix(b",").unwrap_or(&fields));
}

/// So many messages were dropped here.
pub(crate) fn lag(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(format!("{{\"lag\":{count}}}\n").as_bytes());
}

/// The connection was lost and is back; nobody knows how many messages are missing here.
pub(crate) fn gap(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"gap\":true}\n");
}

/// What was published, and how far it has come, if that was asked for.
pub(crate) fn published(out: &mut Vec<u8>, id: MessageId, duplicate: bool, state: Option<&str>) {
    let duplicate = if duplicate { ",\"duplicate\":true" } else { "" };
    let state = state.map_or_else(String::new, |state| format!(",\"state\":\"{state}\""));
    out.extend_from_slice(format!("{{\"msg_id\":\"{id}\"{duplicate}{state}}}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::{delivery, full};

    fn line(delivery: &Delivery<'_>, extra: &[(&str, u64)]) -> String {
        let mut out = Vec::new();
        message(&mut out, delivery, extra);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_has_the_fields_of_the_protocol() {
        let text = line(&delivery("a.b", b"{\"x\": 1}"), &[]);
        let expected = "{\"msg_id\":\"018bcfe5-6800-7707-8707-070707070707\",\
                        \"sender\":\"local\",\"scope\":\"self\",\"protocol\":\"ms\",\
                        \"topic\":\"a.b\",\"sent_at\":1700000000000,\"payload\":{\"x\": 1}}\n";
        assert_eq!(text, expected);
        let text = line(&full(), &[("received_at", 5)]);
        assert!(text.starts_with("{\"received_at\":5,\"msg_id\":"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["payload_b64"], "/w==");
        assert_eq!(value["headers"]["trace"], "7");
        assert_eq!(value["retained"], true);
    }

    #[test]
    fn notices_are_lines_too() {
        let mut out = Vec::new();
        lag(&mut out, 7);
        gap(&mut out);
        published(&mut out, delivery("a", b"1").message_id, false, None);
        published(&mut out, delivery("a", b"1").message_id, true, Some("stored"));
        let id = "\"msg_id\":\"018bcfe5-6800-7707-8707-070707070707\"";
        let expected = format!(
            "{{\"lag\":7}}\n{{\"gap\":true}}\n{{{id}}}\n\
             {{{id},\"duplicate\":true,\"state\":\"stored\"}}\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
