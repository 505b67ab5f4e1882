//! That a message is on the disk, as a value: without one, nobody is told "stored".
//!
//! It is made from what only the store gives: the receipt of a commit, or a record that was read
//! back from it.

use kith_store::{Receipt, Record};
use kith_wire::{Event, MessageId, RequestNumber};

/// Shows that something is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnDisk(());

impl OnDisk {
    pub(crate) fn by(_receipt: &Receipt) -> Self {
        Self(())
    }

    pub(crate) fn read(_record: &Record) -> Self {
        Self(())
    }
}

/// That an operation succeeded: the one place that makes such an answer.
pub(crate) fn succeeded(
    number: RequestNumber,
    message_id: Option<MessageId>,
    duplicate: bool,
    on_disk: Option<OnDisk>,
) -> Event<'static> {
    Event::Ok { number, message_id, duplicate, stored: on_disk.is_some() }
}
