//! Messages as they are read: how long one is, and the few fields by which a client knows it.

/// How long the first message is, if all of it is there.
#[inline]
pub fn whole(bytes: &[u8]) -> Option<usize> {
    let fields = number(bytes, 12)? as usize;
    let body = number(bytes, 4)? as usize;
    let length = 16 + fields.next_multiple_of(8) + body;
    (length <= bytes.len()).then_some(length)
}

/// What is looked at of a message; a text that it doesn't have is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming<'message> {
    /// What it is, as messages are numbered.
    pub kind: u8,
    /// Its serial.
    pub serial: u32,
    /// From whom.
    pub sender: &'message str,
    /// The method or signal.
    pub member: &'message str,
    /// The name of an error.
    pub error: &'message str,
    /// Its arguments.
    pub body: &'message [u8],
}

impl<'message> Incoming<'message> {
    /// Reads a whole message; nothing, if it is none.
    pub fn read(message: &'message [u8]) -> Option<Self> {
        let fields_end = 16 + number(message, 12)? as usize;
        let mut incoming = Self {
            kind: *message.get(1)?,
            serial: number(message, 8)?,
            body: message.get(fields_end.next_multiple_of(8)..)?,
            ..Self::default()
        };
        let fields = message.get(..fields_end)?;
        let mut at = 16;
        while at < fields_end {
            let (code, signature) = (*fields.get(at)?, *fields.get(at + 2)?);
            let value = at + 4;
            let end = match signature {
                b'u' => value + 4,
                // Its length is one byte, and a NUL stands behind it, as behind every text.
                b'g' => value + 1 + usize::from(*fields.get(value)?) + 1,
                b's' | b'o' => {
                    let end = value + 4 + number(fields, value)? as usize;
                    let text = std::str::from_utf8(fields.get(value + 4..end)?).ok()?;
                    match code {
                        3 => incoming.member = text,
                        4 => incoming.error = text,
                        7 => incoming.sender = text,
                        _ => {}
                    }
                    end + 1
                }
                _ => return None,
            };
            at = end.next_multiple_of(8);
        }
        Some(incoming)
    }

    /// The string that is its first argument.
    pub fn text(&self) -> Option<&'message str> {
        let length = number(self.body, 0)? as usize;
        std::str::from_utf8(self.body.get(4..4 + length)?).ok()
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Kind, Message};
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_cut_is_not_whole() {
        let message = Message {
            path: "/a",
            destination: ":1.7",
            interface: "a.B",
            member: "Told",
            reply_serial: 5,
            signature: "s",
            ..Message::of(Kind::Signal)
        };
        let body = Body::default().text("hi");
        let mut bytes = vec![];
        message.write(&[body.bytes()], &mut bytes);
        assert_eq!(whole(&bytes), Some(bytes.len()));
        assert!((0..bytes.len()).all(|cut| whole(&bytes[..cut]).is_none()));
        let incoming = Incoming::read(&bytes).unwrap();
        assert_eq!((incoming.kind, incoming.member), (Kind::Signal as u8, "Told"));
        assert_eq!((incoming.serial, incoming.sender), (1, ""));
        assert_eq!(incoming.text(), Some("hi"));
        for cut in 0..bytes.len() {
            // No panic, whatever is left.
            let _ = Incoming::read(&bytes[..cut]);
        }
    }
}
