//! Ends: the bus stops, is gone, or doesn't know the program. It should end too, and by itself.

use crate::child::ending;
use crate::limits::{ATTEMPTS_MAX, GONE_MS_MAX, STOP_MS_MAX};
use crate::outcome::{Stop, failed};
use crate::stage::{Stage, Waited, token};
use std::time::Duration;

pub(super) fn stop(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.start_and_settle()?;
    stage.bus.say_goodbye()?;
    let change = "end with exit code 0 when `bye` comes or the socket ends; set a time-out, or \
                  another thread, for what else it waits for";
    match stage.wait(Duration::from_millis(STOP_MS_MAX), |_| false)? {
        Waited::Ended => {}
        _ => {
            let seconds = STOP_MS_MAX / 1000;
            let seen = format!("it still ran {seconds} s after the bus had said goodbye");
            return Err(failed(seen + &stage.last_words(), change));
        }
    }
    match stage.status() {
        Some(status) if !status.success() => {
            let seen = format!("it {}, after the bus had said goodbye", ending(status));
            Err(failed(seen + &stage.last_words(), change))
        }
        _ => Ok(()),
    }
}

pub(super) fn bus_restart(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.start_and_settle()?;
    stage.lose_bus()?;
    let change = "end when the socket ends, and don't connect again: the next bus starts it anew, \
                  with another token";
    if stage.wait(Duration::from_millis(GONE_MS_MAX), |_| false)? != Waited::Ended {
        let seconds = GONE_MS_MAX / 1000;
        let seen = format!("it still ran {seconds} s after the bus was gone");
        return Err(failed(seen + &stage.last_words(), change));
    }
    stage.find_bus()?;
    stage.start()?;
    let change = "keep nothing from one run that the next one can't begin with";
    stage.beat("after the next bus had started it", change)
}

pub(super) fn unknown_token(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.spawn(&token()?)?;
    let limit = Duration::from_millis(GONE_MS_MAX);
    let is_looping = |stage: &Stage<'_>| stage.bus.seen.connections > ATTEMPTS_MAX;
    let change = "end when `hello` is refused with `bad-token`: the token will not get better, and \
                  the daemon starts it anew with another";
    match stage.wait(limit, is_looping)? {
        Waited::Ended => Ok(()),
        Waited::Happened => {
            let attempts = stage.bus.seen.connections;
            Err(failed(format!("it tried again and again ({attempts} times)"), change))
        }
        Waited::TimeIsOver if stage.bus.seen.connections == 0 => {
            let change = "connect to the Unix socket whose path is in KITH_SOCKET";
            Err(failed("it did not connect", change))
        }
        Waited::TimeIsOver => {
            let seconds = GONE_MS_MAX / 1000;
            let seen = format!("it still ran {seconds} s after its token had been refused");
            Err(failed(seen + &stage.last_words(), change))
        }
    }
}
