//! What the record in a hello proves, beside the key that TLS has proved.
//!
//! A NodeInfo is signed by its device, and names the key that the device shows in TLS. So whoever
//! shows a record has the device's word for its key, and whoever shows another's record lacks the
//! key: only both together say who is there.

use crate::hello::Hello;
use crate::limits::RECORD_LATE_MS;
use kith_people::{NodeInfo, RecordError};
use kith_plugins_api::Moment;
use kith_plugins_api::contract::Key;

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The sign key of the device.
    pub device: Key,
    /// The number of its record.
    pub seq: u64,
    /// Its hello.
    pub hello: Hello,
}

/// Why a hello does not say who is there.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// It is no NodeInfo, or its signature is wrong.
    #[error("its record: {0}")]
    Record(#[from] RecordError),
    /// The record is of a device with another key, or with none.
    #[error("its record names another key than TLS has shown")]
    OtherKey,
    /// It is too old.
    #[error("its record has been out of date since {0}")]
    Expired(u64),
    /// It is of another device than before on this link.
    #[error("its record is of another device than before")]
    OtherDevice,
}

/// Who has shown this hello on a connection on which TLS has proved this key.
///
/// # Errors
/// If it proves nothing.
pub fn shown(hello: Hello, proved: &Key, now: Moment) -> Result<Shown, NotShown> {
    let record = NodeInfo::parse(&hello.record)?;
    if record.tls_key.as_ref() != Some(proved) {
        return Err(NotShown::OtherKey);
    }
    if record.expires.saturating_add(RECORD_LATE_MS) <= now.unix_ms() {
        return Err(NotShown::Expired(record.expires));
    }
    Ok(Shown { device: *record.sign_id().as_bytes(), seq: record.seq, hello })
}
