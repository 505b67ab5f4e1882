//! What a service may do, made of the words of its manifest.
//!
//! Reserved topics are decided by the table and the service's roles alone. `publishes` is about all
//! other topics; a pattern there that begins with a wildcard (`>`) covers those and no reserved
//! one. `subscribes` may name any topic, since any local client may listen to any: it is there so
//! that a person who enables the service sees what it hears. A subscription has to lie inside one
//! of its patterns, in protocol, scope and topic. The service's own heartbeat needs no word.
//!
//! The daemon's own part that is a client of the bus like any service ([`Rights::daemon`]) may
//! publish what is the daemon's to say, and listen to everything. No manifest makes such rights.
//!
//! Not looked at here: requests that the daemon answers itself, and replies, which go to whoever
//! asked and to nobody else.

mod covering;
mod refusal;

pub use refusal::{Denial, RightsError, RightsFault};

use crate::error::shown;
use crate::limits::GRANTED_MAX;
use crate::role::{Publisher, Role, is_name};
use crate::table::{Entry, HEARTBEAT, entries, entry};
use covering::{covers, covers_topics};
use kith_wire::{Pattern, PatternError, is_reserved};

/// What a service may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    name: String,
    roles: Vec<Role>,
    /// With a scope before each, so that they are patterns like any other.
    publishes: Vec<Pattern<'static>>,
    subscribes: Vec<Pattern<'static>>,
    is_daemon: bool,
}

/// What stands before a pattern of `publishes` to make one of a subscription.
const SCOPE: &str = "self.";
/// The name of the daemon's own part: no service can have it.
const DAEMON: &str = "(daemon)";

impl Rights {
    /// Takes the words of a manifest.
    ///
    /// # Errors
    /// Says which list and which entry is not as it has to be, and what to change.
    pub fn new(
        name: &str,
        roles: &[Role],
        publishes: &[String],
        subscribes: &[String],
    ) -> Result<Self, RightsError> {
        if !is_name(name) {
            return Err(RightsError::of_name(name));
        }
        let publishes = each("publishes", publishes, |text| published(text, roles))?;
        let subscribes = each("subscribes", subscribes, subscribed)?;
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles.dedup();
        let (name, is_daemon) = (name.to_owned(), false);
        Ok(Self { name, roles, publishes, subscribes, is_daemon })
    }

    /// Those of the daemon's own part that is a client of the bus: it may publish what the daemon
    /// alone may and what anyone may, nothing that a role is for, and subscribe to everything.
    #[must_use]
    pub fn daemon() -> Self {
        Self {
            name: DAEMON.to_owned(),
            roles: Vec::new(),
            publishes: Vec::new(),
            subscribes: Vec::new(),
            is_daemon: true,
        }
    }

    /// Whether they are the daemon's own.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.is_daemon
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its roles, each once.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether it may publish on `topic`.
    ///
    /// # Errors
    /// Says what would have to be granted.
    pub fn may_publish(&self, topic: &str) -> Result<(), Denial> {
        let service = self.name.clone();
        if is_reserved(topic) {
            return match entry(topic).map(Entry::publishers) {
                Some(publishers) if self.is_daemon && is_of_daemon(publishers) => Ok(()),
                Some(publishers) if !self.is_daemon && may(publishers, &self.roles) => Ok(()),
                Some(publishers) => match asked_of(publishers) {
                    roles if roles.is_empty() => {
                        Err(Denial::Daemon { service, topic: shown(topic) })
                    }
                    roles => Err(Denial::Role { service, topic: shown(topic), roles }),
                },
                None => Err(Denial::NoTopic { service, topic: shown(topic) }),
            };
        }
        if self.publishes.iter().any(|pattern| pattern.matches_topic(topic)) {
            return Ok(());
        }
        Err(Denial::Publish { service, topic: shown(topic) })
    }

    /// Whether it may subscribe to `pattern`.
    ///
    /// # Errors
    /// Says what would have to be granted.
    pub fn may_subscribe(&self, pattern: &Pattern<'_>) -> Result<(), Denial> {
        if self.is_daemon {
            return Ok(());
        }
        let heartbeat = Pattern::new(format!("*/{SCOPE}{}", HEARTBEAT.of(&self.name)));
        let mut granted = self.subscribes.iter().chain(heartbeat.iter());
        if granted.any(|granted| covers(granted, pattern)) {
            return Ok(());
        }
        let (service, pattern) = (self.name.clone(), shown(&pattern.to_string()));
        Err(Denial::Subscribe { service, pattern })
    }
}

