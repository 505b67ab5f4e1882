//! What calls hold that no program's task has taken up yet: bytes, and open files.
//!
//! Both are counted for each program and for all of them: a call may bring descriptors, of which a
//! process may have only so many, whatever they are worth in bytes.

use crate::limits::{
    DBUS_CALLS_BYTES_MAX, DBUS_CALLS_BYTES_TOTAL_MAX, DBUS_CALLS_FILES_MAX,
    DBUS_CALLS_FILES_TOTAL_MAX, DBUS_MESSAGE_OVERHEAD_BYTES,
};
use zbus::Message;

/// What some calls hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    bytes: usize,
    files: usize,
}

impl Held {
    /// What one call holds.
    pub(super) fn by(call: &Message) -> Self {
        let data = call.data();
        Self { bytes: data.len() + DBUS_MESSAGE_OVERHEAD_BYTES, files: data.fds().len() }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, files: self.files + other.files }
    }

    /// Without the other, which is part of this.
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            files: self.files.saturating_sub(other.files),
        }
    }

    /// Whether one program may hold so much.
    pub(super) fn fits_one(self) -> bool {
        self.bytes <= DBUS_CALLS_BYTES_MAX && self.files <= DBUS_CALLS_FILES_MAX
    }

    /// Whether all of them together may.
    pub(super) fn fits_all(self) -> bool {
        self.bytes <= DBUS_CALLS_BYTES_TOTAL_MAX && self.files <= DBUS_CALLS_FILES_TOTAL_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_files_count_each_for_themselves() {
        let one = Held { bytes: 1000, files: 1 };
        let sum = |count: usize| (0..count).fold(Held::default(), |sum, _| sum.plus(one));
        assert!(sum(DBUS_CALLS_FILES_MAX).fits_one());
        assert!(!sum(DBUS_CALLS_FILES_MAX + 1).fits_one());
        assert!(sum(DBUS_CALLS_FILES_TOTAL_MAX).fits_all());
        assert!(!sum(DBUS_CALLS_FILES_TOTAL_MAX + 1).fits_all());
        assert!(!Held { bytes: DBUS_CALLS_BYTES_MAX + 1, files: 0 }.fits_one());
        assert_eq!(sum(3).minus(one), sum(2));
        assert_eq!(one.minus(sum(2)), Held::default());
    }
}
