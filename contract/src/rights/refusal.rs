//! Why a manifest asks for what it may not have, and why a service may not do something.
//!
//! Both are read by people: the one by whoever writes the manifest, the other by whoever wonders
//! what the service lacks. So both say what to change.

use crate::error::shown;
use crate::limits::{GRANTED_MAX, NAME_CHARS_MAX};
use crate::role::Role;

/// Which entry of a manifest asks for what it may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` in `{list}`: {fault}")]
pub struct RightsError {
    list: &'static str,
    index: Option<usize>,
    entry: String,
    fault: RightsFault,
}

impl RightsError {
    pub(super) fn new(list: &'static str, index: usize, entry: &str, fault: RightsFault) -> Self {
        Self { list, index: Some(index), entry: shown(entry), fault }
    }

    pub(super) fn of_name(name: &str) -> Self {
        Self { list: "name", index: None, entry: shown(name), fault: RightsFault::Name }
    }

    /// The manifest's word: `name`, `publishes` or `subscribes`.
    #[must_use]
    pub fn list(&self) -> &'static str {
        self.list
    }

    /// Which entry of the list, from 0; `None` for the name, which is no list.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// The entry as it was written, shortened and with what can't be seen escaped.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// What is wrong with it, and what to change.
    #[must_use]
    pub fn fault(&self) -> &RightsFault {
        &self.fault
    }
}

/// What is wrong with an entry of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RightsFault {
    /// Not a service's name.
    #[error("a service's name has 1 to {NAME_CHARS_MAX} of a-z, 0-9 and `-`, a letter first")]
    Name,
    /// More entries than a person would read.
    #[error("a list has at most {GRANTED_MAX} entries; a wildcard covers several topics")]
    TooMany,
    /// Not a pattern.
    #[error("{0}")]
    Pattern(String),
    /// A scope where there is none.
    #[error("what is published gets its scope from the daemon; write `{meant}`")]
    Scope {
        /// What was probably meant.
        meant: String,
    },
    /// A topic of the daemon's.
    #[error("the daemon alone publishes this, and it is never granted; take it out")]
    Daemon,
    /// A topic that comes with a role.
    #[error("this comes with {}, which is not asked for; add it to `roles`", Roles(.0, " or "))]
    Role(Vec<Role>),
    /// A wildcard that is meant to cover reserved topics.
    #[error("reserved topics are granted by role, not by pattern; take it out{}", Instead(.0))]
    Wildcard(Vec<Role>),
    /// A reserved topic that isn't one.
    #[error(
        "there is no such reserved topic, and what begins like this is reserved; take it out, or \
         begin it with another word"
    )]
    NoTopic,
}

/// Why a service may not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// Its manifest does not list the topic.
    #[error(
        "`{service}` may not publish on `{topic}`: no pattern of `publishes` in its manifest \
         covers that. Add one there, and enable it again"
    )]
    Publish {
        /// The service.
        service: String,
        /// The topic.
        topic: String,
    },
    /// The topic comes with a role that it does not have.
    #[error(
        "`{service}` may not publish on `{topic}`: that takes {}. Add it to `roles` in its \
         manifest, and enable it again",
        Roles(roles, " or ")
    )]
    Role {
        /// The service.
        service: String,
        /// The topic.
        topic: String,
        /// The roles, of which one is enough.
        roles: Vec<Role>,
    },
    /// The topic is the daemon's.
    #[error(
        "`{service}` may not publish on `{topic}`: the daemon alone does, and it is never granted"
    )]
    Daemon {
        /// The service.
        service: String,
        /// The topic.
        topic: String,
    },
    /// There is no such reserved topic.
    #[error(
        "`{service}` may not publish on `{topic}`: what begins like this is reserved, and there is \
         no such topic for services"
    )]
    NoTopic {
        /// The service.
        service: String,
        /// The topic.
        topic: String,
    },
    /// Its manifest does not list the pattern.
    #[error(
        "`{service}` may not subscribe to `{pattern}`: no pattern of `subscribes` in its manifest \
         covers that (protocol, scope and topic). Add it there, and enable it again"
    )]
    Subscribe {
        /// The service.
        service: String,
        /// The pattern.
        pattern: String,
    },
}

/// Roles in a sentence.
struct Roles<'a>(&'a [Role], &'static str);

impl std::fmt::Display for Roles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, role) in self.0.iter().enumerate() {
            write!(f, "{}role `{role}`", if at == 0 { "" } else { self.1 })?;
        }
        Ok(())
    }
}

struct Instead<'a>(&'a [Role]);

impl std::fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ", and add to `roles` what you need of {}", Roles(self.0, ", "))
    }
}
