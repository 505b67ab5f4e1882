//! The words that are one text each: topics, names of protocols, groups and clients, destinations,
//! headers, and message ids.
//!
//! Each is held to a definition written from the tables of `docs/protocol.md`, in the plainest way
//! there is. What is taken comes out as it went in; what is refused is refused inside the text, at
//! a place where a character begins.

use kith_wire::{
    Headers, MessageId, Pattern, Protocol, Scope, TextError, Topic, check_destination, check_group,
    check_name, is_reserved,
};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    topic(text);
    let (protocol, is_named) = (Protocol::new(text), is_protocol(text));
    assert_eq!(protocol.is_ok(), is_named, "{text:?}");
    if let Err(error) = protocol {
        place(text, error.at());
    }
    let has_control = text.chars().any(char::is_control);
    let has_length = |max| (1..=max).contains(&text.len());
    let is_name = has_length(64) && !has_control;
    let is_token = !text.contains(|c: char| c.is_whitespace() || ".*>".contains(c));
    short(text, check_name(text), is_name);
    short(text, check_group(text), is_name && is_token);
    short(text, check_destination(text), has_length(255) && !has_control);
    message_id(text);
    headers(text);
}

/// What a topic is.
pub(crate) fn is_topic(text: &str) -> bool {
    let may_stand = |c: char| !c.is_whitespace() && !c.is_control() && c != '*' && c != '>';
    (1..=255).contains(&text.len())
        && text.split('.').all(|token| !token.is_empty() && token.chars().all(may_stand))
}

/// What the name of a protocol is.
pub(crate) fn is_protocol(text: &str) -> bool {
    let may_stand = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_+".contains(c);
    (1..=32).contains(&text.len()) && text.chars().all(may_stand)
}

fn topic(text: &str) {
    match Topic::new(text) {
        Ok(topic) => {
            assert!(is_topic(text), "{text:?}");
            assert_eq!((topic.as_str(), topic.to_string().as_str()), (text, text));
            let first = text.split('.').next().unwrap();
            let reserved = "bus transports directory envelope delivery people rooms services";
            assert_eq!(is_reserved(text), reserved.split(' ').any(|token| token == first));
            // Each topic is a pattern that matches it and nothing else.
            let pattern = Pattern::new(format!("self.{text}")).unwrap();
            assert!(pattern.matches(&Protocol::MS, Scope::Own, text) && !pattern.has_wildcard());
            assert!(!pattern.matches_topic(&format!("{text}.x")));
            assert!(!pattern.matches_topic(&format!("x{text}")));
        }
        Err(error) => {
            assert!(!is_topic(text), "{text:?}: {error}");
            place(text, error.at());
        }
    }
}

fn short(text: &str, checked: Result<(), TextError>, is_right: bool) {
    assert_eq!(checked.is_ok(), is_right, "{text:?}: {checked:?}");
    if let Err(error) = checked {
        place(text, error.at());
    }
}

fn place(text: &str, at: usize) {
    assert!(text.is_char_boundary(at), "{text:?} at {at}");
}

/// The bytes of a UUID, as text: 32 digits in groups of 8, 4, 4, 4 and 12.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<_> = text.split('-').collect();
    let sizes = groups.iter().map(|group| group.len());
    let digits = groups.concat();
    let is_one = sizes.eq([8, 4, 4, 4, 12]) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    is_one.then(|| u128::from_str_radix(&digits, 16).unwrap().to_be_bytes())
}

fn message_id(text: &str) {
    let id = MessageId::from_text(text);
    let bytes = uuid(text);
    // RFC 9562, sections 4.1 and 5.7: four bits say 7, and two further on say 10.
    let is_id = bytes.is_some_and(|bytes| bytes[6] >> 4 == 7 && bytes[8] >> 6 == 2);
    assert_eq!(id.is_ok(), is_id, "{text:?}: {id:?}");
    if let Some(bytes) = bytes {
        assert_eq!(MessageId::from_bytes(bytes), id, "{text:?}");
    }
    let Ok(id) = id else { return };
    assert_eq!(id.to_string(), text.to_ascii_lowercase());
    let mut written = Vec::new();
    id.write_to(&mut written);
    assert_eq!(written, id.to_string().into_bytes());
}

/// Takes the text as lines `KEY=VALUE`, and holds that a refused one changes nothing.
fn headers(text: &str) {
    let mut headers = Headers::new();
    let mut kept: Vec<(&str, &str)> = Vec::new();
    for (key, value) in text.split('\n').filter_map(|line| line.split_once('=')) {
        let may_stand = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let bytes: usize = kept.iter().map(|(key, value)| key.len() + value.len()).sum();
        let is_right = (1..=64).contains(&key.len())
            && key.chars().all(may_stand)
            && !value.chars().any(char::is_control)
            && kept.iter().all(|(other, _)| *other != key)
            && kept.len() < 64
            && bytes + key.len() + value.len() <= 4_096;
        let inserted = headers.insert(key, value);
        assert_eq!(inserted.is_ok(), is_right, "{key:?}: {inserted:?}");
        if is_right {
            kept.push((key, value));
        }
        assert!(headers.iter().eq(kept.iter().copied()));
    }
}
