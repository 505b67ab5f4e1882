//! CBOR as the contract has it: maps with text keys, in the deterministic form of RFC 8949,
//! section 4.2.1. One value has one form: what is read and written again is the same bytes.
//!
//! What is *checked* has to be in that form. What is *read for use* may also have longer heads and
//! keys in another order, and anything at all in fields that the reader does not know. Containers
//! are read to a depth, and values up to a number, so that no bytes make us use more than their own
//! size and a bit.

use crate::error::{Fault, Trouble};
use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::value::Value;
use minicbor::data::{Int, Type};
use minicbor::{Decoder, Encoder};
use std::borrow::Cow;
use std::cmp::Ordering;

const SHORTEST: &str = "a number or length has to be in its shortest form";
const SORTED: &str = "keys have to be sorted: shorter ones first, else by their bytes";
const DEFINITE: &str = "lengths have to be given in advance";

/// Reads one value; nothing may follow it.
pub(crate) fn read(bytes: &[u8], is_strict: bool) -> Result<Value<'_>, Trouble> {
    let mut reader = Reader { decoder: Decoder::new(bytes), values: 0, is_strict };
    let value = reader.value(0)?;
    let at = reader.decoder.position();
    if at < bytes.len() {
        return Err(Fault::Trailing { at }.into());
    }
    Ok(value)
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    values: usize,
    is_strict: bool,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Trouble> {
        self.values += 1;
        if VALUES_MAX < self.values {
            return Err(Fault::TooMany.into());
        }
        let start = self.decoder.position();
        let kind = self.decoder.datatype().map_err(|error| self.broken(&error))?;
        Ok(match kind {
            Type::Null => {
                self.decoder.null().map_err(|error| self.broken(&error))?;
                Value::Null
            }
            Type::Bool => Value::Flag(self.decoder.bool().map_err(|error| self.broken(&error))?),
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int => {
                let number = self.decoder.int().map_err(|error| self.broken(&error))?;
                let number = i128::from(number);
                let magnitude = if number < 0 { -1 - number } else { number };
                self.head_is_shortest(start, 0, u64::try_from(magnitude).unwrap_or(u64::MAX))?;
                Value::Number(number)
            }
            Type::String => Value::Text(Cow::Borrowed(self.text()?)),
            Type::Bytes => {
                let bytes = self.decoder.bytes().map_err(|error| self.broken(&error))?;
                self.head_is_shortest(start, bytes.len(), bytes.len() as u64)?;
                Value::Bytes(Cow::Borrowed(bytes))
            }
            Type::Array | Type::Map if DEPTH_MAX <= depth => self.skipped("nested too deep")?,
            Type::Array => self.list(depth)?,
            Type::Map => self.map(depth)?,
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => {
                if self.is_strict {
                    return Err(Fault::NotDeterministic(DEFINITE).into());
                }
                self.skipped("of a length that is not given in advance")?
            }
            Type::F16 | Type::F32 | Type::F64 => self.skipped("a floating-point number")?,
            Type::Undefined => self.skipped("undefined")?,
            Type::Tag => self.skipped("a tag")?,
            Type::Simple | Type::Break | Type::Unknown(_) => {
                let why = format!("{kind} stands where a value should");
                return Err(Fault::NotCbor { at: start, why }.into());
            }
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Trouble> {
        let start = self.decoder.position();
        let length = self.decoder.array().map_err(|error| self.broken(&error))?.unwrap_or(0);
        self.head_is_shortest(start, 0, length)?;
        let mut values = Vec::new();
        for _ in 0..length {
            let index = values.len();
            values.push(self.value(depth + 1).map_err(|trouble| trouble.at(index))?);
        }
        Ok(Value::List(values))
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, Trouble> {
        let start = self.decoder.position();
        let length = self.decoder.map().map_err(|error| self.broken(&error))?.unwrap_or(0);
        self.head_is_shortest(start, 0, length)?;
        let mut fields: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        for _ in 0..length {
            let kind = self.decoder.datatype().map_err(|error| self.broken(&error))?;
            if kind != Type::String {
                self.decoder.set_position(start);
                return self.skipped("a map whose keys are no texts");
            }
            let key = self.text()?;
            let before = fields.last().map(|(before, _)| before.as_ref());
            if self.is_strict && before.is_some_and(|before| in_order(before, key).is_gt()) {
                return Err(Trouble::from(Fault::NotDeterministic(SORTED)).within(key));
            }
            let value = self.value(depth + 1).map_err(|trouble| trouble.within(key))?;
            fields.push((Cow::Borrowed(key), value));
        }
        Ok(Value::Map(fields))
    }

    fn text(&mut self) -> Result<&'a str, Trouble> {
        let start = self.decoder.position();
        let text = self.decoder.str().map_err(|error| self.broken(&error))?;
        self.head_is_shortest(start, text.len(), text.len() as u64)?;
        Ok(text)
    }

    /// Goes over a value that no field can be.
    fn skipped(&mut self, name: &'static str) -> Result<Value<'a>, Trouble> {
        self.decoder.skip().map_err(|error| self.broken(&error))?;
        Ok(Value::Other(name))
    }

    /// Looks at the head that began at `start`, was followed by `content` bytes, and says `number`.
    fn head_is_shortest(&self, start: usize, content: usize, number: u64) -> Result<(), Trouble> {
        let head = self.decoder.position().saturating_sub(start).saturating_sub(content);
        let shortest = match number {
            0..24 => 1,
            24..0x100 => 2,
            0x100..0x1_0000 => 3,
            0x1_0000..0x1_0000_0000 => 5,
            _ => 9,
        };
        if self.is_strict && shortest < head {
            return Err(Fault::NotDeterministic(SHORTEST).into());
        }
        Ok(())
    }

    fn broken(&self, error: &minicbor::decode::Error) -> Trouble {
        let at = error.position().unwrap_or_else(|| self.decoder.position());
        let at = at.min(self.decoder.input().len());
        let why =
            if error.is_end_of_input() { "it ends too early".into() } else { error.to_string() };
        Fault::NotCbor { at, why }.into()
    }
}

/// The order of keys: bytewise over their CBOR, of which the length comes first.
fn in_order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.as_bytes().cmp(other.as_bytes()))
}

/// Writes a value in the deterministic form.
pub(crate) fn written(value: &Value<'_>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder, value);
    encoder.into_writer()
}

/// What an encoder answers is put aside: a vector takes all that is written.
fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value<'_>) {
    match value {
        Value::Null | Value::Other(_) => drop(encoder.null()),
        Value::Flag(flag) => drop(encoder.bool(*flag)),
        Value::Number(number) => {
            // What CBOR can't hold was in no field that passed the check.
            drop(encoder.int(Int::try_from(*number).unwrap_or_else(|_| Int::from(0_u8))));
        }
        Value::Text(text) => drop(encoder.str(text)),
        Value::Bytes(bytes) => drop(encoder.bytes(bytes)),
        Value::List(values) => {
            drop(encoder.array(values.len() as u64));
            values.iter().for_each(|value| write(encoder, value));
        }
        Value::Map(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(one, _), (other, _)| in_order(one, other));
            drop(encoder.map(fields.len() as u64));
            for (name, value) in fields {
                drop(encoder.str(name));
                write(encoder, value);
            }
        }
    }
}
