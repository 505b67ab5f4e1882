//! A person's card, from anybody.
//!
//! What is read keeps the limits, has a signature of each of its devices, is the same when it is
//! written again, and nothing that it says gets its person more than a stranger's standing. A
//! second card of one version freezes them.

use crate::records::{NOW, are_addresses, is_harmless, is_name, person, read, reader, records};
use kith_people::{Book, Card, CardDraft, CardRefusal, DeviceId, Domain, Standing, verify};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    for record in records(bytes, |body| person().sign(Domain::Card, body)) {
        if let Some(card) = read(&record, Card::parse) {
            assert_eq!(card.bytes(), record);
            holds(&card);
            in_a_book(&card);
        }
    }
}

fn holds(card: &Card) {
    is_name(&card.name);
    are_addresses(&card.relays, 8, 100);
    assert!((1..=24).contains(&card.devices.len()) && card.extensions.len() <= 1024);
    assert!([card.version, card.created, card.flags].into_iter().all(|number| number < 1 << 53));
    for (at, device) in card.devices.iter().enumerate() {
        is_name(&device.name);
        assert_eq!(device.verify(card.identity), Ok(()));
        assert_eq!(card.device(&device.sign_id), Some(device));
        let others = card.devices.iter().skip(at + 1);
        others.for_each(|other| assert_ne!(other.box_id, device.box_id));
    }
    let (signature, body) = card.bytes().split_first_chunk::<64>().unwrap();
    let key = card.identity.as_bytes();
    assert_eq!(verify(key, Domain::Card, body, signature), Ok(()));
    let draft: &CardDraft = card;
    if card.identity == person().id() {
        // There is one form of what is said, and one signature of a key over it.
        let again = draft.sign(&person()).expect("what was read can be signed");
        assert_eq!(&again.bytes()[64..], body);
    }
}

fn in_a_book(card: &Card) {
    let (identity, version) = (card.identity, card.version);
    let devices: Vec<DeviceId> = card.devices.iter().map(|device| device.sign_id).collect();
    let mut book = Book::new(reader());
    let taken = book.accept_card(NOW, card.clone());
    let Ok(news) = taken else {
        assert_eq!(taken, Err(CardRefusal::Ahead { version }));
        is_harmless(&taken.unwrap_err());
        assert_eq!(book.standing(&identity, &devices[0]), Standing::NoCard);
        return;
    };
    assert!(news.is_new && news.is_first && news.added == devices && news.removed.is_empty());
    let standing = |book: &Book, device| book.standing(&identity, device);
    devices.iter().for_each(|device| assert_eq!(standing(&book, device), Standing::Unknown));
    assert_eq!(book.standing(&identity, &DeviceId::new([0; 32])), Standing::NotTheirs);
    assert!(!book.accept_card(NOW, card.clone()).unwrap().is_new);
    if identity == person().id() {
        let other = CardDraft { flags: card.flags ^ 1, ..(**card).clone() };
        let other = other.sign(&person()).expect("one flag more or less is no matter");
        assert!(matches!(book.accept_card(NOW, other), Err(CardRefusal::Forked(_))));
        devices.iter().for_each(|device| assert_eq!(standing(&book, device), Standing::Frozen));
    }
}
