//! Cards and NodeInfos: what is written is read as the same, and nothing else is read.

use proptest::prelude::*;

use super::{NOW, card, device, draft, entry, node_draft, node_info, person};
use crate::limits::{
    CARD_BYTES_MAX, CARD_RELAYS_MAX, DEVICES_MAX, ENDPOINTS_BYTES_MAX, ENDPOINTS_MAX,
    EXTENSIONS_BYTES_MAX, NAME_BYTES_MAX, NODE_INFO_BYTES_MAX, NODE_RELAYS_MAX, NUMBER_MAX,
    RELAY_BYTES_MAX,
};
use crate::{
    Card, CardDevice, CardDraft, Domain, Fault, NodeInfo, NodeInfoDraft, Prekey, RecordError,
    fitting_endpoints,
};

/// A card with this body, signed by person 1 whatever the body says.
fn signed(body: &[u8]) -> Vec<u8> {
    [person(1).sign(Domain::Card, body).as_slice(), body].concat()
}

#[test]
fn what_is_signed_is_read_as_the_same() {
    let one = card(1, NOW, &[10, 11]);
    let read = Card::parse(one.bytes()).unwrap();
    assert_eq!(read, one);
    assert_eq!((read.hash(), read.bytes()), (one.hash(), one.bytes()));
    assert_eq!(read.device(&device(11).sign_id()), one.devices.get(1));
    assert_eq!(read.device(&device(12).sign_id()), None);
    let mut more = draft(1, NOW, &[10]);
    more.relays = vec!["relay.example:4711".to_owned()];
    more.extensions = vec![0xff; 7];
    let more = more.sign(&person(1)).unwrap();
    assert_eq!(Card::parse(more.bytes()).unwrap(), more);

    let info = node_info(1, 10, 7);
    assert_eq!(NodeInfo::parse(info.bytes()).unwrap(), info);
    let mut bare = node_draft(1, 10, 7);
    (bare.tls_key, bare.endpoints) = (None, Vec::new());
    let bare = bare.sign(&device(10)).unwrap();
    assert_eq!(NodeInfo::parse(bare.bytes()).unwrap(), bare);
    assert_eq!((bare.sign_id(), bare.box_id()), (device(10).sign_id(), device(10).box_id()));
}

#[test]
fn what_was_signed_can_not_be_changed() {
    let one = card(1, NOW, &[10]);
    let info = node_info(1, 10, 7);
    for (bytes, is_read) in [
        (one.bytes(), (|bytes: &[u8]| Card::parse(bytes).is_ok()) as fn(&[u8]) -> bool),
        (info.bytes(), |bytes: &[u8]| NodeInfo::parse(bytes).is_ok()),
    ] {
        assert!(is_read(bytes));
        for at in (0..bytes.len()).filter(|at| *at < 80 || at % 3 == 0) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << (at % 8);
            assert!(!is_read(&changed), "byte {at} may be anything");
            assert!(!is_read(&bytes[..at]), "the first {at} bytes will do");
        }
        assert!(!is_read(&[bytes, &[0]].concat()));
    }
}

