//! What was not written for this device, in this lane, by that device, is refused, and refusing
//! changes nothing.

use super::world::{End, acquainted, pair, tag_of};
use crate::envelope::{DecryptError, Lane};

/// Holds that these bytes are refused, and that nothing of it stays.
fn refused(end: &mut End, from: &End, bytes: &[u8]) -> DecryptError {
    let before = end.disk.clone();
    let error = end.hear(from, bytes).unwrap_err();
    assert_eq!(before, end.disk);
    assert!(end.sessions.take_changes().is_empty());
    error
}

#[test]
fn every_flipped_byte_is_refused_and_the_message_still_opens() {
    let (mut a, mut b) = pair();
    for text in ["first", "second", "a third one, which is longer"] {
        let bytes = a.send(&b, text);
        for at in 0..bytes.len() {
            for bit in [1, 4, 0x80] {
                let mut wrong = bytes.clone();
                wrong[at] ^= bit;
                refused(&mut b, &a, &wrong);
            }
            refused(&mut b, &a, &bytes[..at]);
        }
        refused(&mut b, &a, &[&bytes[..], &[0]].concat());
        assert!(b.hears(&a, &bytes, text));
        let answer = b.send(&a, "go on");
        assert!(a.hears(&b, &answer, "go on"));
        let (tag, normal) = (tag_of(&answer), a.send(&b, "normal"));
        assert_eq!(tag, tag_of(&normal));
        assert!(b.hears(&a, &normal, "normal"));
    }
}

#[test]
fn a_session_can_be_opened_in_nobody_elses_name() {
    let ((mut a, mut b), mut c) = (pair(), End::new(3));
    let bytes = a.send(&b, "for b");
    // Not for c, and not from c.
    assert_eq!(refused(&mut c, &a, &bytes), DecryptError::UnknownPrekey);
    assert_eq!(refused(&mut b, &c, &bytes), DecryptError::OtherDevice);
    assert!(b.hears(&a, &bytes, "for b"));
    let answer = b.send(&a, "for a");
    assert_eq!(refused(&mut c, &b, &answer), DecryptError::UnknownSession);
    assert_eq!(refused(&mut a, &c, &answer), DecryptError::UnknownSession);
    assert!(a.hears(&b, &answer, "for a"));
}

#[test]
fn another_lane_takes_neither_first_nor_later_messages() {
    let (mut a, mut b) = pair();
    for text in ["first", "second"] {
        let bytes = a.send(&b, text);
        let (curve, before) = (a.account.curve_key(), b.disk.clone());
        for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Normal) {
            let opened = b.sessions.decrypt(&mut b.account, a.id, lane, &curve, &bytes);
            let is_first = tag_of(&bytes).is_none() && text == "first";
            let expected = match (is_first, tag_of(&bytes)) {
                (true, _) => DecryptError::OtherLane,
                (false, Some(_)) => DecryptError::UnknownSession,
                (false, None) => DecryptError::Repeated,
            };
            assert_eq!(opened.unwrap_err(), expected);
        }
        b.commit();
        assert_eq!(before, b.disk);
        assert!(b.hears(&a, &bytes, text));
    }
}

#[test]
fn a_copy_and_what_is_too_far_are_told_apart() {
    let (mut a, mut b) = acquainted();
    let bytes = a.send(&b, "once");
    assert!(b.hears(&a, &bytes, "once"));
    assert_eq!(refused(&mut b, &a, &bytes), DecryptError::KeyGone);
    let skipped: Vec<_> = (0..2_002).map(|_| a.send(&b, "skipped")).collect();
    assert_eq!(refused(&mut b, &a, skipped.last().unwrap()), DecryptError::TooFar);
    assert!(b.hears(&a, &skipped[1_999], "skipped"));
    // 40 keys are kept of those that were skipped.
    assert!(b.hears(&a, &skipped[1_959], "skipped"));
    assert_eq!(refused(&mut b, &a, &skipped[1_958]), DecryptError::KeyGone);
}

#[test]
fn nothing_but_such_bytes_is_looked_at() {
    let (mut b, a) = acquainted();
    for bytes in [&b""[..], &[0], &[1], &[2, 3, 4], &[1; 9], &[0; 200], &[3; 200]] {
        assert_eq!(refused(&mut b, &a, bytes), DecryptError::Malformed);
    }
}
