//! D-Bus messages and their bytes, from the D-Bus specification ("Message Protocol").

use super::value::{Reader, Value, signature};

/// What asks for something.
pub(crate) const CALL: u8 = 1;
/// What answers it.
pub(crate) const RETURN: u8 = 2;
/// What says that it could not be done.
pub(crate) const ERROR: u8 = 3;
/// What nobody asked for.
pub(crate) const SIGNAL: u8 = 4;

/// The flag of a call that wants no answer.
pub(crate) const NO_REPLY_EXPECTED: u8 = 1;
/// The flag of a call that does not start whom it is for.
pub(crate) const NO_AUTO_START: u8 = 2;

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) serial: u32,
    pub(crate) path: Option<String>,
    pub(crate) interface: Option<String>,
    pub(crate) member: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) reply_to: Option<u32>,
    pub(crate) destination: Option<String>,
    pub(crate) sender: Option<String>,
    /// How many come with it.
    pub(crate) descriptors: u32,
    pub(crate) body: Vec<Value>,
}

impl Message {
    /// A call.
    pub(crate) fn call(to: &str, path: &str, interface: &str, member: &str) -> Self {
        Self {
            kind: CALL,
            path: Some(path.to_owned()),
            interface: Some(interface.to_owned()),
            member: Some(member.to_owned()),
            destination: Some(to.to_owned()),
            ..Self::default()
        }
    }

    /// With these arguments.
    pub(crate) fn with(self, body: impl Into<Vec<Value>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// With this flag.
    pub(crate) fn flagged(self, flag: u8) -> Self {
        Self { flags: self.flags | flag, ..self }
    }

    /// Without an answer.
    pub(crate) fn without_reply(self) -> Self {
        self.flagged(NO_REPLY_EXPECTED)
    }

    /// Whether it is this signal or call.
    pub(crate) fn is(&self, kind: u8, interface: &str, member: &str) -> bool {
        let same = |is: &Option<String>, wanted: &str| is.as_deref() == Some(wanted);
        self.kind == kind && same(&self.interface, interface) && same(&self.member, member)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.body.iter().for_each(|value| value.put(&mut body));
        let text = |text: &Option<String>, value: fn(String) -> Value| text.clone().map(value);
        let types = signature(&self.body);
        let fields = [
            (1, text(&self.path, Value::Path)),
            (2, text(&self.interface, Value::Text)),
            (3, text(&self.member, Value::Text)),
            (4, text(&self.error, Value::Text)),
            (5, self.reply_to.map(Value::U32)),
            (6, text(&self.destination, Value::Text)),
            (7, text(&self.sender, Value::Text)),
            (8, (!types.is_empty()).then_some(Value::Signature(types))),
            (9, (self.descriptors > 0).then_some(Value::U32(self.descriptors))),
        ];
        let field = |(code, value): (u8, Option<Value>)| {
            Some(Value::Struct(vec![Value::Byte(code), value?.variant()]))
        };
        let fields = fields.into_iter().filter_map(field).collect();
        let mut bytes = vec![b'l', self.kind, self.flags, 1];
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&self.serial.to_le_bytes());
        Value::Array("(yv)".to_owned(), fields).put(&mut bytes);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.append(&mut body);
        bytes
    }

    /// The message that bytes begin with, and how many it has.
    pub(super) fn cut(buffer: &[u8]) -> Option<(Self, usize)> {
        let head: &[u8; 16] = buffer.first_chunk()?;
        assert_eq!(head[0], b'l', "a broker doesn't turn the bytes of a message around");
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| head[at + n]));
        let body_at = 16 + (number(12) as usize).next_multiple_of(8);
        let end = body_at + number(4) as usize;
        let bytes = buffer.get(..end)?;
        let mut message =
            Self { kind: head[1], flags: head[2], serial: number(8), ..Self::default() };
        let fields = Reader::new(bytes, 12).values("a(yv)");
        let mut types = String::new();
        let [Value::Array(_, fields)] = &fields[..] else { panic!("{fields:?}") };
        for field in fields {
            let Value::Struct(field) = field else { panic!("{field:?}") };
            match (&field[0], field[1].inside().clone()) {
                (Value::Byte(1), Value::Path(path)) => message.path = Some(path),
                (Value::Byte(2), Value::Text(text)) => message.interface = Some(text),
                (Value::Byte(3), Value::Text(text)) => message.member = Some(text),
                (Value::Byte(4), Value::Text(text)) => message.error = Some(text),
                (Value::Byte(5), Value::U32(serial)) => message.reply_to = Some(serial),
                (Value::Byte(6), Value::Text(text)) => message.destination = Some(text),
                (Value::Byte(7), Value::Text(text)) => message.sender = Some(text),
                (Value::Byte(8), Value::Signature(text)) => types = text,
                (Value::Byte(9), Value::U32(count)) => message.descriptors = count,
                other => panic!("a field that nobody knows: {other:?}"),
            }
        }
        message.body = Reader::new(&bytes[body_at..], 0).values(&types);
        Some((message, end))
    }
}