#[test]
fn another_form_of_the_same_is_refused() {
    let bytes = card(1, NOW, &[10]).bytes().to_vec();
    let body = &bytes[64..];
    assert!(Card::parse(&signed(body)).is_ok());
    // The version of the form, 1, in two bytes.
    let long = [&body[..2], &[0x18, 0x01], &body[3..]].concat();
    assert_eq!(Card::parse(&signed(&long)), Err(RecordError::NotDeterministic));
    // A map whose length is not given in advance.
    let open = [&[0xbf], &body[1..], &[0xff]].concat();
    assert!(Card::parse(&signed(&open)).is_err());
    let version = [&body[..2], &[0x02], &body[3..]].concat();
    assert_eq!(Card::parse(&signed(&version)), Err(RecordError::UnknownVersion(2)));
    // One field more, unknown or for the second time.
    for key in [0x08, 0x09] {
        let more = [&[0xaa], &body[1..], &[key, 0x40]].concat();
        let refused = Card::parse(&signed(&more));
        assert_eq!(refused, Err(RecordError::UnknownField { after: "extensions" }));
    }
    // One field less.
    let less = [&[0xa8], &body[1..body.len() - 2]].concat();
    let missing = RecordError::Field { field: "extensions", fault: Fault::Missing };
    assert_eq!(Card::parse(&signed(&less)), Err(missing));
    assert_eq!(Card::parse(&signed(&[body, &[0]].concat())), Err(RecordError::Trailing));
    assert_eq!(Card::parse(&[0; 63]), Err(RecordError::TooShort));
    let large = vec![0; CARD_BYTES_MAX + 1];
    assert_eq!(Card::parse(&large), Err(RecordError::TooLarge { max: CARD_BYTES_MAX }));
    // A length that claims the world.
    let claim = [&body[..1], &[0x00, 0x01, 0x01, 0x5b], [0xff; 8].as_slice()].concat();
    assert!(Card::parse(&signed(&claim)).is_err());
}

#[test]
fn nobody_lists_the_keys_of_another() {
    let (own, other) = (person(1).id(), person(2).id());
    let refused = |devices: Vec<CardDevice>| {
        let mut draft = draft(1, NOW, &[10]);
        draft.devices = devices;
        let error = draft.sign(&person(1)).unwrap_err();
        // Whoever signs it all the same is not believed.
        assert_eq!(Card::parse(&signed(&body(&draft))), Err(error.clone()));
        error
    };
    let theirs = entry(20, other);
    let stolen = refused(vec![entry(10, own), theirs.clone()]);
    assert_eq!(stolen, RecordError::DeviceSignature(theirs.sign_id));
    let mine = entry(10, own);
    for changed in [
        CardDevice { box_id: theirs.box_id, ..mine.clone() },
        CardDevice { ratchet_key: theirs.ratchet_key, ..mine.clone() },
        CardDevice { sign_id: theirs.sign_id, ..mine.clone() },
        CardDevice { signature: theirs.signature, ..mine.clone() },
    ] {
        let sign_id = changed.sign_id;
        assert_eq!(refused(vec![changed]), RecordError::DeviceSignature(sign_id));
    }
    let twice = refused(vec![mine.clone(), mine.clone()]);
    assert_eq!(twice, RecordError::DeviceTwice(mine.sign_id));
    assert_eq!(refused(Vec::new()), RecordError::LastDevice);
    assert_eq!(draft(1, NOW, &[10]).sign(&person(2)), Err(RecordError::OtherKey));
    // Person 2 signs a card in the name of person 1.
    let body = body(&draft(1, NOW, &[10]));
    let forged = [person(2).sign(Domain::Card, &body).as_slice(), &body].concat();
    assert_eq!(Card::parse(&forged), Err(RecordError::Signature));
}

/// The body of a draft that `sign` would refuse.
fn body(draft: &CardDraft) -> Vec<u8> {
    draft.body()
}

#[test]
fn a_prekey_is_of_its_device() {
    let mut draft = node_draft(1, 10, 7);
    let stolen = RecordError::DeviceSignature(device(10).sign_id());
    draft.prekey = Prekey::signed(&device(11), [9; 32], NOW);
    assert_eq!(draft.sign(&device(10)), Err(stolen.clone()));
    draft.prekey = Prekey { expires: NOW + 1, ..Prekey::signed(&device(10), [9; 32], NOW) };
    assert_eq!(draft.sign(&device(10)), Err(stolen));
}

