//! Notices: nobody but the device that signs can make one, and it holds for one device alone.

use super::samples::{id, keys, parcels};
use crate::envelope::{Ack, AckState, Body, Lane, News, Notice, NoticeError, Parcel};

fn notices() -> Vec<(Parcel, Notice)> {
    let notice = |parcel: Parcel| match &parcel.body {
        Body::Notice(notice) => Some((parcel.clone(), notice.clone())),
        _ => None,
    };
    parcels().into_iter().filter_map(|(_, parcel)| notice(parcel)).collect()
}

#[test]
fn a_notice_says_what_was_signed() {
    let (one, other) = (keys(1).sign_id(), keys(2).sign_id());
    for state in AckState::ALL {
        let detail = if state == AckState::Refused { "quota" } else { "" };
        let news = News::Acks(vec![Ack { message: id(1), state, detail: detail.into() }]);
        assert_eq!(Notice::sign(&news, &keys(1), other).open(one, other), Ok(news));
    }
    for lane in Lane::ALL {
        let news = News::Resend(vec![(id(1), lane), (id(2), lane)]);
        assert_eq!(Notice::sign(&news, &keys(1), other).open(one, other), Ok(news));
    }
    let news = News::Recall(Vec::new());
    assert_eq!(Notice::sign(&news, &keys(1), other).open(one, other), Ok(news));
}

#[test]
fn it_holds_between_two_devices_alone() {
    for (_, notice) in notices() {
        for from in 1..4 {
            for to in 1..4 {
                let opened = notice.open(keys(from).sign_id(), keys(to).sign_id());
                match (from, to) {
                    (1, 2) => assert!(opened.is_ok()),
                    (1, _) => assert_eq!(opened, Err(NoticeError::OtherRecipient)),
                    _ => assert_eq!(opened, Err(NoticeError::Signature)),
                }
            }
        }
    }
}

#[test]
fn it_can_be_turned_into_nothing_else() {
    let (one, other) = (keys(1).sign_id(), keys(2).sign_id());
    for ((parcel, _), step) in notices().into_iter().zip([1, 5, 5]) {
        let bytes = parcel.encode();
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let Ok(Parcel { body: Body::Notice(notice), from, .. }) = Parcel::parse(&changed)
            else {
                continue;
            };
            let opened = notice.open(from, other);
            // The parcel's own id is not part of it.
            let is_same = opened.is_ok() && from == one && changed[..37] == bytes[..37];
            assert!(opened.is_err() || is_same, "{at}");
        }
    }
}
