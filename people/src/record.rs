//! What all signed records have in common: a signature of 64 bytes, then the body, in CBOR.
//!
//! The signature stands outside the body, so that what it is over is plain: all the bytes behind
//! it. A record keeps the bytes it came in and is passed on as those; nothing is ever signed or
//! verified in a form that somebody made anew. Field 0 of every body is the version of its form.
//! What has another version, or fields that the version does not have, is refused as a whole: half
//! of what somebody signed is not what they signed.

use crate::cbor::{Map, Reader};
use crate::ids::DeviceId;
use crate::sign::{BadSignature, SIGNATURE_BYTES};

/// The form of records that is written and read.
pub(crate) const VERSION: u64 = 1;

/// Why bytes are not a record, or a draft can't become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is larger than any of its kind.
    #[error("a record of this kind has at most {max} bytes")]
    TooLarge {
        /// The bound.
        max: usize,
    },
    /// It ends within its signature.
    #[error("a record begins with a signature of 64 bytes")]
    TooShort,
    /// It is of a version that is not known here.
    #[error("the record has version {0}, and only version 1 is known here")]
    UnknownVersion(u64),
    /// A field is wrong.
    #[error("`{field}` {fault}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// There is a field that this version does not have, or one that is out of order.
    #[error("behind `{after}` there is a field twice, out of order, or unknown")]
    UnknownField {
        /// The last field that was in order.
        after: &'static str,
    },
    /// Something follows.
    #[error("there are bytes behind the end of the record")]
    Trailing,
    /// It says the right things in a form that is not the one there is.
    #[error("the record is not in the deterministic form of CBOR")]
    NotDeterministic,
    /// It is not signed by whom it has to be.
    #[error("the signature does not hold")]
    Signature,
    /// A device has not signed that it belongs to the person.
    #[error("device {0} has not signed that it belongs to this person")]
    DeviceSignature(DeviceId),
    /// A device is listed twice, or has a key of another one.
    #[error("a key of device {0} is in the card twice")]
    DeviceTwice(DeviceId),
    /// A card without a device: nobody could be reached, or sign a further one.
    #[error("the last device of a card can't be removed")]
    LastDevice,
    /// No such device is in the card.
    #[error("device {0} is not in the card")]
    NoSuchDevice(DeviceId),
    /// Whoever signs is not whom the record is about.
    #[error("the key that signs is not that of the record")]
    OtherKey,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It has to be there.
    #[error("is missing")]
    Missing,
    /// It is of another type, or its bytes are broken.
    #[error("is not what it should be")]
    Form,
    /// A text or bytes are too long.
    #[error("has more than {max} bytes")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
    },
    /// A text must not be empty.
    #[error("is empty")]
    Empty,
    /// Bytes have the wrong length.
    #[error("does not have {bytes} bytes")]
    Length {
        /// The length that it should have.
        bytes: usize,
    },
    /// A list is too long.
    #[error("has more than {max} entries")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// A number is too large.
    #[error("is above {max}")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// A text has a character that could move a cursor or break a line.
    #[error("has a control character, or a space where none may stand")]
    Character,
    /// Entries of a list are not in their order, or one is there twice.
    #[error("has entries twice or out of order")]
    Order,
    /// It says something that is not known here.
    #[error("has a value that is not known here")]
    Unknown,
}

impl From<BadSignature> for RecordError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

/// The signature and the body.
pub(crate) fn split(
    bytes: &[u8],
    max: usize,
) -> Result<(&[u8; SIGNATURE_BYTES], &[u8]), RecordError> {
    if max < bytes.len() {
        return Err(RecordError::TooLarge { max });
    }
    bytes.split_first_chunk().ok_or(RecordError::TooShort)
}

/// The record of a signature and a body.
pub(crate) fn joined(
    signature: &[u8; SIGNATURE_BYTES],
    body: &[u8],
    max: usize,
) -> Result<Vec<u8>, RecordError> {
    let bytes = [signature.as_slice(), body].concat();
    if max < bytes.len() { Err(RecordError::TooLarge { max }) } else { Ok(bytes) }
}

/// Begins a body: a map whose field 0 is the version.
pub(crate) fn begin(reader: &mut Reader<'_>) -> Result<Map, RecordError> {
    let mut map = reader.map()?;
    reader.required(&mut map, 0, "version")?;
    match reader.number(u64::MAX)? {
        VERSION => Ok(map),
        other => Err(RecordError::UnknownVersion(other)),
    }
}

/// A text for people: short, without control characters. It may be empty.
pub(crate) fn check_name(field: &'static str, name: &str, max: usize) -> Result<(), RecordError> {
    let wrong = |fault| Err(RecordError::Field { field, fault });
    if max < name.len() {
        return wrong(Fault::TooLong { max });
    }
    if name.chars().any(char::is_control) {
        return wrong(Fault::Character);
    }
    Ok(())
}

/// Addresses: so many, so long, and not two words.
pub(crate) fn check_addresses(
    field: &'static str,
    addresses: &[String],
    count_max: usize,
    bytes_max: usize,
) -> Result<(), RecordError> {
    let wrong = |fault| Err(RecordError::Field { field, fault });
    if count_max < addresses.len() {
        return wrong(Fault::TooMany { max: count_max });
    }
    for address in addresses {
        if address.is_empty() {
            return wrong(Fault::Empty);
        }
        if bytes_max < address.len() {
            return wrong(Fault::TooLong { max: bytes_max });
        }
        if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return wrong(Fault::Character);
        }
    }
    Ok(())
}

/// A time or number that fits everywhere.
pub(crate) fn check_number(field: &'static str, number: u64) -> Result<(), RecordError> {
    let max = crate::limits::NUMBER_MAX;
    let fault = Fault::TooLarge { max };
    if number <= max { Ok(()) } else { Err(RecordError::Field { field, fault }) }
}
