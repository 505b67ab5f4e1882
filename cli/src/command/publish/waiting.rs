//! Waiting until a message for others is sent or delivered, and saying how far it is.
//!
//! On a terminal each step is told as the daemon announces it; elsewhere only the end counts.
//! Giving up the waiting does not call the message back, and that is said too.

use crate::arguments::{Everywhere, PublishArguments, StateChoice};
use crate::command::people::{everybody, own_devices};
use crate::command::prompt::say;
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::{DELIVERY_NEWS_MS, DELIVERY_SECONDS};
use crate::listen::now_ms;
use crate::show::paint::Paint;
use crate::show::progress::{Names, Update};
use crate::show::quantity;
use crate::terminal::Terminal;
use jiff::tz::TimeZone;
use kith_client::{Client, Incoming, MessageId, Publish, PublishError, Published, Subscription};
use rustix::rand::{GetRandomFlags, getrandom};
use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::time::timeout;

/// How long is waited for others; not at all limited where nobody is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Option<Duration>);

impl Patience {
    pub(super) fn of(arguments: &PublishArguments) -> Result<Self, Failure> {
        let waits = matches!(arguments.until, Some(StateChoice::Sent | StateChoice::Delivered));
        if !waits && arguments.timeout.is_some() {
            let text = "--timeout says how long to wait with `--until sent` or `delivered`";
            return Err(Failure::new(exit_code::USAGE, text));
        }
        if waits && arguments.to.is_none() {
            let text = "`--until sent` and `delivered` are about messages to others";
            return Err(Failure::new(exit_code::USAGE, text).hint("say to whom: --to WHOM"));
        }
        let otherwise = Duration::from_secs(DELIVERY_SECONDS);
        Ok(Self(waits.then(|| arguments.timeout.unwrap_or(otherwise))))
    }

    /// Waits for what has become of a message.
    pub(super) async fn of_sending(
        self,
        sending: impl Future<Output = Result<Published, PublishError>>,
    ) -> Result<Published, Failure> {
        let Some(patience) = self.0 else { return Ok(sending.await?) };
        match timeout(patience, sending).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(self.over()),
        }
    }

    fn over(self) -> Failure {
        let waited = quantity::span(self.0.map_or(0, ms));
        let text = format!("not there after {waited}; it stays on its way until it expires");
        Failure::new(exit_code::NOT_DELIVERED, text)
            .hint("--timeout waits longer, --expire says until when it is worth something")
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Sends one message, and tells how far it is if that is waited for.
pub(super) async fn send(
    client: &Client,
    message: Publish<'_>,
    arguments: &PublishArguments,
    patience: Patience,
    everywhere: &Everywhere,
) -> Result<Published, Failure> {
    let is_told = patience.0.is_some() && !arguments.json && io::stderr().is_terminal();
    let (Some(to), true) = (&arguments.to, is_told) else {
        return patience.of_sending(client.send(message)).await;
    };
    let paint = Terminal::look(everywhere.color).notice_paint;
    let names = Names::of(&everybody(client).await?, &own_devices(client).await?);
    let updates = client.subscribe("self.delivery.update").await?;
    let id = arguments.id.map_or_else(new_id, Ok)?;
    let mut telling = Telling { updates, id: id.to_string(), names, paint, has_arrived: false };
    let state = if arguments.until == Some(StateChoice::Sent) { "sent" } else { "delivered" };
    say(&telling.names.waiting(to, state, paint));
    let sending = patience.of_sending(client.send(message.id(id)));
    let sent = tokio::select! {
        sent = sending => sent,
        () = telling.tell(false) => Err(Failure::quiet(exit_code::UNAVAILABLE)),
    };
    // The answer overtakes the announcement of what it answers.
    let _ = timeout(Duration::from_millis(DELIVERY_NEWS_MS), telling.tell(true)).await;
    sent
}

fn new_id() -> Result<MessageId, Failure> {
    let mut random = [0; 10];
    getrandom(&mut random, GetRandomFlags::empty())
        .map_err(|error| Failure::system("can't make an id", &error.into()))?;
    Ok(MessageId::from_parts(now_ms(), &random))
}

/// Says what is announced of one message.
struct Telling {
    updates: Subscription,
    id: String,
    names: Names,
    paint: Paint,
    has_arrived: bool,
}

impl Telling {
    /// Tells each step; where that is wanted, until one was an end.
    async fn tell(&mut self, is_until_an_end: bool) {
        let zone = TimeZone::system();
        while !(is_until_an_end && self.has_arrived) {
            let Some(incoming) = self.updates.next().await else {
                // Sending ends with a reason that can be told.
                return std::future::pending().await;
            };
            let Incoming::Message(message) = incoming else { continue };
            let Ok(update) = inquiry::read::<Update>(&message) else { continue };
            if update.message != self.id {
                continue;
            }
            self.has_arrived |= update.is_end();
            say(&self.names.step(&update, &zone, self.paint));
        }
    }
}
