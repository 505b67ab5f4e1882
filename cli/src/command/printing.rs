//! Printing messages as they come, until it is time to end.
//!
//! What is there at once is formatted together and written once; nothing waits for more to come.

use super::Stay;
use crate::arguments::UntilArguments;
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX};
use crate::listen::{Listening, Until, delivery, now_ms};
use crate::show::form::Form;
use crate::show::{json, line};
use futures_util::StreamExt;
use kith_client::Incoming;

/// Prints until there were enough messages, the time is over, or something ends it.
pub(super) async fn print(
    stay: &mut Stay,
    listening: Listening,
    until: &UntilArguments,
    form: &Form,
) -> Result<u8, Failure> {
    let mut until = Until::start(until);
    let mut batches = listening.ready_chunks(BATCH_MESSAGES_MAX);
    loop {
        let batch = tokio::select! {
            batch = batches.next() => batch,
            () = until.passed() => return until.outcome().map(|()| exit_code::OK),
            code = stay.stop.wait() => return Err(Failure::quiet(code)),
        };
        let Some(batch) = batch else { return Ok(exit_code::OK) };
        print_batch(stay, batch, &mut until, form).await?;
        if until.is_reached() {
            return Ok(exit_code::OK);
        }
    }
}

async fn print_batch(
    stay: &mut Stay,
    batch: Vec<Result<Incoming, Failure>>,
    until: &mut Until,
    form: &Form,
) -> Result<(), Failure> {
    let (now_ms, columns) = (now_ms(), stay.terminal.columns());
    let mut out = Vec::new();
    let mut ended = Ok(());
    for incoming in batch {
        match incoming {
            Ok(Incoming::Message(message)) => {
                form.message(&mut out, &delivery(&message)?, now_ms, columns);
                until.count();
            }
            Ok(Incoming::Lag { count }) if form.is_json() => json::lag(&mut out, count),
            Ok(Incoming::Gap) if form.is_json() => json::gap(&mut out),
            Ok(Incoming::Lag { count }) => notice(stay, &mut out, &line::lag(count)).await?,
            Ok(Incoming::Gap) => notice(stay, &mut out, line::GAP).await?,
            Err(failure) => ended = Err(failure),
        }
        if out.len() >= BATCH_BYTES_MAX {
            write(stay, &mut out).await?;
        }
        if until.is_reached() || ended.is_err() {
            break;
        }
    }
    write(stay, &mut out).await?;
    ended
}

/// Prints a notice after what was printed before it.
async fn notice(stay: &mut Stay, out: &mut Vec<u8>, text: &str) -> Result<(), Failure> {
    write(stay, out).await?;
    stay.stop.unless(stay.output.notice(text)).await
}

async fn write(stay: &mut Stay, out: &mut Vec<u8>) -> Result<(), Failure> {
    if out.is_empty() {
        return Ok(());
    }
    // A reader that is slow must not keep Ctrl-C from working.
    stay.stop.unless(stay.output.write(std::mem::take(out))).await
}
