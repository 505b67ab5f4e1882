//! What `kith` ends with: one table, for the code, for `--help`, and for the manual page.
//!
//! The numbers are those of `sysexits.h`, as the daemon's are, and the shell's for signals. A
//! script that asks needs to tell "no daemon" from "a daemon, but nobody answers"; so these two
//! differ.

use kith_client::Code;

pub(crate) use kith_busd::exit_code::{
    CONFIGURATION, INPUT_OUTPUT, OK, UNAVAILABLE, USAGE, of_usage,
};

/// Something was refused, or a command that was run failed.
pub(crate) const FAILED: u8 = 1;
/// The kit could not try a program.
pub(crate) const UNTRIED: u8 = 2;
/// What was given as a payload isn't one.
pub(crate) const BAD_DATA: u8 = 65;
/// A file can't be read.
pub(crate) const NO_INPUT: u8 = 66;
/// Nobody is known by this name.
pub(crate) const NO_SUCH_PERSON: u8 = 67;
/// Nobody subscribes to what was requested, or durably to what was to be stored.
pub(crate) const NOBODY: u8 = 68;
/// It took too long; trying again later may help.
pub(crate) const TRY_AGAIN: u8 = 75;
/// It did not get to whom it was for in time, or is not taken there.
pub(crate) const NOT_DELIVERED: u8 = 76;
/// The terminal has gone.
pub(crate) const HUNG_UP: u8 = 129;
/// Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
/// SIGTERM.
pub(crate) const TERMINATED: u8 = 143;

/// Every code, and what it means.
pub(crate) const TABLE: &[(u8, &str)] = &[
    (OK, "done; also where the reader of the output has gone (`| head`)"),
    (FAILED, "something was refused, or a command that was run failed"),
    (UNTRIED, "`kith services test` could not try the program"),
    (USAGE, "wrong command line"),
    (BAD_DATA, "the payload, a link or recovery words are not what they have to be"),
    (NO_INPUT, "a file can't be read"),
    (NO_SUCH_PERSON, "nobody is known by this name, or has no such device"),
    (NOBODY, "nobody is there to answer the request, or to store the message for"),
    (UNAVAILABLE, "no daemon listens, or it went away"),
    (INPUT_OUTPUT, "reading, writing or the socket failed"),
    (
        TRY_AGAIN,
        "no reply in time, not as many messages in time, everybody is busy, or nothing can be \
         stored",
    ),
    (
        NOT_DELIVERED,
        "the message was not delivered in time (it may be later), or is not taken there",
    ),
    (CONFIGURATION, "no path to the socket is known, or a configuration is wrong"),
    (INTERRUPTED, "ended by Ctrl-C (143: by SIGTERM; 129: its terminal has gone)"),
];

/// What a command ends with that the daemon has refused something.
pub(crate) fn of_refusal(code: Code) -> u8 {
    match code {
        Code::NoConsumers | Code::NoResponders => NOBODY,
        Code::NotStored | Code::QuotaStored | Code::Busy | Code::Timeout => TRY_AGAIN,
        Code::UnknownRecipient => NO_SUCH_PERSON,
        Code::NotDelivered => NOT_DELIVERED,
        _ => FAILED,
    }
}

/// The table as `--help` shows it.
pub(crate) fn help() -> String {
    let rows = TABLE.iter().map(|(code, meaning)| format!("\n  {code:>3}  {meaning}"));
    format!("Exit codes:{}", rows.collect::<String>())
}