#[test]
fn what_is_too_much_is_refused() {
    let wrong = |field, fault| RecordError::Field { field, fault };
    let sign = |change: fn(&mut CardDraft)| {
        let mut draft = draft(1, NOW, &[10]);
        change(&mut draft);
        let error = draft.sign(&person(1)).unwrap_err();
        assert_eq!(Card::parse(&signed(&body(&draft))), Err(error.clone()));
        error
    };
    let max = NAME_BYTES_MAX;
    assert_eq!(sign(|card| card.name = "a".repeat(65)), wrong("name", Fault::TooLong { max }));
    assert_eq!(sign(|card| card.name = "a\nb".into()), wrong("name", Fault::Character));
    assert_eq!(sign(|card| card.relays = vec![" ".into()]), wrong("relays", Fault::Character));
    assert_eq!(sign(|card| card.relays = vec![String::new()]), wrong("relays", Fault::Empty));
    let max = CARD_RELAYS_MAX;
    let many = sign(|card| card.relays = vec!["a".into(); 9]);
    assert_eq!(many, wrong("relays", Fault::TooMany { max }));
    let max = NUMBER_MAX;
    assert_eq!(sign(|card| card.version = 1 << 53), wrong("version", Fault::TooLarge { max }));
    let max = DEVICES_MAX;
    let many = sign(|card| card.devices = vec![card.devices[0].clone(); 25]);
    assert_eq!(many, wrong("devices", Fault::TooMany { max }));

    let mut info = node_draft(1, 10, 7);
    info.endpoints = vec!["a".repeat(61); 7];
    info.endpoints.push("b".into());
    assert!(info.sign(&device(10)).is_ok());
    info.endpoints[7].push('b');
    let max = ENDPOINTS_BYTES_MAX;
    assert_eq!(info.sign(&device(10)), Err(wrong("endpoints", Fault::TooLong { max })));
}

#[test]
fn the_largest_records_fit() {
    let identity = person(1).id();
    let mut largest = draft(1, NUMBER_MAX, &[]);
    (largest.created, largest.flags) = (NUMBER_MAX, NUMBER_MAX);
    largest.name = "n".repeat(NAME_BYTES_MAX);
    largest.relays = vec!["r".repeat(RELAY_BYTES_MAX); CARD_RELAYS_MAX];
    largest.extensions = vec![1; EXTENSIONS_BYTES_MAX];
    for number in 0..24 {
        let keys = device(number);
        let name = "d".repeat(NAME_BYTES_MAX);
        let ratchet = [number; 32];
        let one = CardDevice::signed(&keys, identity, ratchet, &name, NUMBER_MAX, true);
        largest.devices.push(one);
    }
    let largest = largest.sign(&person(1)).unwrap();
    assert!(largest.bytes().len() <= CARD_BYTES_MAX, "{}", largest.bytes().len());
    assert_eq!(Card::parse(largest.bytes()).unwrap(), largest);

    let mut info = node_draft(1, 10, NUMBER_MAX);
    info.expires = NUMBER_MAX;
    info.prekey = Prekey::signed(&device(10), [1; 32], NUMBER_MAX);
    info.relays = vec!["r".repeat(RELAY_BYTES_MAX); NODE_RELAYS_MAX];
    // Heads of two bytes each, and every byte that there may be.
    let length = ENDPOINTS_BYTES_MAX / ENDPOINTS_MAX;
    info.endpoints = vec!["e".repeat(length); ENDPOINTS_MAX];
    info.endpoints[0] += &"e".repeat(ENDPOINTS_BYTES_MAX % ENDPOINTS_MAX);
    let info = info.sign(&device(10)).unwrap();
    assert!(info.bytes().len() <= NODE_INFO_BYTES_MAX, "{}", info.bytes().len());
    assert!(NODE_INFO_BYTES_MAX - 8 < info.bytes().len(), "{} is far off", info.bytes().len());
    assert_eq!(NodeInfo::parse(info.bytes()).unwrap(), info);
}

