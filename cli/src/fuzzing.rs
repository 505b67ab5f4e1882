//! What `kith` makes of text from outside, for the fuzz targets (`fuzz/`): no part of anything.
//!
//! These parts are private because only this program needs them, and public here so that fuzzing
//! them does not take a process for each input. Built always, since a feature of its own would be
//! one more way to build the program; not in the documentation.
//!
//! Deliberately absent: any judgement. What has to hold is said in `fuzz/src/shown.rs` and
//! `fuzz/src/payload.rs`.

use crate::exit_code;
use crate::failure::Failure;
use crate::input::Lines;
use crate::payload::Format;
use crate::show::form::Form;
use crate::show::line::Setting;
use crate::show::paint::Paint;
use crate::show::status::{Answers, tables};
use crate::show::tap;
use jiff::tz::TimeZone;
use kith_wire::{Delivery, Protocol};
use serde_json::value::RawValue;

/// What a payload is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// `--protocol bt`.
    Bytes,
    /// Nothing is said.
    Json,
    /// `--text`.
    Text,
}

/// The line that `sub` prints, and the row and the heading that `tap` prints.
#[must_use]
pub fn for_people(
    delivery: &Delivery<'_>,
    now_ms: u64,
    columns: Option<usize>,
    is_colored: bool,
) -> [String; 3] {
    let setting = Setting { zone: TimeZone::UTC, paint: Paint::new(is_colored) };
    let heading = tap::heading(columns, setting.paint);
    let forms = [Form::Lines(setting.clone()), Form::Rows(setting)];
    let [line, row] = forms.map(|form| {
        let mut out = Vec::new();
        form.message(&mut out, delivery, now_ms, columns);
        String::from_utf8_lossy(&out).into_owned()
    });
    [line, row, heading]
}

/// The lines that `sub --json` and `tap --json` print.
#[must_use]
pub fn for_programs(delivery: &Delivery<'_>, now_ms: u64) -> [Vec<u8>; 2] {
    [Form::Json, Form::RowsAsJson].map(|form| {
        let mut out = Vec::new();
        form.message(&mut out, delivery, now_ms, None);
        out
    })
}

/// What standard error gets when a command fails with this, said by somebody else.
#[must_use]
pub fn failure(text: &str, hint: &str) -> String {
    Failure::new(exit_code::FAILED, text).hint(hint).shown(Paint::new(false))
}

/// What `status` prints of a daemon's answers, if they are JSON of the right shape.
#[must_use]
pub fn status(ready: &str, stats: &str, clients: &str, now_ms: u64) -> Option<String> {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
    let (ready, stats) = (raw(ready), raw(stats)?);
    let clients: Vec<Box<RawValue>> = serde_json::from_str(clients).ok()?;
    let answers = Answers {
        socket: "bus.sock",
        ready: ready.as_deref(),
        stats: &stats,
        clients: &clients,
        people: Some(&stats),
    };
    tables(&answers, now_ms, Paint::new(false)).ok()
}

/// The payload that is published of what was given.
///
/// # Errors
/// What standard error gets.
pub fn payload(given: Given, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let payload = given.format().payload(bytes.to_vec());
    payload.map_err(|fault| Failure::from(fault).shown(Paint::new(false)))
}

/// The payloads that `pub --lines` publishes, up to the first line that is none.
pub fn payloads(given: Given, bytes: &[u8]) -> Vec<Result<Vec<u8>, String>> {
    let lines = Lines::new(bytes, given.format());
    lines
        .map(|line| match line {
            Ok(line) => Ok(line.payload),
            Err(failure) => Err(failure.shown(Paint::new(false))),
        })
        .collect()
}

impl Given {
    fn format(self) -> Format {
        match self {
            Self::Bytes => Format::Bytes(Protocol::BT),
            Self::Json => Format::Json,
            Self::Text => Format::Text,
        }
    }
}
