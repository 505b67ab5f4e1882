//! Message ids: UUID version 7 (RFC 9562, section 5.7).

use std::fmt;

/// The id of one message: unique, and sortable by the time at which it was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Takes 16 bytes, as RFC 9562 orders them.
    ///
    /// # Errors
    /// If version or variant are not those of a UUID version 7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, MessageIdError> {
        let uuid = uuid::Uuid::from_bytes(bytes);
        if uuid.get_variant() == uuid::Variant::RFC4122 && uuid.get_version_num() == 7 {
            Ok(Self(bytes))
        } else {
            Err(MessageIdError::NotVersion7)
        }
    }

    /// Reads the hyphenated text form.
    ///
    /// # Errors
    /// If it isn't one, or not of version 7.
    pub fn from_text(text: &str) -> Result<Self, MessageIdError> {
        let bytes = crate::decode::parse_uuid(text).ok_or(MessageIdError::NotUuid)?;
        Self::from_bytes(bytes)
    }

    /// Makes the id of a moment (milliseconds since the Unix epoch) and 10 random bytes, of which
    /// 74 bits are used.
    #[must_use]
    pub fn from_parts(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid().into_bytes())
    }

    /// The id `steps` further, as consecutive messages of one run have it.
    ///
    /// Whoever makes ids leaves room below the variant bits, so that they are not touched.
    #[must_use]
    pub fn advance(self, steps: u32) -> Self {
        Self((u128::from_be_bytes(self.0).wrapping_add(u128::from(steps))).to_be_bytes())
    }

    /// The 16 bytes, as RFC 9562 orders them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Appends the hyphenated text form, 36 bytes.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut text = [0; 36];
        let text = uuid::Uuid::from_bytes(self.0).hyphenated().encode_lower(&mut text);
        out.extend_from_slice(text.as_bytes());
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// Why bytes or a text are not a message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageIdError {
    /// Not a UUID at all.
    #[error("a message id is a UUID, like 01890a5d-ac96-774b-bcce-b302099a8057")]
    NotUuid,
    /// A UUID of another version or variant.
    #[error("a message id is a UUID of version 7 (RFC 9562), this is of another")]
    NotVersion7,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        // RFC 9562, appendix A.6.
        let text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        let id = MessageId::from_text(text).unwrap();
        assert_eq!(id.to_string(), text);
        let mut written = Vec::new();
        id.write_to(&mut written);
        assert_eq!(written, text.as_bytes());
        assert_eq!(MessageId::from_bytes(*id.as_bytes()), Ok(id));
    }

    #[test]
    fn other_versions_are_refused() {
        let v4 = "919108f7-52d1-4320-9bac-f847db4148a8";
        assert_eq!(MessageId::from_text(v4), Err(MessageIdError::NotVersion7));
        assert_eq!(MessageId::from_text("7"), Err(MessageIdError::NotUuid));
        assert_eq!(MessageId::from_bytes([0; 16]), Err(MessageIdError::NotVersion7));
    }

    #[test]
    fn advancing_keeps_version_and_order() {
        let id = MessageId::from_parts(1_700_000_000_000, &[0; 10]);
        let later = id.advance(u32::MAX);
        assert!(id < later);
        assert_eq!(later.to_string(), "018bcfe5-6800-7000-8000-0000ffffffff");
        assert!(MessageId::from_bytes(*later.as_bytes()).is_ok());
    }
}