/// Whether one of `publishers` is every service, or has one of these roles.
fn may(publishers: &[Publisher], roles: &[Role]) -> bool {
    publishers.iter().any(|publisher| match publisher {
        Publisher::Anyone | Publisher::EachService => true,
        Publisher::Role(role) => roles.contains(role),
        Publisher::Daemon => false,
    })
}

/// Whether the daemon is one of `publishers`, or everybody is.
fn is_of_daemon(publishers: &[Publisher]) -> bool {
    publishers.iter().any(|one| matches!(one, Publisher::Daemon | Publisher::Anyone))
}

/// The roles among `publishers`.
fn asked_of(publishers: &[Publisher]) -> Vec<Role> {
    let role = |publisher: &Publisher| match publisher {
        Publisher::Role(role) => Some(*role),
        _ => None,
    };
    publishers.iter().filter_map(role).collect()
}

fn each(
    list: &'static str,
    texts: &[String],
    taken: impl Fn(&str) -> Result<Pattern<'static>, RightsFault>,
) -> Result<Vec<Pattern<'static>>, RightsError> {
    if let Some(text) = texts.get(GRANTED_MAX) {
        return Err(RightsError::new(list, GRANTED_MAX, text, RightsFault::TooMany));
    }
    let taken = |(index, text): (usize, &String)| {
        taken(text).map_err(|fault| RightsError::new(list, index, text, fault))
    };
    texts.iter().enumerate().map(taken).collect()
}

fn subscribed(text: &str) -> Result<Pattern<'static>, RightsFault> {
    Pattern::new(text.to_owned()).map_err(|error| RightsFault::Pattern(error.to_string()))
}

fn published(text: &str, roles: &[Role]) -> Result<Pattern<'static>, RightsFault> {
    // A scope is what people write who have just filled in `subscribes`.
    let (_, rest) = text.split_once('/').unwrap_or(("", text));
    if let Some(topic) = rest.strip_prefix(SCOPE).or_else(|| rest.strip_prefix("*/self.")) {
        return Err(RightsFault::Scope { meant: shown(topic) });
    }
    let pattern = Pattern::new(format!("{SCOPE}{text}"));
    let pattern = pattern.map_err(|error| RightsFault::Pattern(without_scope(&error)))?;
    if is_reserved(text) {
        reserved(text, roles)?;
    }
    Ok(pattern)
}

/// A reserved topic in `publishes` says nothing that its role does not say already. It may stand
/// there, if the role is asked for.
fn reserved(text: &str, roles: &[Role]) -> Result<(), RightsFault> {
    let is_row = |entry: &&Entry| {
        entry.is_for(text)
            || (entry.ends_with_name() && text.strip_prefix(entry.topic()) == Some("*"))
    };
    if let Some(entry) = entries().find(is_row) {
        return match asked_of(entry.publishers()) {
            _ if may(entry.publishers(), roles) => Ok(()),
            asked if asked.is_empty() => Err(RightsFault::Daemon),
            asked => Err(RightsFault::Role(asked)),
        };
    }
    if text.split('.').all(|token| token != "*" && token != ">") {
        return Err(RightsFault::NoTopic);
    }
    let mut asked: Vec<Role> = entries()
        .filter(|entry| covers_topics(text, entry.topic().trim_end_matches('.')))
        .flat_map(|entry| asked_of(entry.publishers()))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    Err(RightsFault::Wildcard(asked))
}

/// What is wrong with a pattern, at which byte of it as it was written: without the scope that was
/// put before it.
fn without_scope(error: &PatternError) -> String {
    let at = error.at().saturating_sub(SCOPE.len());
    match error {
        PatternError::Length(bytes) => {
            let most = kith_wire::limits::TOPIC_BYTES_MAX;
            format!("a topic has 1 to {most} bytes; this has {}", bytes.saturating_sub(SCOPE.len()))
        }
        PatternError::EmptyToken(_) => format!("empty token at byte {at}"),
        PatternError::Space(_) => format!("white space or control character at byte {at}"),
        PatternError::PartOfToken(_, wildcard) => {
            format!("`{wildcard}` at byte {at}: a wildcard is a whole token")
        }
        PatternError::NotLast(_) => format!("`>` at byte {at}: it can only be the last token"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
