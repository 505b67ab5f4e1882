//! Roles: what a service may be for the others, and who may publish a topic.

use crate::limits::NAME_CHARS_MAX;

/// What a service may be for the others. A manifest asks for roles; enabling the service grants
/// them, and with each the topics that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Carries sealed letters to devices.
    Transport,
    /// Looks up and publishes signed records.
    Directory,
    /// Keeps sealed letters until they are delivered.
    Buffer,
    /// Sees devices on a network.
    Discovery,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Transport, Self::Directory, Self::Buffer, Self::Discovery];

    /// The word in a manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Directory => "directory",
            Self::Buffer => "buffer",
            Self::Discovery => "discovery",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What whoever holds it can do, for the person who grants it.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Transport => {
                "carries sealed messages to devices; can delay, drop or repeat them, and sees \
                 which device gets how much and when, but can't read or forge them"
            }
            Self::Directory => {
                "looks up and publishes signed records; sees who is looked for, and can hide an \
                 answer, but can't forge one"
            }
            Self::Buffer => {
                "keeps sealed messages until they are delivered; can lose them, and sees for which \
                 device they are, but can't read or forge them"
            }
            Self::Discovery => {
                "says where devices were seen on a network; can hide one or give a wrong address, \
                 but not who is there"
            }
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Who may publish a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Publisher {
    /// The daemon alone; it is never granted.
    Daemon,
    /// Every client on this machine, but for sandboxed programs.
    Anyone,
    /// Every service, of itself.
    EachService,
    /// Services that were granted this role.
    Role(Role),
}

impl std::fmt::Display for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Daemon => "daemon",
            Self::Anyone => "anyone",
            Self::EachService => "each service, of itself",
            Self::Role(role) => role.name(),
        })
    }
}

/// Whether `name` can be a service's: 1 to 32 of a-z, 0-9 and `-`, a letter first.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(is_allowed)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}
