//! A reserved topic together with the type of its payload, so that nobody writes either by hand.

use crate::check::read;
use crate::error::{Fault, PayloadError, Trouble};
use crate::payload::Payload;
use crate::{cbor, json};
use std::marker::PhantomData;

/// A reserved topic whose payload is a `T`.
pub struct Topic<T> {
    name: &'static str,
    payload: PhantomData<fn() -> T>,
}

/// Reserved topics that end with a name, and whose payload is a `T`.
pub struct TopicOf<T> {
    prefix: &'static str,
    payload: PhantomData<fn() -> T>,
}

impl<T: Payload> Topic<T> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, payload: PhantomData }
    }

    /// The topic.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The payload for protocol `kith`.
    #[must_use]
    pub fn cbor(&self, payload: &T) -> Vec<u8> {
        cbor::written(&payload.to_fields())
    }

    /// The payload for protocol `ms`.
    #[must_use]
    pub fn json(&self, payload: &T) -> String {
        json::written(&payload.to_fields())
    }

    /// Reads a payload for use. Fields of later versions are gone past.
    ///
    /// # Errors
    /// Says which field is not as it has to be.
    pub fn read(&self, protocol: &str, payload: &[u8]) -> Result<T, PayloadError> {
        typed(protocol, payload).map_err(|trouble| PayloadError::new(self.name.to_owned(), trouble))
    }
}

impl<T: Payload> TopicOf<T> {
    pub(crate) const fn new(prefix: &'static str) -> Self {
        Self { prefix, payload: PhantomData }
    }

    /// The beginning that these topics have in common, with its dot.
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// The topic of `name`.
    #[must_use]
    pub fn of(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The payload for protocol `kith`.
    #[must_use]
    pub fn cbor(&self, payload: &T) -> Vec<u8> {
        cbor::written(&payload.to_fields())
    }

    /// The payload for protocol `ms`.
    #[must_use]
    pub fn json(&self, payload: &T) -> String {
        json::written(&payload.to_fields())
    }

    /// Reads a payload for use. Fields of later versions are gone past.
    ///
    /// # Errors
    /// Says which field is not as it has to be.
    pub fn read(&self, protocol: &str, payload: &[u8]) -> Result<T, PayloadError> {
        typed(protocol, payload).map_err(|trouble| PayloadError::new(self.of("NAME"), trouble))
    }
}

fn typed<T: Payload>(protocol: &str, payload: &[u8]) -> Result<T, Trouble> {
    let fields = read(T::FIELDS, protocol, payload, false)?;
    let is = fields.is();
    T::from_fields(fields).ok_or_else(|| {
        // The tests see to it that kinds and types fit.
        let should = std::any::type_name::<T>().to_owned();
        Fault::Kind { should, is: is.to_owned() }.into()
    })
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Topic<T> {}

impl<T> std::fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Topic({})", self.name)
    }
}

impl<T> Clone for TopicOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TopicOf<T> {}

impl<T> std::fmt::Debug for TopicOf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TopicOf({})", self.prefix)
    }
}
