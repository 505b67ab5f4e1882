//! CBOR as contents, parcels and notices have it: maps whose keys are small numbers, ascending.
//!
//! A version has a fixed set of fields, so a reader asks for them one after the other. That all is
//! in the deterministic form of RFC 8949, section 4.2.1, is found by writing it again: what comes
//! out has to be the bytes that came in. Nothing is allocated by what a length claims.

use minicbor::{Decoder, Encoder};

/// The version of all of these.
pub(super) const VERSION: u64 = 1;

/// Writes. Vectors take all that is written, so what the encoder answers is put aside.
pub(super) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    /// A map of so many fields, of which the first says the version.
    pub(super) fn new(fields: usize, room: usize) -> Self {
        let mut encoder = Encoder::new(Vec::with_capacity(room));
        drop(encoder.map(fields as u64).and_then(|map| map.u64(0)?.u64(VERSION)));
        Self(encoder)
    }

    pub(super) fn number(&mut self, key: u64, number: u64) {
        drop(self.0.u64(key).and_then(|field| field.u64(number)));
    }

    pub(super) fn bytes(&mut self, key: u64, bytes: &[u8]) {
        drop(self.0.u64(key).and_then(|field| field.bytes(bytes)));
    }

    pub(super) fn text(&mut self, key: u64, text: &str) {
        drop(self.0.u64(key).and_then(|field| field.str(text)));
    }

    /// A list, whose entries the caller writes.
    pub(super) fn list(&mut self, key: u64, length: usize) -> &mut Encoder<Vec<u8>> {
        drop(self.0.u64(key).and_then(|field| field.array(length as u64)));
        &mut self.0
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0.into_writer()
    }
}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Not such a map, or it ends too early.
    #[error("it is not a map of numbered fields")]
    NotMap,
    /// Of another version.
    #[error("it has version {0}, and only version 1 is known here")]
    Version(u64),
    /// A field is missing, of another type, too long, or has a value that is not known here.
    #[error("`{0}` is missing, or is not what it should be")]
    Field(&'static str),
    /// There is a field more, or one that is out of order.
    #[error("there is a field twice, out of order, or unknown")]
    UnknownField,
    /// It says the right things in a form that is not the one there is, or something follows.
    #[error("it is not in the deterministic form of CBOR")]
    NotDeterministic,
}

type Read<T> = Result<T, FormError>;

/// Reads the fields of a map.
pub(super) struct Reader<'a> {
    decoder: Decoder<'a>,
    left: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Read<Self> {
        let mut decoder = Decoder::new(bytes);
        let left = decoder.map().ok().flatten().ok_or(FormError::NotMap)?;
        let mut reader = Self { decoder, left };
        match reader.number(0, "version")? {
            VERSION => Ok(reader),
            other => Err(FormError::Version(other)),
        }
    }

    /// Whether the next field is this one; then it is gone to.
    pub(super) fn has(&mut self, key: u64) -> bool {
        let is_next = 0 < self.left && self.decoder.probe().u64().is_ok_and(|next| next == key);
        if is_next {
            self.left -= 1;
            drop(self.decoder.u64());
        }
        is_next
    }

    fn go(&mut self, key: u64, field: &'static str) -> Read<()> {
        if self.has(key) { Ok(()) } else { Err(FormError::Field(field)) }
    }

    pub(super) fn number(&mut self, key: u64, field: &'static str) -> Read<u64> {
        self.go(key, field)?;
        self.decoder.u64().map_err(|_| FormError::Field(field))
    }

    pub(super) fn bytes(&mut self, key: u64, field: &'static str) -> Read<&'a [u8]> {
        self.go(key, field)?;
        self.decoder.bytes().map_err(|_| FormError::Field(field))
    }

    pub(super) fn array<const N: usize>(&mut self, key: u64, field: &'static str) -> Read<[u8; N]> {
        self.bytes(key, field)?.try_into().map_err(|_| FormError::Field(field))
    }

    pub(super) fn text(&mut self, key: u64, field: &'static str) -> Read<&'a str> {
        self.go(key, field)?;
        self.decoder.str().map_err(|_| FormError::Field(field))
    }

    /// A list of at most so many entries, which the caller reads.
    pub(super) fn list(
        &mut self,
        key: u64,
        field: &'static str,
        max: usize,
    ) -> Read<(usize, &mut Decoder<'a>)> {
        self.go(key, field)?;
        let length = self.decoder.array().ok().flatten().ok_or(FormError::Field(field))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= max);
        Ok((length.ok_or(FormError::Field(field))?, &mut self.decoder))
    }

    /// Ends the map: no field is left.
    pub(super) const fn end(&self) -> Read<()> {
        if self.left == 0 { Ok(()) } else { Err(FormError::UnknownField) }
    }
}
