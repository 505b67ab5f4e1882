//! A record as the backend keeps it: the caller's value with a seal before it.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version of this format, 1 |
//! | 4 | CRC-32 (IEEE 802.3), little-endian, of what the next line names |
//! | 8 | sequence of the commit that wrote it, little-endian |
//! | n | the value |
//!
//! The checksum is over the version, the length of the key in 4 bytes, the sequence, the key and
//! the value. With the key in it, a value that turns up under another key is found out; with the
//! key's length, bytes can't wander between the two. It is against accidents, not against people:
//! whoever can write the files can compute it too.

use crc32fast::Hasher;

/// What every sealed value begins with.
const VERSION: u8 = 1;

/// The bytes of the seal.
pub(crate) const SEAL_BYTES: usize = 13;

/// Writes the sealed value of a record to the end of `into`.
pub(crate) fn seal(key: &[u8], sequence: u64, value: &[u8], into: &mut Vec<u8>) {
    into.reserve(SEAL_BYTES.saturating_add(value.len()));
    into.push(VERSION);
    into.extend(checksum(VERSION, key, sequence, value).to_le_bytes());
    into.extend(sequence.to_le_bytes());
    into.extend(value);
}

/// A seal that was found whole: the sequence and the value.
pub(crate) type Unsealed<'a> = (u64, &'a [u8]);

/// Checks the sealed value of a record whose sequence may be at most `head`.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn unseal<'a>(key: &[u8], sealed: &'a [u8], head: u64) -> Result<Unsealed<'a>, String> {
    let short = || format!("{} bytes are too few for a record", sealed.len());
    let (version, rest) = sealed.split_first().ok_or_else(short)?;
    let (sum, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (sequence, value) = rest.split_first_chunk().ok_or_else(short)?;
    let sequence = u64::from_le_bytes(*sequence);
    if u32::from_le_bytes(*sum) != checksum(*version, key, sequence, value) {
        return Err("its checksum is wrong".to_owned());
    }
    if *version != VERSION {
        return Err(format!("its format is {version}, and this version knows {VERSION}"));
    }
    if sequence > head {
        return Err(format!("it is of commit {sequence}, and the last one was {head}"));
    }
    Ok((sequence, value))
}

fn checksum(version: u8, key: &[u8], sequence: u64, value: &[u8]) -> u32 {
    // Longer keys are refused before they get here.
    let key_bytes = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hasher = Hasher::new();
    hasher.update(&[version]);
    hasher.update(&key_bytes.to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}
