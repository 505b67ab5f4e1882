//! What the targets of people's records have in common: keys, and what holds for any record.
//!
//! Behind a signature that holds, a fuzzer finds nothing by itself. So each input is read as it is,
//! and once more with a signature that holds: made over its body, by the keys that the records of
//! the corpus name. What is wrong with a body then shows by itself.

use kith_people::{DeviceKeys, PersonId, PersonKey, RecordError};

/// A time to which nothing in the records is close enough to matter.
pub(crate) const NOW: u64 = 1_763_800_000_000;

/// The length of a signature.
const SIGNATURE: usize = 64;

/// The person of the corpora.
pub(crate) fn person() -> PersonKey {
    PersonKey::from_seed([1; 32])
}

/// The device of the corpora.
pub(crate) fn device() -> DeviceKeys {
    DeviceKeys::from_seeds([10; 32], [10 ^ 0x80; 32])
}

/// Somebody else: whose book the records come into.
pub(crate) fn reader() -> PersonId {
    PersonKey::from_seed([99; 32]).id()
}

/// The records that an input is: as it came, and signed anew.
pub(crate) fn records(bytes: &[u8], sign: impl Fn(&[u8]) -> [u8; SIGNATURE]) -> Vec<Vec<u8>> {
    let mut records = vec![bytes.to_vec()];
    if let Some((_, body)) = bytes.split_at_checked(SIGNATURE) {
        records.push([sign(body).as_slice(), body].concat());
    }
    records
}

/// What was read, if it was; a refusal says why, in words that move no cursor.
pub(crate) fn read<T>(record: &[u8], parse: fn(&[u8]) -> Result<T, RecordError>) -> Option<T> {
    match parse(record) {
        Ok(read) => {
            // Whatever is cut off or put on, is no record any more.
            assert!(parse(&record[..record.len() - 1]).is_err());
            assert!(parse(&[record, &[0]].concat()).is_err());
            Some(read)
        }
        Err(error) => {
            is_harmless(&error);
            None
        }
    }
}

/// Holds that what is said can be shown.
pub(crate) fn is_harmless(said: &dyn std::fmt::Display) {
    let said = said.to_string();
    assert!(!said.is_empty() && !said.contains(char::is_control), "{said:?}");
    assert!(said.len() < 1000, "{said:?}");
}

/// A text that people see.
pub(crate) fn is_name(text: &str) {
    assert!(text.len() <= 64 && !text.contains(char::is_control), "{text:?}");
}

/// Addresses of a record.
pub(crate) fn are_addresses(addresses: &[String], count: usize, bytes: usize) {
    assert!(addresses.len() <= count, "{addresses:?}");
    for address in addresses {
        let has_gap = address.contains(|c: char| c.is_control() || c.is_whitespace());
        assert!(!address.is_empty() && address.len() <= bytes && !has_gap, "{address:?}");
    }
}
