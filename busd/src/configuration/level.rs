//! How much the daemon says: the five levels of `tracing`, by the names that every tool uses.
//!
//! A type of our own, so that neither clap's nor tracing's stands in the configuration. There is
//! no `off`: a daemon that can't start has to be able to say why.

use clap::ValueEnum;

/// How much is logged. Each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// What stops the daemon, or a part of it.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens seldom and matters: starting, stopping, who was refused.
    #[default]
    Info,
    /// Each connection.
    Debug,
    /// Each operation, without its payload.
    Trace,
}

impl LogLevel {
    /// All names, as a sentence has them.
    pub(crate) const NAMES: &str = "error, warn, info, debug or trace";

    /// The level of this name, in lower case as the command line has it too.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(name, false).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_by_the_name_that_help_shows() {
        for level in LogLevel::value_variants() {
            let name = level.to_possible_value().unwrap().get_name().to_owned();
            assert!(LogLevel::NAMES.contains(&name), "{name}");
            assert_eq!(LogLevel::from_name(&name), Some(*level));
        }
        for wrong in ["", "INFO", "information", "off", "info "] {
            assert_eq!(LogLevel::from_name(wrong), None, "{wrong:?}");
        }
    }
}
