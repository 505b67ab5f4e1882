//! What is written, and what survives a restart or a crash.

use super::world::{End, acquainted, pair, tag_of};
use crate::envelope::{Account, AccountError, DecryptError, EncryptError, Lane, PeerKeys};
use crate::envelope::{RecordError, Sessions};
use crate::limits::{OPENINGS_MAX, SESSION_RECORD_BYTES_MAX, SESSIONS_MAX};

#[test]
fn a_crash_before_the_commit_loses_nothing() {
    let (mut a, mut b) = acquainted();
    let (lane, keys) = (Lane::Normal, b.keys());
    let lost = a.sessions.encrypt(&a.account, b.id, lane, &keys, b"never left").unwrap();
    a.restart();
    let sent = a.send(&b, "sent");
    assert_eq!(tag_of(&lost), tag_of(&sent));
    let curve = a.account.curve_key();
    assert!(b.sessions.decrypt(&mut b.account, a.id, lane, &curve, &sent).is_ok());
    b.restart();
    assert!(b.hears(&a, &sent, "sent"));
}

#[test]
fn an_account_comes_back_with_both_prekeys() {
    let (a, mut b) = pair();
    let mut a_sends = |prekey| {
        let keys = PeerKeys { curve: b.account.curve_key(), prekey: Some(prekey) };
        let mut fresh = Sessions::new();
        let bytes = fresh.encrypt(&a.account, b.id, Lane::Normal, &keys, b"x").unwrap();
        b.account = Account::from_bytes(&b.account.to_bytes()).unwrap();
        let rotate = b.hear(&a, &bytes).map(|opened| opened.is_new_session);
        b.account.rotate_prekey();
        (rotate, b.account.prekey())
    };
    let first = a_sends([9; 32]);
    assert_eq!(first.0, Err(DecryptError::UnknownPrekey));
    let second = a_sends(first.1);
    // Now the first is the previous one.
    assert_eq!(a_sends(first.1).0, Ok(true));
    assert_eq!(second.0, Ok(true));
    // And now it is gone.
    assert_eq!(a_sends(first.1).0, Err(DecryptError::UnknownPrekey));

    b.account.rotate_prekey();
    let [now, before] = [b.account.prekey(), b.account.previous_prekey().unwrap()];
    assert!(b.account.has_prekey(&now) && b.account.has_prekey(&before));
    b.account.forget_previous_prekey();
    assert!(b.account.has_prekey(&now) && !b.account.has_prekey(&before));
    assert_eq!(Account::from_bytes(&[1; 33]).unwrap_err(), AccountError::Damaged);
    assert_eq!(Account::from_bytes(&[2; 34]).unwrap_err(), AccountError::Version(2));
}

#[test]
fn a_first_message_opens_once_as_long_as_its_prekey_lives() {
    let (mut a, mut b) = acquainted();
    a.sessions.renew(b.id, Lane::Normal);
    let first = a.send(&b, "first");
    assert!(b.hears(&a, &first, "first"));
    b.sessions.forget(a.id);
    b.commit();
    assert_eq!(b.session_keys(), Vec::<&Vec<u8>>::new());
    b.restart();
    assert_eq!(b.hear(&a, &first).unwrap_err(), DecryptError::Repeated);
    b.account.rotate_prekey();
    b.sessions.prekeys_changed(&b.account);
    assert_eq!(b.hear(&a, &first).unwrap_err(), DecryptError::Repeated);
    b.account.rotate_prekey();
    b.sessions.prekeys_changed(&b.account);
    assert_eq!(b.hear(&a, &first).unwrap_err(), DecryptError::UnknownPrekey);
    assert!(b.disk.is_empty() && b.sessions.devices().next().is_none());
}

#[test]
fn sessions_and_openings_are_bounded() {
    let (mut a, mut b) = pair();
    for _ in 0..OPENINGS_MAX {
        a.sessions.renew(b.id, Lane::Normal);
        let bytes = a.send(&b, "again");
        assert!(b.hears(&a, &bytes, "again"));
        assert!(a.session_keys().len() <= SESSIONS_MAX && b.session_keys().len() <= SESSIONS_MAX);
    }
    a.sessions.renew(b.id, Lane::Normal);
    let bytes = a.send(&b, "once more");
    assert_eq!(b.hear(&a, &bytes).unwrap_err(), DecryptError::TooManySessions);
    b.restart();
    assert_eq!(b.hear(&a, &bytes).unwrap_err(), DecryptError::TooManySessions);
    b.account.rotate_prekey();
    b.account.rotate_prekey();
    b.sessions.prekeys_changed(&b.account);
    a.sessions.renew(b.id, Lane::Normal);
    let bytes = a.send(&b, "and now");
    assert!(b.hears(&a, &bytes, "and now"));
}

