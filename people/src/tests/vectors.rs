//! `vectors/`: records byte by byte, for whoever reads and writes them in another language.
//!
//! Each file has records with what they are made of, and some that are refused with the reason.
//! Keys are made from seeds that stand beside them. What the code makes has to be what the files
//! have; where the form of records changes on purpose, `KITH_WRITE_VECTORS=1` writes them anew.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::invites::invite_draft;
use super::{NOW, card, device, draft, entry, node_draft, person};
use crate::limits::DAY_MS;
use crate::{
    Card, Circle, Domain, Invite, InviteKind, LockCost, NodeInfo, PersonId, Petname, RecordError,
    Relation, SafetyNumber, SignedCircle, TagSecret, day_of, lock, recovery_words, tag, unlock,
};

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Compares a file with what the code makes.
fn holds(name: &str, made: &Value) {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{made:#}\n");
    if std::env::var_os("KITH_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(&written, made, "{path}: KITH_WRITE_VECTORS=1 writes it anew");
}

fn refused<T>(about: &str, bytes: &[u8], parse: impl Fn(&[u8]) -> Result<T, RecordError>) -> Value {
    let error = parse(bytes).err().unwrap();
    json!({"about": about, "record": hex(bytes), "why": error.to_string()})
}

/// The body of a record, changed and signed anew by whoever `sign` is.
fn resigned(
    bytes: &[u8],
    sign: impl Fn(&[u8]) -> [u8; 64],
    change: impl Fn(&mut Vec<u8>),
) -> Vec<u8> {
    let mut body = bytes[64..].to_vec();
    change(&mut body);
    [sign(&body).as_slice(), &body].concat()
}

/// What can be wrong with any record: pairs of what it is and its bytes.
fn wrong(bytes: &[u8], sign: impl Fn(&[u8]) -> [u8; 64]) -> Vec<(&'static str, Vec<u8>)> {
    let mut flipped = bytes.to_vec();
    flipped[0] ^= 1;
    vec![
        ("a bit of the signature is another", flipped),
        ("it is cut", bytes[..bytes.len() - 1].to_vec()),
        ("a byte follows, and is signed too", resigned(bytes, &sign, |body| body.push(0))),
        ("version 2", resigned(bytes, &sign, |body| body[2] = 2)),
        (
            "the version in two bytes, which is not the shortest form",
            resigned(bytes, &sign, |body| {
                body.splice(2..3, [0x18, 0x01]);
            }),
        ),
        (
            "a map whose length is not given in advance",
            resigned(bytes, &sign, |body| {
                body[0] = 0xbf;
                body.push(0xff);
            }),
        ),
        (
            "a field more, of a key that this version does not have",
            resigned(bytes, &sign, |body| {
                body[0] += 1;
                body.extend([0x17, 0x00]);
            }),
        ),
    ]
}

#[test]
fn cards() {
    let mut full = draft(1, NOW + 1, &[10, 11]);
    full.relays = vec!["relay.example:4711".to_owned()];
    full.extensions = vec![1, 2, 3];
    full.devices[1].name = "phone".to_owned();
    full.devices[1].may_edit_circle = false;
    let full = full.sign(&person(1)).unwrap();
    let shown = |about: &str, card: &Card, seeds: Value| {
        assert_eq!(Card::parse(card.bytes()).as_ref(), Ok(card));
        let devices = card.devices.iter().map(|device| {
            json!({
                "sign_id": device.sign_id.to_string(), "box_id": device.box_id.to_string(),
                "ratchet_key": hex(&device.ratchet_key), "name": device.name,
                "added": device.added, "may_edit_circle": device.may_edit_circle,
                "signature": hex(&device.signature),
            })
        });
        json!({
            "about": about, "record": hex(card.bytes()), "hash": hex(&card.hash()),
            "seeds": seeds, "identity": card.identity.to_string(), "version": card.version,
            "created": card.created, "name": card.name, "relays": card.relays,
            "flags": card.flags, "extensions": hex(&card.extensions),
            "devices": devices.collect::<Vec<_>>(),
        })
    };
    let one = card(1, NOW, &[10]);
    let sign = |body: &[u8]| person(1).sign(Domain::Card, body);
    let mut bad: Vec<_> = wrong(one.bytes(), sign)
        .iter()
        .map(|(about, bytes)| refused(about, bytes, Card::parse))
        .collect();
    let mut stolen = draft(1, NOW, &[10]);
    stolen.devices.push(entry(20, person(2).id()));
    let stolen = stolen.body();
    let stolen = [sign(&stolen).as_slice(), &stolen].concat();
    bad.push(refused("a device that signed for another person", &stolen, Card::parse));
    let other = resigned(one.bytes(), |body| person(2).sign(Domain::Card, body), |_| ());
    bad.push(refused("signed by another person", &other, Card::parse));
    let purpose = resigned(one.bytes(), |body| person(1).sign(Domain::Circle, body), |_| ());
    bad.push(refused("signed for another purpose", &purpose, Card::parse));
    let seeds = |devices: &[u8]| {
        let seeds = devices
            .iter()
            .map(|number| json!({"sign": hex(&[*number; 32]), "box": hex(&[*number ^ 0x80; 32])}));
        json!({"identity": hex(&[1; 32]), "devices": seeds.collect::<Vec<_>>()})
    };
    let good = [
        shown("one device", &one, seeds(&[10])),
        shown("two devices, a relay, and bytes of a later version", &full, seeds(&[10, 11])),
    ];
    holds("card", &json!({"good": good, "refused": bad}));
}

#[test]
fn node_infos() {
    let shown = |about: &str, info: &NodeInfo| {
        assert_eq!(NodeInfo::parse(info.bytes()).as_ref(), Ok(info));
        json!({
            "about": about, "record": hex(info.bytes()), "identity": info.identity.to_string(),
            "seeds": {"sign": hex(&[10; 32]), "box": hex(&[10 ^ 0x80; 32])},
            "sign_id": info.sign_id().to_string(), "box_id": info.box_id().to_string(),
            "tls_key": info.tls_key.map(|key| hex(&key)), "seq": info.seq,
            "endpoints": info.endpoints, "relays": info.relays, "expires": info.expires,
            "prekey": {
                "key": hex(&info.prekey.key), "expires": info.prekey.expires,
                "signature": hex(&info.prekey.signature),
            },
        })
    };
    let sign = |draft: &crate::NodeInfoDraft| draft.sign(&device(10)).unwrap();
    let one = sign(&node_draft(1, 10, 7));
    let mut asleep = node_draft(1, 10, 8);
    (asleep.tls_key, asleep.endpoints) = (None, Vec::new());
    asleep.relays = vec!["relay.example:4711".to_owned(), "relay.example.org:4711".to_owned()];
    let signed = |body: &[u8]| device(10).sign(Domain::NodeInfo, body);
    let bad = wrong(one.bytes(), signed);
    let mut bad: Vec<_> =
        bad.iter().map(|(about, bytes)| refused(about, bytes, NodeInfo::parse)).collect();
    // The last bytes of the body are the prekey's signature.
    let stolen = resigned(one.bytes(), signed, |body| *body.last_mut().unwrap() ^= 1);
    bad.push(refused("the prekey is not signed by the device", &stolen, NodeInfo::parse));
    let good = [shown("reachable", &one), shown("behind relays", &sign(&asleep))];
    holds("node_info", &json!({"good": good, "refused": bad}));
}

#[test]
fn invites() {
    let shown = |about: &str, invite: &Invite| {
        assert_eq!(Invite::from_link(&invite.to_link()).as_ref(), Ok(invite));
        let joiner = device(20).sign_id();
        let kind = match &invite.kind {
            InviteKind::Friend { identity } => json!({"friend": identity.to_string()}),
            InviteKind::Device { ratchet_key, name } => {
                json!({"device": {"ratchet_key": hex(ratchet_key), "name": name}})
            }
        };
        json!({
            "about": about, "record": hex(invite.bytes()), "link": invite.to_link(), "kind": kind,
            "seeds": {"sign": hex(&[10; 32]), "box": hex(&[10 ^ 0x80; 32])},
            "device": invite.device().to_string(), "box_id": invite.box_id().to_string(),
            "tls_key": invite.tls_key.map(|key| hex(&key)), "endpoints": invite.endpoints,
            "relays": invite.relays, "id": hex(&invite.id),
            "secret": hex(invite.secret.as_bytes()), "expires": invite.expires,
            "uses": invite.uses, "joiner": joiner.to_string(), "proof": hex(&invite.proof(joiner)),
        })
    };
    let friend = invite_draft(1, 3).sign(&device(10)).unwrap();
    let mut new = invite_draft(2, 1);
    new.kind = InviteKind::Device { ratchet_key: [4; 32], name: "phone".to_owned() };
    (new.tls_key, new.endpoints) = (None, Vec::new());
    new.relays = vec!["relay.example:4711".to_owned()];
    let new = new.sign(&device(10)).unwrap();
    let bad = wrong(friend.bytes(), |body| device(10).sign(Domain::Invite, body));
    let bad = bad.iter().map(|(about, bytes)| refused(about, bytes, Invite::parse));
    let bad: Vec<_> = bad.collect();
    let good = [shown("for three friends", &friend), shown("of a new device", &new)];
    holds("invite", &json!({"good": good, "refused": bad}));
}

#[test]
fn circles() {
    let somebody = |number: u8| PersonId::new([number; 32]);
    let mut circle = Circle::new(person(1).id());
    let empty = circle.signed_by(&device(10)).unwrap();
    circle.set_tag_secret(NOW, TagSecret::new([5; 32]));
    let befriend = |entry: &mut crate::CircleEntry| {
        entry.relation = Relation::Friend;
        entry.petname = Some(Petname::new("grace").unwrap());
        entry.verified = true;
        entry.tag_secret = Some(TagSecret::new([6; 32]));
    };
    circle.update(NOW + 1, somebody(7), befriend).unwrap();
    circle.update(NOW + 2, somebody(9), |entry| entry.relation = Relation::Rejected).unwrap();
    circle.update(NOW + 3, somebody(8), |_| ()).unwrap();
    let full = circle.signed_by(&device(10)).unwrap();
    let shown = |about: &str, signed: &SignedCircle| {
        assert_eq!(SignedCircle::parse(signed.bytes()).as_ref(), Ok(signed));
        let entries = signed.entries().map(|(person, entry)| {
            json!({
                "person": person.to_string(), "relation": format!("{:?}", entry.relation),
                "petname": entry.petname.as_ref().map(Petname::as_str), "at": entry.at,
                "verified": entry.verified,
                "tag_secret": entry.tag_secret.as_ref().map(|secret| hex(secret.as_bytes())),
            })
        });
        json!({
            "about": about, "record": hex(signed.bytes()), "version": signed.version(),
            "identity": signed.identity().to_string(), "signer": signed.signer().to_string(),
            "seed": hex(&[10; 32]),
            "tag_secret": signed.tag_secret().map(|secret| hex(secret.as_bytes())),
            "entries": entries.collect::<Vec<_>>(),
        })
    };
    let bad = wrong(empty.bytes(), |body| device(10).sign(Domain::Circle, body));
    let bad: Vec<_> =
        bad.iter().map(|(about, bytes)| refused(about, bytes, SignedCircle::parse)).collect();
    let good = [shown("nobody", &empty), shown("a friend, a removed and a rejected", &full)];
    holds("circle", &json!({"good": good, "refused": bad}));
}

#[test]
fn numbers() {
    let [one, other] = [1, 2].map(|number| person(number).id());
    let keys = device(10);
    let locked = lock(
        b"a secret",
        "correct horse",
        LockCost { memory_kib: 8192, passes: 1 },
        [1; 16],
        [2; 24],
    );
    let locked = locked.unwrap();
    assert_eq!(unlock(&locked, "correct horse").unwrap().as_slice(), b"a secret");
    let secret = TagSecret::new([5; 32]);
    let tags = [NOW, NOW + DAY_MS].map(|now| {
        let tag = tag(&secret, day_of(now), keys.sign_id());
        json!({"day": day_of(now), "device": keys.sign_id().to_string(), "tag": hex(&tag)})
    });
    let domains = Domain::ALL.map(|domain| {
        let signature = person(1).sign(domain, b"bytes");
        json!({"prefix": hex(domain.prefix().as_bytes()), "bytes": hex(b"bytes"),
            "signature": hex(&signature)})
    });
    holds(
        "numbers",
        &json!({
            "ids": {
                "person": {
                    "seed": hex(&[1; 32]), "key": hex(one.as_bytes()), "text": one.to_string(),
                },
                "device": {
                    "seed": hex(&[10; 32]), "key": hex(keys.sign_id().as_bytes()),
                    "text": keys.sign_id().to_string(),
                },
                "box": {
                    "seed": hex(&[10 ^ 0x80; 32]), "key": hex(keys.box_id().as_bytes()),
                    "text": keys.box_id().to_string(),
                },
            },
            "signatures": {"seed": hex(&[1; 32]), "of": domains},
            "safety_number": {
                "one": one.to_string(), "other": other.to_string(),
                "number": SafetyNumber::of(one, other).to_string(),
            },
            "tags": {"secret": hex(secret.as_bytes()), "of": tags},
            "recovery": {"seed": hex(&[1; 32]), "words": recovery_words(&person(1)).as_str()},
            "locked": {
                "passphrase": "correct horse", "secret": hex(b"a secret"), "bytes": hex(&locked),
            },
        }),
    );
}