#[test]
fn endpoints_that_do_not_fit_are_left_out() {
    let texts = |lengths: &[usize]| lengths.iter().map(|n| "e".repeat(*n)).collect::<Vec<_>>();
    let lengths = |kept: Vec<String>| kept.iter().map(String::len).collect::<Vec<_>>();
    assert_eq!(lengths(fitting_endpoints(&texts(&[20; 9]))), [20; 8]);
    assert_eq!(
        lengths(fitting_endpoints(&texts(&[129, 128, 0, 128, 128, 45, 44]))),
        [128, 128, 128, 44]
    );
    let mut info = node_draft(1, 10, 7);
    info.endpoints = fitting_endpoints(&texts(&[100; 9]));
    assert!(info.sign(&device(10)).is_ok());
}

#[test]
fn the_next_card_is_newer_and_never_empty() {
    let one = card(1, NOW, &[10]);
    let ahead = one.with_device(NOW - 5, entry(11, one.identity));
    assert_eq!((ahead.version, ahead.devices.len()), (NOW + 1, 2));
    let two = ahead.sign(&person(1)).unwrap();
    let again = two.with_device(NOW + 9, entry(11, one.identity));
    assert_eq!((again.version, again.devices.len()), (NOW + 9, 2));
    let less = two.without_device(NOW + 9, &device(10).sign_id()).unwrap();
    let less = less.sign(&person(1)).unwrap();
    let last = less.without_device(NOW + 9, &device(11).sign_id());
    assert_eq!(last, Err(RecordError::LastDevice));
    let gone = device(10).sign_id();
    assert_eq!(less.without_device(NOW, &gone), Err(RecordError::NoSuchDevice(gone)));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zA-Zäß漢 ]{1,16}", "[a-z]{64}"]
}

fn address() -> impl Strategy<Value = String> {
    "[a-z0-9.:\\[\\]]{1,53}"
}

proptest! {
    // Each case signs and verifies some ten times, which takes long without optimisation.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_card_that_can_be_signed_is_read_as_the_same(
        numbers in (0..=NUMBER_MAX, 0..=NUMBER_MAX, 0..=NUMBER_MAX),
        name in text(),
        devices in proptest::collection::btree_map(
            any::<u8>(),
            (text(), 0..=NUMBER_MAX, any::<bool>()),
            1..5,
        ),
        relays in proptest::collection::vec(address(), 0..=CARD_RELAYS_MAX),
        extensions in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let identity = person(1).id();
        let devices = devices.into_iter().map(|(number, (name, added, may_edit))| {
            CardDevice::signed(&device(number), identity, [number; 32], &name, added, may_edit)
        });
        let (version, created, flags) = numbers;
        let devices = devices.collect();
        let draft =
            CardDraft { identity, version, created, name, devices, relays, flags, extensions };
        let card = draft.sign(&person(1)).unwrap();
        let read = Card::parse(card.bytes()).unwrap();
        prop_assert_eq!(&*read, &draft);
        prop_assert_eq!(read.bytes(), card.bytes());
    }

    #[test]
    fn any_node_info_that_can_be_signed_is_read_as_the_same(
        numbers in (0..=NUMBER_MAX, 0..=NUMBER_MAX, 0..=NUMBER_MAX),
        keys in (any::<u8>(), any::<[u8; 32]>(), proptest::option::of(any::<[u8; 32]>())),
        endpoints in proptest::collection::vec(address(), 0..=ENDPOINTS_MAX),
        relays in proptest::collection::vec(address(), 0..=NODE_RELAYS_MAX),
    ) {
        let ((seq, expires, until), (number, prekey, tls_key)) = (numbers, keys);
        let prekey = Prekey::signed(&device(number), prekey, until);
        let identity = person(1).id();
        let draft = NodeInfoDraft { identity, tls_key, seq, endpoints, relays, expires, prekey };
        let info = draft.sign(&device(number)).unwrap();
        prop_assert!(info.bytes().len() <= NODE_INFO_BYTES_MAX);
        let read = NodeInfo::parse(info.bytes()).unwrap();
        prop_assert_eq!(&*read, &draft);
        prop_assert_eq!(read, info);
    }
}
