//! The exit codes of the daemon: those of `sysexits.h`, which systemd prints by name and units
//! can act on (`RestartPreventExitStatus=64 78`: starting again won't mend these).
//!
//! Each error of this crate knows its own, so that `kith-busd` and `kith daemon` end alike.

/// Everything went as asked.
pub const OK: u8 = 0;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// Somebody else does this already: another daemon runs.
pub const UNAVAILABLE: u8 = 69;
/// The operating system refused what a daemon needs.
pub const SYSTEM: u8 = 71;
/// A file could not be read or written.
pub const INPUT_OUTPUT: u8 = 74;
/// The configuration, or a directory that it names, is wrong, and a person has to mend it.
pub const CONFIGURATION: u8 = 78;

/// The exit code for what clap made of a command line: `--help` and `--version` are no errors.
#[must_use]
pub fn of_usage(error: &clap::Error) -> u8 {
    if error.use_stderr() { USAGE } else { OK }
}
