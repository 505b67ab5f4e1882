//! Messages as they are written.

/// The kinds of message, as they are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A method call.
    Call = 1,
    /// The answer to one.
    Return = 2,
    /// The answer to one that failed.
    Error = 3,
    /// A signal.
    Signal = 4,
}

/// The flag of what wants no answer.
pub const NO_REPLY_EXPECTED: u8 = 1;
/// The serial of whatever is written: nobody here waits for two answers at once.
const SERIAL: u32 = 1;

/// A message without its body. What is empty, or 0, is left out.
#[derive(Clone, Copy)]
pub struct Message<'text> {
    /// What it is.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// The object.
    pub path: &'text str,
    /// To whom.
    pub destination: &'text str,
    /// The interface.
    pub interface: &'text str,
    /// The method or signal.
    pub member: &'text str,
    /// The serial of the call that it answers.
    pub reply_serial: u32,
    /// The types in its body.
    pub signature: &'text str,
}

impl Message<'_> {
    /// One of which nothing is said.
    pub const fn of(kind: Kind) -> Self {
        Self {
            kind,
            flags: 0,
            path: "",
            destination: "",
            interface: "",
            member: "",
            reply_serial: 0,
            signature: "",
        }
    }

    /// Appends it with its body, which may come in pieces.
    pub fn write(&self, body: &[&[u8]], out: &mut Vec<u8>) {
        let base = out.len();
        let body_bytes: usize = body.iter().map(|part| part.len()).sum();
        out.extend_from_slice(&[b'l', self.kind as u8, self.flags, 1]);
        out.extend_from_slice(&(body_bytes as u32).to_le_bytes());
        out.extend_from_slice(&SERIAL.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes()); // length of the fields, below
        let texts = [
            (1, b'o', self.path),
            (6, b's', self.destination),
            (2, b's', self.interface),
            (3, b's', self.member),
            (8, b'g', self.signature),
        ];
        for (code, signature, text) in texts.into_iter().filter(|(_, _, text)| !text.is_empty()) {
            field(out, base, code, signature);
            if signature == b'g' {
                out.push(text.len() as u8);
            } else {
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            }
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        }
        if self.reply_serial > 0 {
            field(out, base, 5, b'u');
            out.extend_from_slice(&self.reply_serial.to_le_bytes());
        }
        let fields_bytes = (out.len() - base - 16) as u32;
        out[base + 12..base + 16].copy_from_slice(&fields_bytes.to_le_bytes());
        pad(out, base, 8);
        for part in body {
            out.extend_from_slice(part);
        }
    }
}

/// A call of the session bus itself, with one string or without arguments.
pub struct BusCall<'text> {
    /// The method.
    pub member: &'text str,
    /// The string.
    pub argument: Option<&'text str>,
}

impl BusCall<'_> {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let message = Message {
            path: "/org/freedesktop/DBus",
            destination: "org.freedesktop.DBus",
            interface: "org.freedesktop.DBus",
            member: self.member,
            signature: if self.argument.is_some() { "s" } else { "" },
            ..Message::of(Kind::Call)
        };
        let body = self.argument.map(|text| Body::default().text(text)).unwrap_or_default();
        message.write(&[body.bytes()], out);
    }
}

/// A body, which is aligned from where it begins.
#[derive(Default)]
pub struct Body(Vec<u8>);

/// A value in a variant.
#[derive(Clone, Copy)]
pub enum Value<'text> {
    /// `s`
    Text(&'text str),
    /// `t`
    Number(u64),
}

impl Body {
    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// `u`
    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        pad(&mut self.0, 0, 4);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// `s`
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self = self.number(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    /// `v`
    #[must_use]
    pub fn variant(mut self, value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => {
                self.0.extend_from_slice(&[1, b's', 0]);
                self.text(text)
            }
            Value::Number(number) => {
                self.0.extend_from_slice(&[1, b't', 0]);
                pad(&mut self.0, 0, 8);
                self.0.extend_from_slice(&number.to_le_bytes());
                self
            }
        }
    }

    /// `a{sv}`
    #[must_use]
    pub fn dictionary(mut self, entries: &[(&str, Value<'_>)]) -> Self {
        self = self.number(0);
        let length_at = self.0.len() - 4;
        // An entry is aligned even where there is none, and the length doesn't count that.
        pad(&mut self.0, 0, 8);
        let begins = self.0.len();
        for (key, value) in entries {
            pad(&mut self.0, 0, 8);
            self = self.text(key).variant(*value);
        }
        let length = (self.0.len() - begins) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self
    }
}

fn pad(out: &mut Vec<u8>, base: usize, alignment: usize) {
    out.resize(base + (out.len() - base).next_multiple_of(alignment), 0);
}

/// The head of a field: its code, and the signature of its value.
fn field(out: &mut Vec<u8>, base: usize, code: u8, signature: u8) {
    pad(out, base, 8);
    out.extend_from_slice(&[code, 1, signature, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_aligned_as_the_specification_says() {
        let body = Body::default().text("ab").number(7);
        assert_eq!(body.bytes(), b"\x02\0\0\0ab\0\0\x07\0\0\0");
        let none = Body::default().text("").dictionary(&[]);
        assert_eq!(none.bytes(), [&[0; 5][..], &[0; 3], &[0; 4], &[0; 4]].concat());
        let entries = [("k", Value::Number(9)), ("t", Value::Text("x"))];
        let body = Body::default().dictionary(&entries);
        let expected = b"\x2a\0\0\0\0\0\0\0\
            \x01\0\0\0k\0\x01t\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\
            \x01\0\0\0t\0\x01s\0\0\0\0\x01\0\0\0x\0";
        assert_eq!(body.bytes(), expected);
    }

    #[test]
    fn fields_are_aligned_from_where_the_message_begins() {
        let call = BusCall { member: "AddMatch", argument: Some("type='signal'") };
        let (mut alone, mut behind) = (vec![], vec![9; 3]);
        call.write(&mut alone);
        call.write(&mut behind);
        assert_eq!(behind[3..], alone);
    }
}