#[test]
fn the_lane_realtime_leaves_no_session_on_the_disk() {
    let (mut a, mut b) = pair();
    let (lane, keys, curve) = (Lane::Realtime, b.keys(), a.account.curve_key());
    let bytes = a.sessions.encrypt(&a.account, b.id, lane, &keys, b"now").unwrap();
    assert!(b.sessions.decrypt(&mut b.account, a.id, lane, &curve, &bytes).is_ok());
    a.commit();
    b.commit();
    assert_eq!((a.disk.len(), b.disk.len(), b.session_keys().len()), (0, 1, 0));
    b.restart();
    let refused = b.sessions.decrypt(&mut b.account, a.id, lane, &curve, &bytes).unwrap_err();
    assert_eq!(refused, DecryptError::Repeated);
}

#[test]
fn without_a_session_a_prekey_is_needed() {
    let (mut a, mut b) = pair();
    let mut keys = PeerKeys { prekey: None, ..b.keys() };
    let sent = a.sessions.encrypt(&a.account, b.id, Lane::Bulk, &keys, b"");
    assert_eq!(sent, Err(EncryptError::NoPrekey));
    keys.prekey = Some([0; 32]);
    let sent = a.sessions.encrypt(&a.account, b.id, Lane::Bulk, &keys, b"");
    assert_eq!(sent, Err(EncryptError::WeakKey));
    assert!(a.sessions.take_changes().is_empty());
    keys.prekey = Some(b.account.prekey());
    a.sessions.encrypt(&a.account, b.id, Lane::Bulk, &keys, b"").unwrap();
    keys.prekey = None;
    assert!(a.sessions.encrypt(&a.account, b.id, Lane::Bulk, &keys, b"").is_ok());
    // A card with another ratchet key is another device as far as ratchets go.
    b.account = Account::new();
    keys.curve = b.account.curve_key();
    let sent = a.sessions.encrypt(&a.account, b.id, Lane::Bulk, &keys, b"");
    assert_eq!(sent, Err(EncryptError::NoPrekey));
}

#[test]
fn records_stay_far_below_their_bound() {
    let (mut a, mut b) = acquainted();
    for _ in 0..6 {
        let skipped: Vec<_> = (0..60).map(|_| a.send(&b, "x")).collect();
        assert!(b.hears(&a, skipped.last().unwrap(), "x"));
        let answer = b.send(&a, "y");
        assert!(a.hears(&b, &answer, "y"));
    }
    let largest = b.disk.values().map(Vec::len).max().unwrap();
    assert!((20_000..SESSION_RECORD_BYTES_MAX * 2 / 3).contains(&largest), "{largest}");
    b.restart();
    let answer = b.send(&a, "still here");
    assert!(a.hears(&b, &answer, "still here"));
}

#[test]
fn damaged_records_are_refused_and_never_taken_for_others() {
    let (_, b) = acquainted();
    let mut sessions = Sessions::new();
    assert_eq!(sessions.load(b"", b""), Err(RecordError::Key));
    assert_eq!(sessions.load(b"s123", b""), Err(RecordError::Key));
    for (key, value) in &b.disk {
        assert_eq!(sessions.load(key, &[]), Err(RecordError::Value));
        assert_eq!(sessions.load(key, &[9; 99]), Err(RecordError::Version(9)));
        assert_eq!(sessions.load(key, &value[..value.len() - 1]), Err(RecordError::Value));
        assert_eq!(sessions.load(&[key, &b"x"[..]].concat(), value), Err(RecordError::Key));
        let mut other = key.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(sessions.load(&other, value).is_ok(), key.first() == Some(&b'o'));
    }
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let End { account, mut sessions, .. } = acquainted().0;
    let (_, mut changes) = (sessions.renew(End::new(2).id, Lane::Normal), sessions.take_changes());
    let shown = format!("{account:?} {sessions:?} {:?}", changes.pop().unwrap());
    assert!(!shown.contains("root_key") && shown.len() < 600, "{shown}");
}
