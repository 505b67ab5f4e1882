//! Where the daemon keeps what has to survive of messages: three words of the configuration.
//!
//! A type of its own beside that of the backends, for "none" is no backend: a daemon that keeps
//! nothing opens no file. Whether this program was built with a backend is found out where it is
//! opened, so that a file can be checked by any build.

/// Where durable messages and kept values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// In an SQLite database.
    #[default]
    Sqlite,
    /// In a sled database, where the program was built with it.
    Sled,
    /// Nowhere: durable subscriptions are refused, and kept values end with the daemon.
    None,
}

impl StoreKind {
    /// All names, as a sentence has them.
    pub(crate) const NAMES: &str = "\"sqlite\", \"sled\" or \"none\"";

    /// The kind of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Sqlite, Self::Sled, Self::None].into_iter().find(|kind| kind.name() == name)
    }

    /// Its name, as the configuration has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_nothing_else() {
        for kind in [StoreKind::Sqlite, StoreKind::Sled, StoreKind::None] {
            assert_eq!(StoreKind::from_name(kind.name()), Some(kind));
            assert!(StoreKind::NAMES.contains(&format!("{:?}", kind.name())));
        }
        for wrong in ["", "SQLite", "memory", "sqlite "] {
            assert_eq!(StoreKind::from_name(wrong), None, "{wrong:?}");
        }
    }
}
