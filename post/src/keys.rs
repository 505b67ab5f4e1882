//! Where things are in the post's store.
//!
//! A key begins with a word of whom it is of; the rest is that part's own, and so is the value.

use kith_people::PersonId;

/// This device: its keys, whose it is, its name.
pub(crate) const ME: &[u8] = b"me";
/// The ratchet account.
pub(crate) const ACCOUNT: &[u8] = b"account";
/// What is known of people; the person whose book it is follows, and then the book's own keys.
pub(crate) const BOOK: &[u8] = b"book/";
/// Ratchets.
pub(crate) const ENVELOPES: &[u8] = b"ratchet/";
/// Ids of messages that have come.
pub(crate) const SEEN: &[u8] = b"seen/";
/// Invites that were given out.
pub(crate) const INVITES: &[u8] = b"invite/";
/// Messages that came in and were not handed to the bus; their number follows.
pub(crate) const MAIL: &[u8] = b"mail/";
/// Addresses that the user gave for a person; their identity key follows.
pub(crate) const ADDRESSES: &[u8] = b"at/";

/// What all keys of a person's book begin with.
pub(crate) fn book(person: PersonId) -> Vec<u8> {
    [BOOK, person.as_bytes()].concat()
}

/// Where a message that came in is kept.
pub(crate) fn mail_key(mail: u64) -> Vec<u8> {
    [MAIL, &mail.to_be_bytes()].concat()
}

/// The number of a message that came in.
pub(crate) fn mail_number(key: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(MAIL)?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}
