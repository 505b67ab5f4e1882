//! From D-Bus values to JSON, where nothing is lost.
//!
//! So that a program on D-Bus can publish what its language gives it, without a JSON library, and a
//! signal can be passed on. The daemon's door and the service that mirrors signals both use it, so
//! that a value looks the same whichever way it came. Numbers keep
//! every digit, since JSON's have no size of their own; what JSON has no word for is refused, with
//! the place where it stands, and never bent into something else.

use std::fmt::Write;
use zbus::Variant;

/// Why a value can't be turned into JSON.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Infinite, or no number.
    #[error("{at} is {value}, and JSON has no such number")]
    NotFinite {
        /// Where in the payload it stands.
        at: String,
        /// What it is.
        value: f64,
    },
    /// A dictionary whose keys are no strings.
    #[error("{at} has keys of type `{signature}`, and those of a JSON object are strings")]
    Key {
        /// Where in the payload it stands.
        at: String,
        /// The type of the keys.
        signature: String,
    },
    /// A descriptor, an object path or a signature.
    #[error(
        "{at} is of type `{signature}`, which JSON has no word for: give a payload of booleans, \
         numbers, strings, arrays, structures and dictionaries, or JSON text (`s`), or bytes (`ay`)"
    )]
    Type {
        /// Where in the payload it stands.
        at: String,
        /// The type.
        signature: String,
    },
}

/// The JSON text of a value.
///
/// # Errors
/// If JSON has no word for something in it.
pub fn from_variant(value: &Variant<'_>) -> Result<String, JsonError> {
    let mut out = String::new();
    put(&mut out, value, &mut Place::default())?;
    Ok(out)
}

/// Where in the payload something stands, for errors.
#[derive(Default)]
struct Place(Vec<String>);

impl Place {
    fn inside<T>(&mut self, step: String, go: impl FnOnce(&mut Self) -> T) -> T {
        self.0.push(step);
        let outcome = go(self);
        self.0.pop();
        outcome
    }

    fn text(&self) -> String {
        format!("the payload{}", self.0.concat())
    }
}

fn put(out: &mut String, value: &Variant<'_>, place: &mut Place) -> Result<(), JsonError> {
    match value {
        Variant::Bool(value) => put_shown(out, value),
        Variant::U8(value) => put_shown(out, value),
        Variant::I16(value) => put_shown(out, value),
        Variant::U16(value) => put_shown(out, value),
        Variant::I32(value) => put_shown(out, value),
        Variant::U32(value) => put_shown(out, value),
        Variant::I64(value) => put_shown(out, value),
        Variant::U64(value) => put_shown(out, value),
        Variant::F64(value) => return put_float(out, *value, place),
        Variant::Str(text) => put_string(out, text),
        Variant::Variant(inner) => return put(out, inner, place),
        Variant::Array(array) => return put_list(out, array.inner(), place),
        Variant::Structure(structure) => return put_list(out, structure.fields(), place),
        Variant::Dict(dict) => return put_object(out, dict, place),
        other => {
            let signature = other.value_signature().to_string();
            return Err(JsonError::Type { at: place.text(), signature });
        }
    }
    Ok(())
}

fn put_shown(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string can't fail.
    let _ = write!(out, "{value}");
}

fn put_float(out: &mut String, value: f64, place: &Place) -> Result<(), JsonError> {
    if !value.is_finite() {
        return Err(JsonError::NotFinite { at: place.text(), value });
    }
    // The shortest digits that read back as the same number.
    put_shown(out, serde_json::json!(value));
    Ok(())
}

fn put_string(out: &mut String, text: &str) {
    put_shown(out, serde_json::json!(text));
}

fn put_list(
    out: &mut String,
    elements: &[Variant<'_>],
    place: &mut Place,
) -> Result<(), JsonError> {
    out.push('[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        place.inside(format!("[{index}]"), |place| put(out, element, place))?;
    }
    out.push(']');
    Ok(())
}

fn put_object(
    out: &mut String,
    dict: &zbus::Dict<'_, '_>,
    place: &mut Place,
) -> Result<(), JsonError> {
    out.push('{');
    for (index, (key, value)) in dict.iter().enumerate() {
        let Variant::Str(key) = key else {
            let signature = key.value_signature().to_string();
            return Err(JsonError::Key { at: place.text(), signature });
        };
        if index > 0 {
            out.push(',');
        }
        put_string(out, key);
        out.push(':');
        place.inside(format!("[{:?}]", key.as_str()), |place| put(out, value, place))?;
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn json(value: impl Into<Variant<'static>>) -> Result<String, JsonError> {
        from_variant(&value.into())
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(json(u64::MAX).unwrap(), "18446744073709551615");
        assert_eq!(json(i64::MIN).unwrap(), "-9223372036854775808");
        assert_eq!(json(0.1).unwrap(), "0.1");
        assert_eq!(json(1e300).unwrap(), "1e+300");
        assert_eq!(json(-0.0).unwrap(), "-0.0");
        assert_eq!(json(7_u8).unwrap(), "7");
        assert_eq!(json(true).unwrap(), "true");
    }

    #[test]
    fn what_is_nested_is_followed() {
        let scene: BTreeMap<&str, Variant<'_>> = BTreeMap::from([
            ("level", 0.5.into()),
            ("name", "\"ä\n\"".into()),
            ("on", Variant::new(Variant::from(true))),
            ("tags", vec!["a", "b"].into()),
            ("where", Variant::new((1_i32, "x"))),
        ]);
        let text = r#"{"level":0.5,"name":"\"ä\n\"","on":true,"tags":["a","b"],"where":[1,"x"]}"#;
        assert_eq!(json(Variant::new(scene)).unwrap(), text);
        assert_eq!(json(Vec::<u32>::new()).unwrap(), "[]");
        assert_eq!(json(BTreeMap::<&str, u8>::new()).unwrap(), "{}");
    }

    #[test]
    fn what_json_can_not_hold_is_refused_with_its_place() {
        for (value, text) in [
            (Variant::new(f64::NAN), "the payload is NaN"),
            (Variant::new(vec![1.0, f64::INFINITY]), "the payload[1] is inf"),
            (Variant::new(BTreeMap::from([(1_u8, "a")])), "keys of type `y`"),
            (Variant::new(BTreeMap::from([("a", -f64::INFINITY)])), "the payload[\"a\"] is -inf"),
            (Variant::new(zbus::ObjectPath::try_from("/a").unwrap()), "of type `o`"),
        ] {
            let error = from_variant(&value).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
