//! An invite, from a link that anybody may have made.
//!
//! An input is a link or the bytes of one. What is read keeps the limits, is the same as a link and
//! back, and lets join whoever proves its secret and nobody else, as often as it says. Nothing that
//! prints it prints the secret.

use crate::records::{are_addresses, device, is_harmless, is_name, read, records};
use data_encoding::BASE64URL_NOPAD;
use kith_people::{DeviceId, Domain, Invite, InviteBook, InviteDraft, InviteKind, JoinRefusal};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        match Invite::from_link(text) {
            Ok(invite) => assert_eq!(invite.to_link(), text.trim()),
            Err(error) => is_harmless(&error),
        }
    }
    for record in records(bytes, |body| device().sign(Domain::Invite, body)) {
        if let Some(invite) = read(&record, Invite::parse) {
            assert_eq!(invite.bytes(), record);
            holds(&invite);
            joining(&invite);
        }
    }
}

fn holds(invite: &Invite) {
    let link = format!("kith://join/{}", BASE64URL_NOPAD.encode(invite.bytes()));
    assert_eq!(invite.to_link(), link);
    assert_eq!(Invite::from_link(&link).as_ref(), Ok(invite));
    are_addresses(&invite.endpoints, 8, 128);
    are_addresses(&invite.relays, 2, 100);
    assert!((1..=100).contains(&invite.uses) && invite.expires < 1 << 53);
    if let InviteKind::Device { name, .. } = &invite.kind {
        is_name(name);
        assert_eq!((invite.uses, invite.identity()), (1, None));
    }
    assert!(format!("{invite:?}").contains("secret: InviteSecret(…)"));
    if (invite.device(), invite.box_id()) == (device().sign_id(), device().box_id()) {
        let draft: &InviteDraft = invite;
        let again = draft.sign(&device()).expect("what was read can be signed");
        assert_eq!(again.bytes()[64..], invite.bytes()[64..]);
    }
}

fn joining(invite: &Invite) {
    let Some(now) = invite.expires.checked_sub(1) else { return };
    let mut book = InviteBook::new();
    book.open(now, invite.clone()).expect("it is good for a moment");
    let joiners = (0..=invite.uses).map(|number| {
        let mut key = [0; 32];
        key[0] = u8::try_from(number).expect("100 at most");
        DeviceId::new(key)
    });
    for (before, joiner) in (0..).zip(joiners) {
        let proof = invite.proof(joiner);
        let other = DeviceId::new([0xff; 32]);
        assert_eq!(book.join(now, &invite.id, other, &proof), Err(JoinRefusal::Forged));
        let joined = book.join(now, &invite.id, joiner, &proof);
        if before == invite.uses {
            assert_eq!(joined, Err(JoinRefusal::UsedUp));
        } else {
            let joined = joined.expect("there are uses left");
            assert_eq!((joined.is_again, joined.uses_left), (false, invite.uses - before - 1));
            assert!(book.join(now, &invite.id, joiner, &proof).unwrap().is_again);
        }
    }
}
