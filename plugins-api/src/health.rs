//! How a service is, as it says itself.
//!
//! A report is for people and for whoever watches: the host shows the last one, and does nothing
//! about it. What the host has to act on, it finds out by itself.

use crate::bus::Bus;
use kith_client::PostError;
use kith_contract::HEALTH;
use kith_contract::services::{self, Condition};
use std::collections::BTreeMap;

/// How a service is: [`Bus::report`] takes it.
///
/// ```
/// use kith_plugins_api::Health;
///
/// let health = Health::degraded("one of two sensors is silent").figure("sensors", 1);
/// # let _ = health;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a health is told by `Bus::report`"]
pub struct Health {
    condition: Condition,
    text: Option<String>,
    figures: BTreeMap<String, i64>,
}

impl Health {
    /// It does all that it is there for.
    pub fn ok() -> Self {
        Self { condition: Condition::Ok, text: None, figures: BTreeMap::new() }
    }

    /// It does some of it, or slowly.
    pub fn degraded(why: impl Into<String>) -> Self {
        Self { condition: Condition::Degraded, text: Some(why.into()), ..Self::ok() }
    }

    /// It can't do what it is there for, but goes on trying.
    pub fn failing(why: impl Into<String>) -> Self {
        Self { condition: Condition::Failing, text: Some(why.into()), ..Self::ok() }
    }

    /// Adds something for people to read.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds a figure of its own; its unit belongs in the name.
    pub fn figure(mut self, name: impl Into<String>, figure: i64) -> Self {
        self.figures.insert(name.into(), figure);
        self
    }
}

impl Bus {
    /// Says how the service is.
    ///
    /// # Errors
    /// If it can't be sent as it is, or the bus has ended.
    pub async fn report(&self, health: Health) -> Result<(), PostError> {
        let Health { condition, text, figures } = health;
        let service = self.name().to_owned();
        let figures = (!figures.is_empty()).then_some(figures);
        let health = services::Health { service, state: condition, text, figures };
        self.post_to(HEALTH, &health).await
    }
}
