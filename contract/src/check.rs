//! The one check that a payload goes through, whichever way it was written.
//!
//! It gives back the payload with its fields in the order in which they are declared, bytes as
//! bytes, and nothing in it that isn't declared. Who publishes is checked closely; who reads for
//! use goes past fields that it does not know, so that later versions can add some.

use crate::error::{Fault, Trouble, shown};
use crate::kind::{Field, Kind, Presence};
use crate::limits::{FIGURE_NAME_BYTES_MAX, FIGURES_MAX, NUMBER_MAX};
use crate::role::is_name;
use crate::value::Value;
use crate::{cbor, json};
use data_encoding::BASE64;
use kith_wire::MessageId;
use std::borrow::Cow;

/// The protocol of payloads in CBOR.
pub const PROTOCOL: &str = "kith";

/// How a payload was written, and how closely it is looked at.
#[derive(Clone, Copy)]
struct Way {
    is_json: bool,
    is_strict: bool,
}

/// Reads a payload with these fields.
pub(crate) fn read<'a>(
    fields: &'static [Field],
    protocol: &str,
    payload: &'a [u8],
    is_strict: bool,
) -> Result<Value<'a>, Trouble> {
    let is_json = protocol == "ms";
    let value = match protocol {
        PROTOCOL => cbor::read(payload, is_strict)?,
        "ms" => json::read(payload)?,
        _ => return Err(Fault::Protocol(shown(protocol)).into()),
    };
    checked(&Kind::Map(fields), value, Way { is_json, is_strict })
}

fn checked<'a>(kind: &Kind, value: Value<'a>, way: Way) -> Result<Value<'a>, Trouble> {
    let ranged = |is_right: bool, value: Value<'a>, is: &dyn Fn() -> String| {
        let fault = || Fault::Range { should: kind.to_string(), is: is() }.into();
        if is_right { Ok(value) } else { Err(fault()) }
    };
    match (kind, value) {
        (Kind::Flag, value @ Value::Flag(_)) => Ok(value),
        (Kind::Number { min, max }, Value::Number(number)) => {
            let is_right = i128::from(*min) <= number && number <= i128::from(*max);
            ranged(is_right, Value::Number(number), &|| format!("is {number}"))
        }
        (Kind::Text { bytes_max }, Value::Text(text)) => plain(kind, *bytes_max, text),
        (Kind::Name, Value::Text(text)) => {
            let is = format!("is `{}`", shown(&text));
            ranged(is_name(&text), Value::Text(text), &|| is.clone())
        }
        (Kind::Id, Value::Text(text)) => {
            // One form only, else the same id would be two texts to those who compare texts.
            let id = MessageId::from_text(&text).ok();
            let is_right = id.is_some_and(|id| id.to_string() == text);
            let is = format!("is `{}`", shown(&text));
            ranged(is_right, Value::Text(text), &|| is.clone())
        }
        (Kind::Bytes { min, max }, value @ (Value::Bytes(_) | Value::Text(_))) => {
            let bytes = bytes(kind, value, way)?;
            let length = bytes.len();
            let is_right = *min <= length && length <= *max;
            ranged(is_right, Value::Bytes(bytes), &|| format!("has {length}"))
        }
        (Kind::Word(words), Value::Text(text)) => {
            let is = format!("is `{}`", shown(&text));
            let is_one = words.iter().any(|word| word.name == text);
            ranged(is_one, Value::Text(text), &|| is.clone())
        }
        (Kind::List { of, max }, Value::List(values)) => {
            let length = values.len();
            let values = values.into_iter().enumerate();
            let values: Result<Vec<_>, Trouble> = values
                .take(max.saturating_add(1))
                .map(|(at, value)| checked(of, value, way).map_err(|trouble| trouble.at(at)))
                .collect();
            ranged(length <= *max, Value::List(values?), &|| format!("has {length}"))
        }
        (Kind::Map(fields), Value::Map(given)) => map(fields, given, way),
        (Kind::Figures, Value::Map(given)) => figures(kind, given, way),
        (_, value) => Err(wrong(kind, &value)),
    }
}

