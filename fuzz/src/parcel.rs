//! Parcels from other devices, and the notices in them.
//!
//! What is taken is written again as it came; a notice that is opened was signed by whom it says.
//! What stands in a notice is looked at without its signature too, which no fuzzer can make.

use kith_people::{DeviceId, DeviceKeys};
use kith_post::envelope::{Body, JoinAnswer, News, Parcel, fuzzing};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let (from, to) = (keys(1).sign_id(), keys(2).sign_id());
    match Parcel::parse(bytes) {
        Ok(parcel) => taken(bytes, &parcel, to),
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
    for (news, written) in fuzzing::news(bytes, from, to) {
        assert_eq!(written, bytes);
        if let News::Acks(acks) = news {
            let details = acks.iter().map(|ack| ack.detail.as_str());
            details.for_each(|detail| assert!(!detail.chars().any(char::is_control)));
        }
    }
    assert!(fuzzing::news(bytes, to, to).is_empty() || fuzzing::news(bytes, from, to).is_empty());
}

/// As the vectors have them.
pub(crate) fn keys(number: u8) -> DeviceKeys {
    DeviceKeys::from_seeds([number; 32], [number ^ 0x80; 32])
}

fn taken(bytes: &[u8], parcel: &Parcel, to: DeviceId) {
    assert_eq!(parcel.encode(), bytes);
    match &parcel.body {
        Body::Notice(notice) => {
            let opened = notice.open(parcel.from, to);
            // A signature is over one recipient.
            assert!(opened.is_err() || notice.open(parcel.from, parcel.from).is_err());
        }
        Body::Joined { answer: JoinAnswer::Refused(text), .. } => {
            assert!(!text.chars().any(char::is_control));
        }
        _ => {}
    }
}
