//! What goes wrong at this door, as D-Bus says it: a name that a program can act on, and a sentence
//! for people.
//!
//! The bus's own codes keep their names, in D-Bus's spelling. What has to do with objects,
//! interfaces and methods gets the names that every D-Bus library knows.

use kith_wire::{Code, Refusal};

/// Before the code's name.
const PREFIX: &str = "org.kithbus.Error.";

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {text}")]
pub(super) struct Failure {
    /// The error's name.
    pub(super) name: String,
    /// What is wrong, and what to do about it.
    pub(super) text: String,
}

impl Failure {
    /// One with a code of the bus.
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { name: error_name(code.name()), text: text.into() }
    }

    /// One with a name of D-Bus itself.
    pub(super) fn standard(name: &str, text: impl Into<String>) -> Self {
        Self { name: format!("org.freedesktop.DBus.Error.{name}"), text: text.into() }
    }

    /// What the broker refused. It may have a code that this build does not know.
    pub(super) fn from_broker(code: Option<Code>, text: &str) -> Self {
        Self { name: error_name(code.map_or("unknown", Code::name)), text: text.to_owned() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.text)
    }
}

/// The error's name of a code's: `no-responders` is `org.kithbus.Error.NoResponders`.
fn error_name(code: &str) -> String {
    let mut name = PREFIX.to_owned();
    for word in code.split('-') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelt_as_d_bus_has_it() {
        for (code, name) in [
            (Code::NoResponders, "org.kithbus.Error.NoResponders"),
            (Code::Busy, "org.kithbus.Error.Busy"),
            (Code::BadOp, "org.kithbus.Error.BadOp"),
        ] {
            assert_eq!(Failure::new(code, "").name, name);
        }
        for code in Code::all() {
            let name = Failure::new(code, "").name;
            assert!(zbus::names::ErrorName::try_from(name.as_str()).is_ok(), "{name}");
        }
    }
}
