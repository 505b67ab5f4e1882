//! Invites: by link and back, and who may use one, how often and how late.

use proptest::prelude::*;

use super::{NOW, device, person};
use crate::limits::{DAY_MS, INVITE_BYTES_MAX, INVITE_LIFE_MS, INVITES_MAX, NUMBER_MAX};
use crate::{
    Invite, InviteBook, InviteDraft, InviteExpired, InviteKind, InviteRefusal, InviteSecret,
    JoinRefusal, LinkError, RecordError,
};

pub(crate) fn invite_draft(number: u8, uses: u64) -> InviteDraft {
    InviteDraft {
        kind: InviteKind::Friend { identity: person(1).id() },
        tls_key: Some([9; 32]),
        endpoints: vec!["192.0.2.7:4711".to_owned()],
        relays: Vec::new(),
        id: [number; 16],
        secret: InviteSecret::new([number ^ 0xff; 16]),
        expires: NOW + DAY_MS,
        uses,
    }
}

fn invite(number: u8, uses: u64) -> Invite {
    invite_draft(number, uses).sign(&device(10)).unwrap()
}

#[test]
fn links_bring_back_the_invite() {
    let friend = invite(1, 3);
    let link = friend.to_link();
    assert!(link.starts_with("kith://join/"), "{link}");
    assert_eq!(Invite::from_link(&format!(" {link}\n")), Ok(friend.clone()));
    assert_eq!((friend.identity(), friend.device()), (Some(person(1).id()), device(10).sign_id()));
    let mut new = invite_draft(2, 1);
    new.kind = InviteKind::Device { ratchet_key: [4; 32], name: "phone".to_owned() };
    new.tls_key = None;
    let new = new.sign(&device(11)).unwrap();
    assert_eq!(Invite::from_link(&new.to_link()), Ok(new.clone()));
    assert_eq!((new.identity(), new.box_id()), (None, device(11).box_id()));

    assert_eq!(Invite::from_link("https://example.org/"), Err(LinkError::Form));
    assert_eq!(Invite::from_link(&format!("{link}=")), Err(LinkError::Damaged));
    for at in ("kith://join/".len()..link.len()).step_by(7) {
        let mut changed = link.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(Invite::from_link(str::from_utf8(&changed).unwrap()).is_err(), "at {at}");
        assert!(Invite::from_link(&link[..at]).is_err(), "at {at}");
    }
    let long = format!("kith://join/{}", "A".repeat(1 << 20));
    let max = INVITE_BYTES_MAX;
    assert_eq!(Invite::from_link(&long), Err(RecordError::TooLarge { max }.into()));
    for text in [format!("{friend:?}"), format!("{:?}", InviteBook::new())] {
        assert!(!text.contains("secret: ["), "{text}");
    }
}

#[test]
fn the_largest_invite_fits_and_what_is_more_is_refused() {
    let mut largest = invite_draft(1, 1);
    largest.kind = InviteKind::Device { ratchet_key: [4; 32], name: "n".repeat(64) };
    largest.endpoints = vec!["e".repeat(53); 8];
    largest.endpoints[0] += "eeee";
    largest.relays = vec!["r".repeat(100); 2];
    largest.expires = NUMBER_MAX;
    let signed = largest.sign(&device(10)).unwrap();
    assert!(signed.bytes().len() <= INVITE_BYTES_MAX);
    assert_eq!(Invite::parse(signed.bytes()), Ok(signed));
    for uses in [0, 2] {
        largest.uses = uses;
        assert!(largest.sign(&device(10)).is_err());
    }
    assert!(invite_draft(1, 100).sign(&device(10)).is_ok());
    assert!(invite_draft(1, 101).sign(&device(10)).is_err());
}

