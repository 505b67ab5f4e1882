//! The book: what it believes of whom, and what it never believes.

use proptest::prelude::*;
use std::collections::BTreeSet;

use super::{NOW, card, device, draft, entry, node_draft, node_info, person};
use crate::limits::{DAY_MS, NODE_INFOS_MAX, STRANGERS_MAX};
use crate::{
    Book, CardNews, CardRefusal, Circle, CircleError, CircleRefusal, DeviceId, DeviceKeys, Fork,
    NodeRefusal, PersonId, PersonKey, Petname, Relation, Standing, TagSecret, day_of, tag,
};

const OWN: u8 = 1;
const FRIEND: u8 = 2;
const STRANGER: u8 = 3;

fn id(number: u8) -> PersonId {
    person(number).id()
}

fn at(number: u8) -> DeviceId {
    device(number).sign_id()
}

/// Own devices 10 and 11, a friend's 20 and 21, a stranger's 30.
fn book() -> Book {
    let mut book = Book::new(id(OWN));
    let befriend = |entry: &mut crate::CircleEntry| {
        entry.relation = Relation::Friend;
        entry.petname = Some(Petname::new("grace").unwrap());
    };
    book.update_circle(NOW, id(FRIEND), befriend).unwrap();
    for card in
        [card(OWN, NOW, &[10, 11]), card(FRIEND, NOW, &[20, 21]), card(STRANGER, NOW, &[30])]
    {
        assert!(book.accept_card(NOW, card).unwrap().is_first);
    }
    book
}

fn relate(book: &mut Book, number: u8, relation: Relation) {
    book.update_circle(NOW, id(number), |entry| entry.relation = relation).unwrap();
}

#[test]
fn standing_comes_from_signed_cards_and_the_circle_alone() {
    let mut book = book();
    let expected = |person, device| match (person, device) {
        (OWN, 10 | 11) => Standing::Own,
        (FRIEND, 20 | 21) => Standing::Friend,
        (STRANGER, 30) => Standing::Unknown,
        (4, _) => Standing::NoCard,
        _ => Standing::NotTheirs,
    };
    for person in [OWN, FRIEND, STRANGER, 4] {
        for device in [10, 11, 20, 21, 30, 40] {
            let standing = book.standing(&id(person), &at(device));
            assert_eq!(standing, expected(person, device), "{person} {device}");
        }
    }
    assert_eq!(book.owners(at(21)).collect::<Vec<_>>(), [id(FRIEND)]);
    relate(&mut book, FRIEND, Relation::Removed);
    assert_eq!(book.standing(&id(FRIEND), &at(20)), Standing::Unknown);
    relate(&mut book, STRANGER, Relation::Rejected);
    for device in [10, 30, 40] {
        assert_eq!(book.standing(&id(STRANGER), &at(device)), Standing::Rejected);
    }
    let newer = card(STRANGER, NOW + 1, &[30]);
    assert_eq!(book.accept_card(NOW, newer), Err(CardRefusal::Rejected));
    let info = node_info(STRANGER, 30, 1);
    assert_eq!(book.accept_node_info(NOW, info), Err(NodeRefusal::Rejected));
}

#[test]
fn cards_only_get_newer() {
    let mut book = book();
    let same = book.accept_card(NOW, card(FRIEND, NOW, &[20, 21])).unwrap();
    assert!(!same.is_new && !same.is_first && same.added.is_empty());
    let old = book.accept_card(NOW, card(FRIEND, NOW - 1, &[20]));
    assert_eq!(old, Err(CardRefusal::Old { have: NOW }));
    let version = NOW + DAY_MS + 1;
    let ahead = book.accept_card(NOW, card(FRIEND, version, &[20]));
    assert_eq!(ahead, Err(CardRefusal::Ahead { version }));
    assert!(book.accept_card(NOW + 1, card(FRIEND, version, &[20, 21])).is_ok());

    let mut book = self::book();
    let mut newer = draft(FRIEND, NOW + 1, &[21, 22]);
    newer.name = "Grace".to_owned();
    newer.devices[0].name = "desk".to_owned();
    let news = book.accept_card(NOW, newer.sign(&person(FRIEND)).unwrap()).unwrap();
    let expected = CardNews {
        person: id(FRIEND),
        is_new: true,
        is_first: false,
        added: vec![at(22)],
        removed: vec![at(20)],
        rekeyed: Vec::new(),
        still_revoked: Vec::new(),
        old_name: Some("Ada".to_owned()),
    };
    assert_eq!(news, expected);
    let again = DeviceKeys::from_seeds([21; 32], [99; 32]);
    let other_box = crate::CardDevice::signed(&again, id(FRIEND), [1; 32], "desk", NOW, true);
    let newest = book.card(&id(FRIEND)).unwrap().with_device(NOW, other_box);
    let news = book.accept_card(NOW, newest.sign(&person(FRIEND)).unwrap()).unwrap();
    assert_eq!((news.rekeyed, news.added), (vec![at(21)], Vec::new()));
}

