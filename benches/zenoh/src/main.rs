//! `kith-bench-zenoh LOCATOR`: publisher and subscribers of a zenoh router, driven by lines.
//!
//! Zenoh's wire protocol can't be spoken in a hundred lines as those of the other peers are, so
//! this row of the comparison is made with zenoh's own library, whose cost is in it. The library
//! batches by itself. `kith-bench-peers` starts this program, writes one request a line to its
//! standard input, and reads the answers from its standard output:
//!
//! | request | answers |
//! | --- | --- |
//! | `ping` | `ok` after a session was opened and closed |
//! | `load SUBSCRIBERS PAYLOAD SECONDS WINDOW` | `measuring WINDOW`, `done SENT RECEIVED SECONDS` |
//! | `latency transit\|pingpong PAYLOAD ROUNDS` | `times NS NS ...` |
//! | `idle COUNT` | `ok` once so many sessions are open; they stay until the input ends |
//!
//! `measuring` is said after the warm-up, when the load proper begins. Whatever fails is answered
//! with `error WHY`. Deliberately absent: arithmetic on the results, CPU time and pinning, which
//! the harness does for all peers alike.

mod latency;
mod load;
mod received;

use anyhow::{Context, bail};
use std::io::{BufRead, Write, stdin, stdout};
use zenoh::{Session, Wait};

fn main() -> anyhow::Result<()> {
    let locator = std::env::args().nth(1).context("kith-bench-zenoh LOCATOR")?;
    let mut idle = vec![];
    for line in stdin().lock().lines() {
        let answer = answer(&locator, &line?, &mut idle);
        say(&answer.unwrap_or_else(|error| format!("error {error:#}").replace('\n', " ")))?;
    }
    Ok(())
}

fn answer(locator: &str, line: &str, idle: &mut Vec<Session>) -> anyhow::Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["ping"] => {
            open(locator)?.close().wait().map_err(anyhow::Error::msg)?;
            Ok("ok".to_string())
        }
        ["load", subscribers, payload, seconds, window] => load::Load {
            subscribers: subscribers.parse()?,
            payload_bytes: payload.parse()?,
            seconds: seconds.parse()?,
            window_max: window.parse()?,
        }
        .run(locator),
        ["latency", "transit", payload, rounds] => {
            latency::transit(locator, payload.parse()?, rounds.parse()?)
        }
        ["latency", "pingpong", payload, rounds] => {
            latency::ping_pong(locator, payload.parse()?, rounds.parse()?)
        }
        ["idle", count] => {
            for _ in 0..count.parse::<usize>()? {
                idle.push(open(locator)?);
            }
            Ok("ok".to_string())
        }
        _ => bail!("no such request: {line}"),
    }
}

/// Writes one line, at once.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A client's session with the router: nothing is looked for, and no memory is shared.
fn open(locator: &str) -> anyhow::Result<Session> {
    let mut configuration = zenoh::Config::default();
    for (key, value) in [
        ("mode", r#""client""#),
        ("connect/endpoints", &format!(r#"["{locator}"]"#)),
        ("connect/timeout_ms", "0"),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "false"),
    ] {
        configuration.insert_json5(key, value).map_err(anyhow::Error::msg)?;
    }
    zenoh::open(configuration).wait().map_err(anyhow::Error::msg)
}
