//! D-Bus values and their bytes, from the D-Bus specification ("Type System", "Marshaling").
//!
//! Written for the tests and not taken from the daemon's library: so an error both ways in that is
//! seen, and what no library would write can be written. Little-endian, as everybody here sends.

/// A value. Texts may be what D-Bus doesn't allow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Byte(u8),
    Bool(bool),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(String),
    /// Bytes where a text belongs.
    NoText(Vec<u8>),
    Path(String),
    Signature(String),
    /// An index into the descriptors of the message.
    Descriptor(u32),
    Bytes(Vec<u8>),
    /// Of this type each.
    Array(String, Vec<Self>),
    /// Of these two types, one after the other.
    Dict(String, Vec<(Self, Self)>),
    Struct(Vec<Self>),
    Variant(Box<Self>),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A variant with this in it.
    pub(crate) fn variant(self) -> Self {
        Self::Variant(Box::new(self))
    }

    /// A dictionary of variants.
    pub(crate) fn options<K: Into<String>>(all: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entry = |(key, value): (K, Self)| (Self::text(key), value.variant());
        Self::Dict("sv".to_owned(), all.into_iter().map(entry).collect())
    }

    /// Its type.
    pub(crate) fn signature(&self) -> String {
        match self {
            Self::Byte(_) => "y".to_owned(),
            Self::Bool(_) => "b".to_owned(),
            Self::I16(_) => "n".to_owned(),
            Self::U16(_) => "q".to_owned(),
            Self::I32(_) => "i".to_owned(),
            Self::U32(_) => "u".to_owned(),
            Self::I64(_) => "x".to_owned(),
            Self::U64(_) => "t".to_owned(),
            Self::F64(_) => "d".to_owned(),
            Self::Text(_) | Self::NoText(_) => "s".to_owned(),
            Self::Path(_) => "o".to_owned(),
            Self::Signature(_) => "g".to_owned(),
            Self::Descriptor(_) => "h".to_owned(),
            Self::Bytes(_) => "ay".to_owned(),
            Self::Array(item, _) => format!("a{item}"),
            Self::Dict(entry, _) => format!("a{{{entry}}}"),
            Self::Struct(fields) => format!("({})", signature(fields)),
            Self::Variant(_) => "v".to_owned(),
        }
    }

    /// Appends its bytes to those of a message, or of a body.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        pad(out, alignment(&self.signature()));
        match self {
            Self::Byte(value) => out.push(*value),
            Self::Bool(value) => out.extend_from_slice(&u32::from(*value).to_le_bytes()),
            Self::I16(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::U16(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::I32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::U32(value) | Self::Descriptor(value) => {
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::I64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::U64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::F64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Text(text) | Self::Path(text) => put_text(out, text.as_bytes()),
            Self::NoText(bytes) => put_text(out, bytes),
            Self::Signature(text) => put_signature(out, text),
            Self::Bytes(bytes) => {
                out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Array(item, items) => put_array(out, alignment(item), |out| {
                items.iter().for_each(|item| item.put(out));
            }),
            Self::Dict(_, entries) => put_array(out, 8, |out| {
                for (key, value) in entries {
                    pad(out, 8);
                    key.put(out);
                    value.put(out);
                }
            }),
            Self::Struct(fields) => fields.iter().for_each(|field| field.put(out)),
            Self::Variant(value) => {
                put_signature(out, &value.signature());
                value.put(out);
            }
        }
    }

    /// What a text says.
    pub(crate) fn as_text(&self) -> &str {
        let Self::Text(text) = self else { panic!("not a text: {self:?}") };
        text
    }

    /// What a number says that isn't negative.
    pub(crate) fn as_number(&self) -> u64 {
        match self {
            Self::U32(value) => u64::from(*value),
            Self::U64(value) => *value,
            other => panic!("not a number: {other:?}"),
        }
    }

    /// What is in a variant.
    pub(crate) fn inside(&self) -> &Self {
        let Self::Variant(value) = self else { panic!("not a variant: {self:?}") };
        value
    }

    /// What a dictionary of variants has under this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(_, entries) = self else { panic!("not a dictionary: {self:?}") };
        let found = entries.iter().find(|(name, _)| name.as_text() == key);
        found.map(|(_, value)| value.inside())
    }
}

/// The types of these values, one after the other.
pub(super) fn signature(values: &[Value]) -> String {
    values.iter().map(Value::signature).collect()
}

fn alignment(signature: &str) -> usize {
    match signature.as_bytes()[0] {
        b'y' | b'g' | b'v' => 1,
        b'n' | b'q' => 2,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 4,
    }
}

fn pad(out: &mut Vec<u8>, alignment: usize) {
    out.resize(out.len().next_multiple_of(alignment), 0);
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
    out.extend_from_slice(text);
    out.push(0);
}

fn put_signature(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// The length of an array counts what is behind the padding before the first item.
fn put_array(out: &mut Vec<u8>, alignment: usize, put_items: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    pad(out, alignment);
    let begin = out.len();
    put_items(out);
    let length = u32::try_from(out.len() - begin).unwrap();
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Reads values from a message or a body, which is trusted: a broker has checked it.
pub(super) struct Reader<'bytes> {
    bytes: &'bytes [u8],
    at: usize,
}

impl<'bytes> Reader<'bytes> {
    /// From this offset on; what is before counts for alignment.
    pub(super) fn new(bytes: &'bytes [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The values of these types, one after the other.
    pub(super) fn values(&mut self, mut signature: &str) -> Vec<Value> {
        let mut values = Vec::new();
        while !signature.is_empty() {
            let (first, rest) = split(signature);
            values.push(self.value(first));
            signature = rest;
        }
        values
    }

    fn value(&mut self, signature: &str) -> Value {
        self.at = self.at.next_multiple_of(alignment(signature));
        match signature.as_bytes() {
            b"y" => Value::Byte(self.take::<1>()[0]),
            b"b" => Value::Bool(self.number() == 1),
            b"n" => Value::I16(i16::from_le_bytes(self.take())),
            b"q" => Value::U16(u16::from_le_bytes(self.take())),
            b"i" => Value::I32(i32::from_le_bytes(self.take())),
            b"u" => Value::U32(self.number()),
            b"x" => Value::I64(i64::from_le_bytes(self.take())),
            b"t" => Value::U64(u64::from_le_bytes(self.take())),
            b"d" => Value::F64(f64::from_le_bytes(self.take())),
            b"h" => Value::Descriptor(self.number()),
            b"s" => Value::Text(self.text()),
            b"o" => Value::Path(self.text()),
            b"g" => Value::Signature(self.signature()),
            b"v" => {
                let signature = self.signature();
                self.value(&signature).variant()
            }
            b"ay" => {
                let length = self.number() as usize;
                Value::Bytes(self.slice(length).to_vec())
            }
            [b'a', b'{', ..] => {
                let entry = &signature[2..signature.len() - 1];
                let pair = |values: Vec<Value>| {
                    let [key, value] = <[Value; 2]>::try_from(values).unwrap();
                    (key, value)
                };
                let entries = self.items(8, |reader| pair(reader.values(entry)));
                Value::Dict(entry.to_owned(), entries)
            }
            [b'a', ..] => {
                let item = &signature[1..];
                let items = self.items(alignment(item), |reader| reader.value(item));
                Value::Array(item.to_owned(), items)
            }
            [b'(', ..] => Value::Struct(self.values(&signature[1..signature.len() - 1])),
            _ => panic!("no type: {signature}"),
        }
    }

    fn items<T>(&mut self, alignment: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let length = self.number() as usize;
        self.at = self.at.next_multiple_of(alignment);
        let end = self.at + length;
        let mut items = Vec::new();
        while self.at < end {
            self.at = self.at.next_multiple_of(alignment);
            items.push(item(self));
        }
        assert_eq!(self.at, end, "an array ends inside of an item");
        items
    }

    fn slice(&mut self, length: usize) -> &'bytes [u8] {
        self.at += length;
        &self.bytes[self.at - length..self.at]
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.slice(N).try_into().unwrap()
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn text(&mut self) -> String {
        let length = self.number() as usize;
        let text = self.slice(length + 1);
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    fn signature(&mut self) -> String {
        let length = usize::from(self.take::<1>()[0]);
        let text = self.slice(length + 1);
        String::from_utf8(text[..length].to_vec()).unwrap()
    }
}

/// The first whole type, and what is behind it.
fn split(signature: &str) -> (&str, &str) {
    let mut depth = 0;
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && character != 'a' {
            return signature.split_at(at + 1);
        }
    }
    panic!("no type: {signature}");
}

#[test]
fn what_is_written_is_read_again() {
    let number = |n: u8| Value::Byte(n);
    let all = [
        number(7),
        Value::Bool(true),
        Value::I16(-2),
        Value::U64(u64::MAX),
        Value::F64(0.5),
        Value::text("ä"),
        Value::Bytes(vec![1, 2, 3]),
        Value::Array("(yt)".to_owned(), vec![Value::Struct(vec![number(1), Value::U64(2)])]),
        Value::options([("a", Value::U32(1)), ("b", Value::Array("s".to_owned(), vec![]))]),
        Value::Array("x".to_owned(), vec![]),
        Value::Signature("a{sv}".to_owned()).variant().variant(),
    ];
    assert_eq!(signature(&all), "ybntdsaya(yt)a{sv}axv");
    let mut bytes = Vec::new();
    all.iter().for_each(|value| value.put(&mut bytes));
    assert_eq!(Reader::new(&bytes, 0).values(&signature(&all)), all);
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let mut bytes = Vec::new();
    // "Marshaling", the example of an array of a 64-bit integer, behind a byte.
    Value::Byte(1).put(&mut bytes);
    Value::Array("x".to_owned(), vec![Value::I64(5)]).put(&mut bytes);
    assert_eq!(bytes, [1, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
}