#[test]
fn who_was_revoked_stays_so() {
    let mut book = book();
    book.accept_card(NOW, card(FRIEND, NOW + 1, &[21])).unwrap();
    assert_eq!(book.standing(&id(FRIEND), &at(20)), Standing::Revoked);
    let news = book.accept_card(NOW, card(FRIEND, NOW + 2, &[20, 21])).unwrap();
    assert_eq!((news.still_revoked, news.added), (vec![at(20)], Vec::new()));
    assert_eq!(book.standing(&id(FRIEND), &at(20)), Standing::Revoked);
    assert_eq!(book.standing(&id(FRIEND), &at(21)), Standing::Friend);
    let info = node_info(FRIEND, 20, 1);
    assert_eq!(book.accept_node_info(NOW, info), Err(NodeRefusal::Revoked));
    let known = book.person(&id(FRIEND)).unwrap();
    assert_eq!(known.devices().map(|device| device.sign_id).collect::<Vec<_>>(), [at(21)]);
    assert_eq!(book.owners(at(20)).count(), 0);
    // With it, it may not change the circle either.
    book.accept_card(NOW, card(OWN, NOW + 1, &[10])).unwrap();
    let circle = Circle::new(id(OWN)).signed_by(&device(11)).unwrap();
    assert_eq!(book.accept_circle(NOW, &circle), Err(CircleRefusal::MayNot));
}

#[test]
fn two_cards_of_one_version_freeze() {
    for number in [OWN, FRIEND, STRANGER] {
        let mut book = book();
        let (first, second) =
            (book.card(&id(number)).unwrap().hash(), card(number, NOW, &[30 + number]));
        let fork = Fork { version: NOW, first, second: second.hash() };
        assert_eq!(book.accept_card(NOW, second), Err(CardRefusal::Forked(fork)));
        for device in [10, 20, 30, 30 + number] {
            assert_eq!(book.standing(&id(number), &at(device)), Standing::Frozen);
        }
        let newer = card(number, NOW + 1, &[30 + number]);
        assert_eq!(book.accept_card(NOW, newer.clone()), Err(CardRefusal::Frozen));
        let info = node_info(number, 10 * number, 1);
        assert_eq!(book.accept_node_info(NOW, info), Err(NodeRefusal::Frozen));
        assert_eq!(book.person(&id(number)).unwrap().devices().count(), 0);
        assert!(!book.may_edit_circle(&at(10)) || number != OWN);

        assert!(book.thaw(&id(number)) && !book.thaw(&id(number)));
        assert_eq!(book.standing(&id(number), &at(10 * number)), Standing::NoCard);
        let old = book.accept_card(NOW, card(number, NOW, &[30 + number]));
        assert_eq!(old, Err(CardRefusal::Old { have: NOW }));
        assert!(book.accept_card(NOW, newer).unwrap().is_first);
    }
}

