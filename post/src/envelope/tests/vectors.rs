//! `vectors/` in bytes: what other programs have to write and read.
//!
//! To see what the code makes of the samples, run with `KITH_WRITE_VECTORS=1`: the files are
//! written anew. `sealed-box.json` was made with libsodium 1.0.18 and is never written here.

use super::samples::{binding, contents, keys, parcels};
use crate::envelope::{Binding, Content, Letter, Parcel, cut, open, seal};
use crypto_box::SecretKey;
use serde_json::{Value, json};
use std::path::Path;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..][..2], 16).unwrap()).collect()
}

/// Compares with the file, or writes it.
fn held_to(name: &str, made: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    if std::env::var_os("KITH_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(made).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept, *made, "{name}");
}

#[test]
fn contents_are_those_of_the_vectors() {
    let made = contents().into_iter().map(|(name, content)| {
        let bytes = content.encode().unwrap();
        let lane = content.lane();
        assert_eq!(Content::parse(&bytes, &Binding { lane, ..binding() }), Ok(content));
        json!({ "name": name, "lane": lane.name(), "content": hex(&bytes) })
    });
    held_to("content.json", &made.collect());
}

#[test]
fn parcels_are_those_of_the_vectors() {
    let made = parcels().into_iter().map(|(name, parcel)| {
        let bytes = parcel.encode();
        assert_eq!(Parcel::parse(&bytes).unwrap(), parcel);
        json!({ "name": name, "parcel": hex(&bytes) })
    });
    held_to("parcel.json", &made.collect());
}

#[test]
fn letters_are_those_of_the_vectors() {
    let made = parcels().into_iter().take(2).map(|(name, parcel)| {
        let (recipient, seed) = (keys(2), [7; 32]);
        let letter = seal(recipient.box_id(), &parcel, seed).unwrap();
        assert_eq!(open(&recipient, &letter), Ok(Letter::Sealed(parcel.clone())));
        json!({
            "name": name,
            "box_secret": hex(recipient.box_secret()),
            "ephemeral_secret": hex(&seed),
            "parcel": hex(&parcel.encode()),
            "letter": hex(&letter),
        })
    });
    held_to("letter.json", &made.collect());
}

#[test]
fn fragments_are_those_of_the_vectors() {
    let letter: Vec<u8> = (0..40).collect();
    let pieces: Vec<_> = cut(&letter, 0x0102, 32).unwrap().map(|piece| hex(&piece)).collect();
    let made = json!({ "letter": hex(&letter), "number": 0x0102, "mtu": 32, "pieces": pieces });
    held_to("fragment.json", &made);
}

#[test]
fn what_libsodium_seals_is_opened() {
    let boxes: Value =
        serde_json::from_str(include_str!("../../../vectors/sealed-box.json")).unwrap();
    for one in boxes.as_array().unwrap() {
        let secret = unhex(&one["box_secret"]).try_into().unwrap();
        let secret = SecretKey::from_bytes(secret);
        assert_eq!(secret.public_key().as_bytes()[..], unhex(&one["box_public"]));
        assert_eq!(secret.unseal(&unhex(&one["sealed"])).unwrap(), unhex(&one["plaintext"]));
    }
}
