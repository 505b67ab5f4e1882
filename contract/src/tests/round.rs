//! Any payload of any topic: what is written is read as the same, in both forms and between them.

use crate::kind::{Field, Kind, Presence};
use crate::limits::{FIGURE_NAME_BYTES_MAX, NUMBER_MAX};
use crate::table::{Entry, entries};
use crate::value::Value;
use crate::{PROTOCOL, cbor, json};
use kith_wire::MessageId;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Texts of at most `bytes_max` bytes. Others of their bytes are cut off.
fn texts(bytes_max: usize) -> impl Strategy<Value = String> {
    "[a-z0-9 äß\u{202e}\u{1f600}\"\\\\/{}]{0,64}".prop_map(move |mut text| {
        while bytes_max < text.len() {
            text.pop();
        }
        text
    })
}

/// Values that a field of this kind may have.
pub(super) fn values(kind: Kind) -> BoxedStrategy<Value<'static>> {
    match kind {
        Kind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        Kind::Number { min, max } => prop_oneof![Just(min), Just(max), min..=max]
            .prop_map(|number| Value::Number(number.into()))
            .boxed(),
        Kind::Text { bytes_max } => {
            texts(bytes_max).prop_map(|text| Value::Text(text.into())).boxed()
        }
        Kind::Name => "[a-z][a-z0-9-]{0,31}".prop_map(|name| Value::Text(name.into())).boxed(),
        Kind::Id => (0..1_u64 << 48, any::<[u8; 10]>())
            .prop_map(|(time, chance)| MessageId::from_parts(time, &chance).to_string())
            .prop_map(|id| Value::Text(id.into()))
            .boxed(),
        Kind::Bytes { min, max } => vec(any::<u8>(), min..=max.min(min + 300))
            .prop_map(|bytes| Value::Bytes(bytes.into()))
            .boxed(),
        Kind::Word(words) => {
            proptest::sample::select(words).prop_map(|word| Value::Text(word.name.into())).boxed()
        }
        Kind::List { of, max } => vec(values(*of), 0..=max).prop_map(Value::List).boxed(),
        Kind::Map(fields) => maps(fields).boxed(),
        Kind::Figures => btree_map("[a-z_ä]{1,20}", -NUMBER_MAX..=NUMBER_MAX, 0..64)
            .prop_map(|figures| {
                let named = |(name, number): (String, i64)| {
                    assert!(name.len() <= FIGURE_NAME_BYTES_MAX);
                    (name.into(), Value::Number(number.into()))
                };
                Value::Map(figures.into_iter().map(named).collect())
            })
            .boxed(),
    }
}

/// Payloads with these fields, as the check gives them back.
pub(super) fn maps(fields: &'static [Field]) -> BoxedStrategy<Value<'static>> {
    let field = |field: &'static Field| {
        let there = values(field.kind).prop_map(move |value| Some((field.name.into(), value)));
        match field.presence {
            Presence::Required | Presence::Speaker => there.boxed(),
            Presence::Optional => prop_oneof![Just(None), there].boxed(),
            Presence::Nullable => {
                prop_oneof![Just(Some((field.name.into(), Value::Null))), there].boxed()
            }
        }
    };
    fields
        .iter()
        .map(field)
        .collect::<Vec<_>>()
        .prop_map(|fields| Value::Map(fields.into_iter().flatten().collect()))
        .boxed()
}

/// A row of the table, and a payload of it.
pub(super) fn payloads() -> impl Strategy<Value = (&'static Entry, Value<'static>)> {
    let rows: Vec<_> = entries().collect();
    proptest::sample::select(rows).prop_flat_map(|entry| (Just(entry), maps(entry.fields())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_payload_is_the_same_in_both_forms((entry, value) in payloads()) {
        let (cbor, json) = (cbor::written(&value), json::written(&value));

        // The check takes both, and gives both.
        let by_cbor = entry.check(PROTOCOL, &cbor).unwrap();
        let by_json = entry.check("ms", json.as_bytes()).unwrap();
        prop_assert_eq!(&by_cbor, &by_json);
        prop_assert_eq!(&by_cbor.cbor, &cbor);
        prop_assert_eq!(&by_cbor.json, &json);
        prop_assert!(kith_wire::check_ms(json.as_bytes()).is_ok());

        // The type holds all of it: what it reads it writes.
        let read = |protocol, payload| (entry.again)(entry.checked(protocol, payload).unwrap());
        let both = Some((cbor.clone(), json.clone()));
        prop_assert_eq!(&read(PROTOCOL, &cbor), &both);
        prop_assert_eq!(&read("ms", json.as_bytes()), &both);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        for entry in entries() {
            for protocol in [PROTOCOL, "ms", "bt"] {
                if let Ok(views) = entry.check(protocol, &bytes) {
                    prop_assert_eq!(entry.check(PROTOCOL, &views.cbor).unwrap(), views);
                }
            }
        }
    }

    #[test]
    fn a_payload_with_a_byte_changed_is_another_or_refused(
        (entry, value) in payloads(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let cbor = cbor::written(&value);
        let mut changed = cbor.clone();
        changed[at.index(cbor.len())] = byte;
        if let Ok(views) = entry.check(PROTOCOL, &changed) {
            // One value has one form.
            let is_same = views.json == json::written(&value);
            prop_assert_eq!(is_same, changed == cbor);
            prop_assert_eq!(entry.check("ms", views.json.as_bytes()).unwrap(), views);
        }
        prop_assert!(entry.check(PROTOCOL, &cbor[..cbor.len() - 1]).is_err());
    }
}