#[test]
fn a_node_info_counts_if_the_card_lists_the_device() {
    let mut book = book();
    let news = book.accept_node_info(NOW, node_info(FRIEND, 20, 5)).unwrap();
    assert!(news.is_new && news.is_first && news.has_moved && news.has_other_prekey);
    assert_eq!(book.accept_node_info(NOW, node_info(FRIEND, 20, 5)), Ok(Default::default()));
    assert_eq!(book.accept_node_info(NOW, node_info(FRIEND, 20, 4)), Err(NodeRefusal::Old));
    let mut other = node_draft(FRIEND, 20, 5);
    other.endpoints.clear();
    let other_same = other.sign(&device(20)).unwrap();
    assert_eq!(book.accept_node_info(NOW, other_same), Err(NodeRefusal::Old));
    other.seq = 6;
    let news = book.accept_node_info(NOW, other.sign(&device(20)).unwrap()).unwrap();
    assert!(news.is_new && !news.is_first && news.has_moved && !news.has_other_prekey);
    // A stranger's device says that it is a friend's, and a device with another box key.
    assert_eq!(book.accept_node_info(NOW, node_info(FRIEND, 30, 1)), Err(NodeRefusal::NotTheirs));
    let again = DeviceKeys::from_seeds([20; 32], [99; 32]);
    let mut other_box = node_draft(FRIEND, 20, 7);
    other_box.prekey = crate::Prekey::signed(&again, [1; 32], NOW);
    let other_box = other_box.sign(&again).unwrap();
    assert_eq!(book.accept_node_info(NOW, other_box), Err(NodeRefusal::OtherBox));
    assert_eq!(book.node(&id(FRIEND), &at(20)).unwrap().seq, 6);
    // Of somebody without a card anything is kept, until the card says what is right.
    for number in (100..).take(NODE_INFOS_MAX) {
        book.accept_node_info(NOW, node_info(4, number, 1)).unwrap();
    }
    assert_eq!(book.accept_node_info(NOW, node_info(4, 90, 1)), Err(NodeRefusal::TooMany));
    book.accept_card(NOW, card(4, NOW, &[90, 101])).unwrap();
    let nodes: Vec<_> = book.person(&id(4)).unwrap().nodes().map(|info| info.sign_id()).collect();
    assert_eq!(nodes, [at(101)]);
    book.accept_node_info(NOW, node_info(4, 90, 1)).unwrap();
}

#[test]
fn circles_of_own_devices_that_may_are_taken() {
    let mut book = book();
    let mut other = Circle::new(id(OWN));
    other.update(NOW + 5, id(FRIEND), |entry| entry.relation = Relation::Rejected).unwrap();
    let news = book.accept_circle(NOW, &other.signed_by(&device(11)).unwrap()).unwrap();
    let change = news.iter().map(|news| {
        (news.person, news.before.as_ref().map(|entry| entry.relation), news.after.relation)
    });
    let expected = [(id(FRIEND), Some(Relation::Friend), Relation::Rejected)];
    assert_eq!(change.collect::<Vec<_>>(), expected);
    assert_eq!(book.standing(&id(FRIEND), &at(20)), Standing::Rejected);
    let signed = other.signed_by(&device(11)).unwrap();
    assert_eq!(book.accept_circle(NOW, &signed), Ok(Vec::new()));

    for stranger in [20, 30, 12] {
        let signed = other.signed_by(&device(stranger)).unwrap();
        assert_eq!(book.accept_circle(NOW, &signed), Err(CircleRefusal::MayNot));
    }
    let theirs = Circle::new(id(FRIEND)).signed_by(&device(20)).unwrap();
    let refused = Err(CircleError::OtherPerson.into());
    assert_eq!(book.accept_circle(NOW, &theirs), refused);
    let far = NOW + DAY_MS + 1;
    let mut ahead = Circle::new(id(OWN));
    ahead.update(far, id(FRIEND), |entry| entry.relation = Relation::Friend).unwrap();
    let ahead = ahead.signed_by(&device(11)).unwrap();
    assert_eq!(book.accept_circle(NOW, &ahead), Err(CircleRefusal::Ahead));
    let mut reader = entry(12, id(OWN));
    reader.may_edit_circle = false;
    let with_reader = book.own_card().unwrap().with_device(NOW, reader);
    book.accept_card(NOW, with_reader.sign(&person(OWN)).unwrap()).unwrap();
    assert_eq!(book.standing(&id(OWN), &at(12)), Standing::Own);
    let signed = other.signed_by(&device(12)).unwrap();
    assert_eq!(book.accept_circle(NOW, &signed), Err(CircleRefusal::MayNot));
}

#[test]
fn tags_are_own_and_friends() {
    let mut book = book();
    let secrets = [5, 6, 7].map(|byte| TagSecret::new([byte; 32]));
    book.set_tag_secret(NOW, secrets[0].clone());
    for (number, secret) in [(FRIEND, &secrets[1]), (STRANGER, &secrets[2])] {
        let secret = Some(secret.clone());
        book.update_circle(NOW, id(number), |entry| entry.tag_secret = secret).unwrap();
    }
    let tags: Vec<_> = book.tags(NOW).collect();
    assert_eq!(tags.len(), 4 * 3);
    let today = tag(&secrets[1], day_of(NOW), at(21));
    assert!(tags.contains(&(today, id(FRIEND), at(21))));
    let other = tag(&secrets[2], day_of(NOW), at(30));
    assert!(tags.iter().all(|(tag, ..)| *tag != other));
}

