//! CBOR as records have it: maps whose keys are small numbers, in ascending order.
//!
//! A version of a record has a fixed set of fields, so a reader asks for them one after the other,
//! and what is missing, doubled, out of order or unknown is found on the way. That all is also in
//! the deterministic form of RFC 8949, section 4.2.1, is found by writing the record again: what
//! comes out has to be the bytes that came in. Signatures are still over what came in.
//!
//! Nothing is allocated by what a length claims: lists are bounded before they are read.

use minicbor::{Decoder, Encoder};

use crate::record::{Fault, RecordError};

/// Writes one record. Vectors take all that is written, so what the encoder answers is put aside.
pub(crate) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub(crate) fn map(&mut self, fields: usize) -> &mut Self {
        drop(self.0.map(fields as u64));
        self
    }

    pub(crate) fn list(&mut self, length: usize) -> &mut Self {
        drop(self.0.array(length as u64));
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        drop(self.0.u64(number));
        self
    }

    pub(crate) fn flag(&mut self, flag: bool) -> &mut Self {
        drop(self.0.bool(flag));
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        drop(self.0.str(text));
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        drop(self.0.bytes(bytes));
        self
    }

    pub(crate) fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.list(texts.len());
        texts.iter().for_each(|text| {
            self.text(text);
        });
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0.into_writer()
    }
}

/// Reads one record.
pub(crate) struct Reader<'a> {
    decoder: Decoder<'a>,
    /// The field that is read, for errors.
    field: &'static str,
}

/// A map that is being read: how many of its fields are still to come.
pub(crate) struct Map {
    left: u64,
}

type Read<T> = Result<T, RecordError>;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { decoder: Decoder::new(bytes), field: "record" }
    }

    /// What is wrong with the field that is read.
    pub(crate) fn wrong(&self, fault: Fault) -> RecordError {
        RecordError::Field { field: self.field, fault }
    }

    fn form<T>(&self, read: Result<T, minicbor::decode::Error>) -> Read<T> {
        read.map_err(|_| self.wrong(Fault::Form))
    }

    pub(crate) fn map(&mut self) -> Read<Map> {
        let length = self.decoder.map();
        let left = self.form(length)?.ok_or_else(|| self.wrong(Fault::Form))?;
        Ok(Map { left })
    }

    /// Goes to the field `key`, which has to be the next.
    pub(crate) fn required(&mut self, map: &mut Map, key: u64, field: &'static str) -> Read<()> {
        if self.optional(map, key, field)? { Ok(()) } else { Err(self.wrong(Fault::Missing)) }
    }

    /// Goes to the field `key`, if it is the next.
    pub(crate) fn optional(&mut self, map: &mut Map, key: u64, field: &'static str) -> Read<bool> {
        self.field = field;
        if map.left == 0 {
            return Ok(false);
        }
        let next = self.decoder.probe().u64();
        if self.form(next)? != key {
            return Ok(false);
        }
        let read = self.decoder.u64();
        self.form(read)?;
        map.left -= 1;
        Ok(true)
    }

    /// Ends a map: it has nothing more.
    pub(crate) fn end(&self, map: &Map) -> Read<()> {
        if map.left == 0 { Ok(()) } else { Err(RecordError::UnknownField { after: self.field }) }
    }

    /// Ends the record: nothing follows.
    pub(crate) fn done(&self) -> Read<()> {
        let is_over = self.decoder.position() == self.decoder.input().len();
        if is_over { Ok(()) } else { Err(RecordError::Trailing) }
    }

    pub(crate) fn list(&mut self, max: usize) -> Read<usize> {
        let length = self.decoder.array();
        let length = self.form(length)?.ok_or_else(|| self.wrong(Fault::Form))?;
        match usize::try_from(length) {
            Ok(length) if length <= max => Ok(length),
            _ => Err(self.wrong(Fault::TooMany { max })),
        }
    }

    pub(crate) fn number(&mut self, max: u64) -> Read<u64> {
        let number = self.decoder.u64();
        let number = self.form(number)?;
        if number <= max { Ok(number) } else { Err(self.wrong(Fault::TooLarge { max })) }
    }

    pub(crate) fn flag(&mut self) -> Read<bool> {
        let flag = self.decoder.bool();
        self.form(flag)
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let text = self.decoder.str();
        self.form(text)
    }

    pub(crate) fn bytes(&mut self, max: usize) -> Read<&'a [u8]> {
        let bytes = self.decoder.bytes();
        let bytes = self.form(bytes)?;
        if bytes.len() <= max { Ok(bytes) } else { Err(self.wrong(Fault::TooLong { max })) }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.bytes(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| self.wrong(Fault::Length { bytes: N }))
    }

    pub(crate) fn texts(&mut self, max: usize) -> Read<Vec<String>> {
        let length = self.list(max)?;
        (0..length).map(|_| Ok(self.text()?.to_owned())).collect()
    }
}
