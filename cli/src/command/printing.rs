//! Printing messages as they come, until it is time to end.
//!
//! What is there at once is formatted together and written once; nothing waits for more to come.
//! Of a durable subscription each message is acknowledged when it has been written and flushed, and
//! not before: what a reader that has gone did not take comes again.

use super::Stay;
use crate::arguments::UntilArguments;
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX};
use crate::listen::{Listening, Until, delivery, now_ms};
use crate::show::form::Form;
use crate::show::{json, line};
use futures_util::StreamExt;
use kith_client::{Incoming, Message};

/// Prints until there were enough messages, the time is over, or something ends it.
pub(super) async fn print(
    stay: &mut Stay,
    listening: Listening,
    until: &UntilArguments,
    form: &Form,
) -> Result<u8, Failure> {
    let mut until = Until::start(until);
    let mut batches = listening.ready_chunks(BATCH_MESSAGES_MAX);
    let mut pending = Pending::default();
    loop {
        let batch = tokio::select! {
            batch = batches.next() => batch,
            () = until.passed() => return until.outcome().map(|()| exit_code::OK),
            code = stay.stop.wait() => return Err(Failure::quiet(code)),
        };
        let Some(batch) = batch else { return Ok(exit_code::OK) };
        pending.format(stay, batches.get_ref(), batch, &mut until, form).await?;
        if until.is_reached() {
            return Ok(exit_code::OK);
        }
    }
}

/// What is formatted and not written yet.
#[derive(Default)]
struct Pending {
    out: Vec<u8>,
    /// The messages in it that are to be acknowledged.
    owed: Vec<Message>,
}

impl Pending {
    /// Formats a batch and writes it.
    async fn format(
        &mut self,
        stay: &mut Stay,
        listening: &Listening,
        batch: Vec<Result<Incoming, Failure>>,
        until: &mut Until,
        form: &Form,
    ) -> Result<(), Failure> {
        let (now_ms, columns) = (now_ms(), stay.terminal.columns());
        let mut ended = Ok(());
        for incoming in batch {
            match incoming {
                Ok(Incoming::Message(message)) => {
                    form.message(&mut self.out, &delivery(&message)?, now_ms, columns);
                    until.count();
                    if message.attempt().is_some() {
                        self.owed.push(message);
                    }
                }
                Ok(Incoming::Lag { count }) if form.is_json() => json::lag(&mut self.out, count),
                Ok(Incoming::Gap) if form.is_json() => json::gap(&mut self.out),
                Ok(Incoming::Lag { count }) => {
                    self.notice(stay, listening, &line::lag(count)).await?;
                }
                Ok(Incoming::Gap) => self.notice(stay, listening, line::GAP).await?,
                Err(failure) => ended = Err(failure),
            }
            if until.is_reached() || ended.is_err() {
                break;
            }
            if self.out.len() >= BATCH_BYTES_MAX {
                self.write(stay, listening, false).await?;
            }
        }
        self.write(stay, listening, until.is_reached()).await?;
        ended
    }

    /// Prints a notice after what was printed before it.
    async fn notice(
        &mut self,
        stay: &mut Stay,
        listening: &Listening,
        text: &str,
    ) -> Result<(), Failure> {
        self.write(stay, listening, false).await?;
        stay.stop.unless(stay.output.notice(text)).await
    }

    /// Whoever ends now (`is_last`) waits until the acknowledgements are on the disk.
    async fn write(
        &mut self,
        stay: &mut Stay,
        listening: &Listening,
        is_last: bool,
    ) -> Result<(), Failure> {
        let (out, owed) = (std::mem::take(&mut self.out), std::mem::take(&mut self.owed));
        let Stay { stop, output, .. } = stay;
        // A reader that is slow must not keep Ctrl-C from working.
        match (out.is_empty(), owed.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => stop.unless(output.write(out)).await,
            (_, false) => {
                stop.unless(output.write_through(out)).await?;
                if is_last {
                    stop.unless(listening.acknowledge_and_wait(&owed)).await
                } else {
                    stop.unless(listening.acknowledge(&owed)).await
                }
            }
        }
    }
}