#[test]
fn strangers_make_room_for_strangers_alone() {
    let mut book = book();
    relate(&mut book, STRANGER, Relation::Removed);
    let stranger = |number: usize| {
        let mut seed = [0xaa; 32];
        seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
        PersonKey::from_seed(seed)
    };
    for number in 0..STRANGERS_MAX + 2 {
        let mut info = node_draft(4, 40, 1);
        info.identity = stranger(number).id();
        let now = NOW + number as u64;
        book.accept_node_info(now, info.sign(&device(40)).unwrap()).unwrap();
    }
    assert_eq!(book.people().count(), STRANGERS_MAX + 3);
    assert!(book.person(&stranger(0).id()).is_none() && book.person(&stranger(1).id()).is_none());
    assert!(book.person(&stranger(2).id()).is_some());
    let changes = book.take_changes();
    let gone = changes.iter().filter(|change| change.value.is_none());
    assert_eq!(gone.count(), 2 * 3);
    assert_eq!(kept(&book, changes), book);
}

/// The book that these changes make, one after the other.
fn kept(book: &Book, changes: Vec<crate::Change>) -> Book {
    let records: Vec<_> = changes
        .into_iter()
        .filter_map(|change| {
            assert!(Book::is_record(&change.key) && !crate::InviteBook::is_record(&change.key));
            Some((change.key, change.value?))
        })
        .collect();
    let pairs = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    Book::load(book.own(), pairs).unwrap()
}

#[test]
fn what_was_kept_is_the_same_book() {
    let mut book = book();
    book.set_tag_secret(NOW, TagSecret::new([5; 32]));
    book.accept_card(NOW, card(FRIEND, NOW + 1, &[21, 22])).unwrap();
    book.accept_node_info(NOW + 7, node_info(FRIEND, 22, 9)).unwrap();
    assert!(book.accept_card(NOW, card(STRANGER, NOW, &[31])).is_err());
    let changes = book.take_changes();
    assert_eq!(book.take_changes(), []);
    for change in &changes {
        let Some(value) = &change.value else { continue };
        // Damaged, or in another place.
        let damaged = [(change.key.as_slice(), &value[1..])];
        assert!(Book::load(id(OWN), damaged).is_err());
        let mut key = change.key.clone();
        key.push(0);
        assert!(Book::load(id(OWN), [(key.as_slice(), value.as_slice())]).is_err());
        if change.key[0] != b'p' {
            let mut key = change.key.clone();
            *key.last_mut().unwrap() ^= 1;
            assert!(Book::load(id(OWN), [(key.as_slice(), value.as_slice())]).is_err());
        }
    }
    assert_eq!(kept(&book, changes), book);
}

proptest! {
    // Each case signs a dozen cards, which takes long without optimisation.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Cards of one person in any order: what was taken out never delivers again, versions only go
    /// up, and the book that is kept is the book.
    #[test]
    fn nothing_brings_a_device_back(
        steps in proptest::collection::vec(
            (0..6_u64, proptest::collection::btree_set(20..25_u8, 1..4)),
            1..12,
        ),
    ) {
        let mut book = Book::new(id(OWN));
        relate(&mut book, FRIEND, Relation::Friend);
        let (mut version, mut in_card, mut revoked) = (None, BTreeSet::new(), BTreeSet::new());
        let mut frozen = false;
        for (age, devices) in steps {
            let list: Vec<_> = devices.iter().copied().collect();
            let taken = book.accept_card(NOW, card(FRIEND, NOW + age, &list));
            if frozen {
                prop_assert_eq!(taken, Err(CardRefusal::Frozen));
            } else if version == Some(age) && in_card != devices {
                prop_assert!(matches!(taken, Err(CardRefusal::Forked(_))));
                frozen = true;
            } else if version.is_some_and(|version| age < version) {
                prop_assert!(matches!(taken, Err(CardRefusal::Old { .. })), "{:?}", taken);
            } else {
                prop_assert!(taken.is_ok());
                revoked.extend(in_card.difference(&devices).copied());
                (version, in_card) = (Some(age), devices);
            }
            for number in 20..25 {
                let expected = match number {
                    _ if frozen => Standing::Frozen,
                    _ if revoked.contains(&number) => Standing::Revoked,
                    _ if in_card.contains(&number) => Standing::Friend,
                    _ => Standing::NotTheirs,
                };
                prop_assert_eq!(book.standing(&id(FRIEND), &at(number)), expected);
            }
        }
        let changes = book.take_changes();
        prop_assert_eq!(kept(&book, changes), book);
    }
}
