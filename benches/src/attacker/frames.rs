//! The few binary frames that attacks are made of, from `docs/protocol.md`.

/// What is said first.
pub(crate) const MAGIC: [u8; 4] = *b"KTH\x01";

const SUB: u8 = 0x02;
const UNSUB: u8 = 0x03;
const PUB: u8 = 0x04;
const REQ: u8 = 0x05;
const PING: u8 = 0x08;
/// A protocol whose payloads the daemon doesn't look at.
const RAW: &str = "raw";

fn frame(kind: u8, flags: u8, [a, b]: [usize; 2], number: u32, parts: &[&[u8]]) -> Vec<u8> {
    let body: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = ((8 + body) as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&[kind, flags, a as u8, b as u8]);
    bytes.extend_from_slice(&number.to_le_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A subscription, to kept values too if asked for.
pub(crate) fn subscribe(number: u32, pattern: &str, retained: bool) -> Vec<u8> {
    frame(SUB, u8::from(retained), [0, 0], number, &[pattern.as_bytes()])
}

pub(crate) fn unsubscribe(number: u32, subscription: u32) -> Vec<u8> {
    frame(UNSUB, 0, [0, 0], number, &[&subscription.to_le_bytes()])
}

/// A message that nobody answers.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let lengths = [topic.len(), RAW.len()];
    frame(PUB, 0, lengths, 0, &[topic.as_bytes(), RAW.as_bytes(), payload])
}

/// The same, to be kept.
pub(crate) fn publish_retained(topic: &str, payload: &[u8]) -> Vec<u8> {
    // Three bytes of options: `retain`, which is empty.
    let options = [3, 0, 0x04, 0, 0];
    let lengths = [topic.len(), RAW.len()];
    frame(PUB, 1, lengths, 0, &[topic.as_bytes(), RAW.as_bytes(), &options, payload])
}

pub(crate) fn request(number: u32, topic: &str) -> Vec<u8> {
    frame(REQ, 0, [topic.len(), RAW.len()], number, &[topic.as_bytes(), RAW.as_bytes(), b"x"])
}

/// A ping that nobody answers.
pub(crate) fn ping() -> Vec<u8> {
    frame(PING, 0, [0, 0], 0, &[])
}