#[test]
fn whoever_proves_the_secret_joins_in_time_and_while_there_are_uses() {
    let mut book = InviteBook::new();
    let one = invite(1, 2);
    let (first, second, third) = (device(20).sign_id(), device(21).sign_id(), device(22).sign_id());
    let id = one.id;
    assert_eq!(book.join(NOW, &id, first, &one.proof(first)), Err(JoinRefusal::Unknown));
    book.open(NOW, one.clone()).unwrap();
    assert_eq!(book.open(NOW, one.clone()), Err(InviteRefusal::Twice));

    // Another's proof, one of another invite, and one by another secret.
    let another = invite(2, 2);
    let mut guess = invite_draft(1, 2);
    guess.secret = InviteSecret::new([0; 16]);
    let guess = guess.sign(&device(10)).unwrap();
    for proof in [one.proof(second), another.proof(first), guess.proof(first), [0; 32]] {
        assert_eq!(book.join(NOW, &id, first, &proof), Err(JoinRefusal::Forged));
    }
    let joined = book.join(NOW, &id, first, &one.proof(first)).unwrap();
    assert_eq!((joined.is_again, joined.uses_left), (false, 1));
    // Again, and replayed by another.
    let joined = book.join(NOW, &id, first, &one.proof(first)).unwrap();
    assert_eq!((joined.is_again, joined.uses_left), (true, 1));
    assert_eq!(book.join(NOW, &id, third, &one.proof(first)), Err(JoinRefusal::Forged));
    assert_eq!(book.join(NOW, &id, second, &one.proof(second)).unwrap().uses_left, 0);
    assert_eq!(book.invites(NOW).count(), 0);
    assert_eq!(book.join(NOW, &id, third, &one.proof(third)), Err(JoinRefusal::UsedUp));

    let late = NOW + DAY_MS;
    assert_eq!(one.check(late), Err(InviteExpired));
    assert!(book.join(late, &id, first, &one.proof(first)).unwrap().is_again);
    assert_eq!(book.join(late, &id, third, &one.proof(third)), Err(JoinRefusal::Expired));
    let forgotten = late + DAY_MS;
    assert_eq!(book.join(forgotten, &id, first, &one.proof(first)), Err(JoinRefusal::Unknown));
}

#[test]
fn invites_are_bounded_kept_and_taken_back() {
    let mut book = InviteBook::new();
    let mut long = invite_draft(1, 1);
    long.expires = NOW + INVITE_LIFE_MS + 2 * DAY_MS;
    let long = long.sign(&device(10)).unwrap();
    assert_eq!(book.open(NOW, long), Err(InviteRefusal::TooLong));
    assert_eq!(book.open(NOW + DAY_MS, invite(1, 1)), Err(InviteRefusal::Expired));
    for number in (0..).take(INVITES_MAX) {
        book.open(NOW, invite(number, 1)).unwrap();
    }
    assert_eq!(book.open(NOW, invite(200, 1)), Err(InviteRefusal::TooMany));
    assert!(book.close(&[0; 16]) && !book.close(&[0; 16]));
    book.open(NOW, invite(200, 1)).unwrap();

    let joiner = device(20).sign_id();
    book.join(NOW, &[200; 16], joiner, &invite(200, 1).proof(joiner)).unwrap();
    let mut again = InviteBook::new();
    for change in book.take_changes() {
        assert!(InviteBook::is_record(&change.key));
        if let Some(value) = change.value {
            again.load(&change.key, &value).unwrap();
            assert!(InviteBook::new().load(b"i", &value).is_err());
            assert!(InviteBook::new().load(&change.key, &value[1..]).is_err());
        }
    }
    assert_eq!(again, book);
    assert_eq!(book.take_changes(), []);
    // All of them are over and forgotten when the next one is opened.
    let later = NOW + 3 * DAY_MS;
    book.sweep(later);
    assert_eq!(book.take_changes().len(), INVITES_MAX);
    assert_eq!(book, InviteBook::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_invite_is_never_used_more_often_than_it_says(
        uses in 1..5_u64,
        steps in proptest::collection::vec((0..8_u8, 0..8_u8, 0..4_u64), 0..60),
    ) {
        let one = invite(1, uses);
        let devices: Vec<_> = (0..8).map(|number| device(number).sign_id()).collect();
        let mut book = InviteBook::new();
        book.open(NOW, one.clone()).unwrap();
        let mut joined = std::collections::BTreeSet::new();
        let mut now = NOW;
        for (joiner, prover, hours) in steps {
            now += hours * 3_600_000;
            let joining = devices[usize::from(joiner)];
            let proof = one.proof(devices[usize::from(prover)]);
            let answer = book.join(now, &one.id, joining, &proof);
            let is_known = now < one.expires + DAY_MS;
            let is_new = now < one.expires && (joined.len() as u64) < uses;
            let may = is_known && joiner == prover && (joined.contains(&joiner) || is_new);
            prop_assert_eq!(answer.is_ok(), may, "{:?}", answer);
            if let Ok(answer) = answer {
                prop_assert_eq!(answer.is_again, !joined.insert(joiner));
                prop_assert_eq!(answer.uses_left, uses - joined.len() as u64);
            }
        }
    }
}
