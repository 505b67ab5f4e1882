//! Something done for each message, a few at a time: commands that are run, requests that are
//! answered.
//!
//! The next message is taken when there is room for it; until then it waits in the subscription's
//! queue, which is bounded and says what it dropped. What fails is told and counted, and the
//! others go on. When it is time to end, what has begun is finished; only a second signal breaks
//! it off.

use crate::exit_code;
use crate::failure::Failure;
use crate::listen::{Listening, Until};
use crate::output::Output;
use crate::show::line;
use crate::stop::Stop;
use futures_util::StreamExt;
use kith_client::{Incoming, Message};
use tokio::task::JoinSet;

/// What came of a message: the message if it is to be acknowledged, or why it is not done.
pub(crate) type Outcome = Result<Option<Message>, String>;

/// Does something for each message.
pub(crate) struct Workers<'a> {
    pub(crate) listening: Listening,
    pub(crate) until: Until,
    pub(crate) jobs: usize,
    pub(crate) stop: &'a mut Stop,
    pub(crate) output: &'a mut Output,
}

/// What [`Workers::run`] was woken by.
enum Happened {
    Came(Option<Result<Incoming, Failure>>),
    Done(Outcome),
    Time,
    Stopped(u8),
}

impl Workers<'_> {
    /// Runs until there were enough messages, the time is over, or something ends it. `begin` makes
    /// the work for a message, or passes it over; then it doesn't count.
    pub(crate) async fn run<W>(
        mut self,
        begin: impl Fn(Message) -> Option<W>,
    ) -> Result<u8, Failure>
    where
        W: Future<Output = Outcome> + Send + 'static,
    {
        let mut running = JoinSet::new();
        let mut failed = 0_u64;
        let mut end = None;
        loop {
            if self.until.is_reached() && end.is_none() {
                end = Some(Ok(()));
            }
            if end.is_some() && running.is_empty() {
                break;
            }
            match self.next(&mut running, end.is_none()).await {
                Happened::Came(Some(Ok(Incoming::Message(message)))) => {
                    if let Some(work) = begin(message) {
                        self.until.count();
                        running.spawn(work);
                    }
                }
                Happened::Came(Some(Ok(Incoming::Lag { count }))) => {
                    self.output.notice(&line::lag(count)).await?;
                }
                Happened::Came(Some(Ok(Incoming::Gap))) => self.output.notice(line::GAP).await?,
                Happened::Came(Some(Err(failure))) => end = Some(Err(failure)),
                Happened::Came(None) => end = Some(Ok(())),
                Happened::Done(Ok(None)) => {}
                Happened::Done(Ok(Some(message))) => {
                    let told = self.listening.acknowledge_and_wait(std::slice::from_ref(&message));
                    // Then it comes again, or the subscription says that it has ended.
                    match self.stop.unless(told).await {
                        Ok(()) => {}
                        Err(failure) if failure.is_quiet() => return Err(failure),
                        Err(failure) => self.output.notice(failure.text()).await?,
                    }
                }
                Happened::Done(Err(text)) => {
                    failed += 1;
                    self.output.notice(&text).await?;
                }
                Happened::Time => end = Some(self.until.outcome()),
                Happened::Stopped(code) if end.is_none() => end = Some(Err(Failure::quiet(code))),
                Happened::Stopped(code) => return Err(Failure::quiet(code)),
            }
        }
        end.unwrap_or(Ok(()))?;
        Ok(if failed > 0 { exit_code::FAILED } else { exit_code::OK })
    }

    /// Waits for whatever comes first. A message is taken only where there is room for its work.
    async fn next(&mut self, running: &mut JoinSet<Outcome>, is_open: bool) -> Happened {
        let has_room = running.len() < self.jobs;
        tokio::select! {
            came = self.listening.next(), if is_open && has_room => Happened::Came(came),
            Some(done) = running.join_next() => {
                Happened::Done(done.unwrap_or_else(|error| Err(error.to_string())))
            }
            () = self.until.passed(), if is_open => Happened::Time,
            code = self.stop.wait() => Happened::Stopped(code),
        }
    }
}