fn wrong(kind: &Kind, value: &Value<'_>) -> Trouble {
    Fault::Kind { should: kind.to_string(), is: value.is().to_owned() }.into()
}

fn plain<'a>(kind: &Kind, max: usize, text: Cow<'a, str>) -> Result<Value<'a>, Trouble> {
    let is = match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => format!("has one at byte {at}"),
        None if max < text.len() => format!("has {}", text.len()),
        None => return Ok(Value::Text(text)),
    };
    Err(Fault::Range { should: kind.to_string(), is }.into())
}

/// Bytes as they are in CBOR, or as base64 in JSON.
fn bytes<'a>(kind: &Kind, value: Value<'a>, way: Way) -> Result<Cow<'a, [u8]>, Trouble> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Text(text) if way.is_json => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(error) => {
                let (should, why) = (kind.to_string(), error.to_string());
                Err(Fault::Base64 { should, why }.into())
            }
        },
        value => Err(wrong(kind, &value)),
    }
}

type Given<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

fn map<'a>(fields: &[Field], given: Given<'a>, way: Way) -> Result<Value<'a>, Trouble> {
    no_twins(&given)?;
    let mut given = given;
    if way.is_strict {
        let is_known = |name: &str| fields.iter().any(|field| field.name == name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !is_known(name)) {
            let fields = fields.iter().map(|field| field.name).collect();
            return Err(Trouble::from(Fault::Unknown { fields }).within(name));
        }
    }
    let mut found = Vec::new();
    for field in fields {
        let at = given.iter().position(|(name, _)| name == field.name);
        let value = at.map(|at| given.swap_remove(at).1);
        let value = match (field.presence, value) {
            (Presence::Optional, None) => continue,
            // Many a script says null for what it does not have. CBOR has one form for that.
            (Presence::Optional, Some(Value::Null)) if way.is_json || !way.is_strict => continue,
            (Presence::Nullable, Some(Value::Null)) => Value::Null,
            (Presence::Nullable, None) if !way.is_strict => Value::Null,
            (_, Some(value)) => {
                checked(&field.kind, value, way).map_err(|trouble| trouble.within(field.name))?
            }
            (_, None) => {
                let or_null = if field.presence == Presence::Nullable { ", or null" } else { "" };
                let missing = Fault::Missing { should: format!("{}{or_null}", field.kind) };
                return Err(Trouble::from(missing).within(field.name));
            }
        };
        found.push((Cow::Borrowed(field.name), value));
    }
    Ok(Value::Map(found))
}

fn figures<'a>(kind: &Kind, given: Given<'a>, way: Way) -> Result<Value<'a>, Trouble> {
    no_twins(&given)?;
    let range = |is: String| Fault::Range { should: kind.to_string(), is };
    if FIGURES_MAX < given.len() {
        return Err(range(format!("has {}", given.len())).into());
    }
    let figure = Kind::Number { min: -NUMBER_MAX, max: NUMBER_MAX };
    let mut found = Vec::new();
    for (name, value) in given {
        let is_plain = !name.is_empty() && !name.contains(char::is_control);
        if !is_plain || FIGURE_NAME_BYTES_MAX < name.len() {
            let is = "has a name that is empty, too long, or has control characters".to_owned();
            return Err(Trouble::from(range(is)).within(&name));
        }
        let value = checked(&figure, value, way).map_err(|trouble| trouble.within(&name))?;
        found.push((name, value));
    }
    // As a map in Rust has them, so that the JSON view is one too.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Value::Map(found))
}

/// Refuses a name that stands in a map twice.
fn no_twins(fields: &[(Cow<'_, str>, Value<'_>)]) -> Result<(), Trouble> {
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    let twins = names.windows(2).find(|pair| pair.first() == pair.last());
    match twins.and_then(|pair| pair.first()) {
        Some(name) => Err(Trouble::from(Fault::Twice).within(name)),
        None => Ok(()),
    }
}
