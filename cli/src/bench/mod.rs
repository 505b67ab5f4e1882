//! `kith bench`: what a running daemon gives to programs here and now.
//!
//! Everything goes through `kith-client`, as it would in the programs of whoever asks, and on
//! topics of its own, so others are disturbed by the load and by nothing else. Publishers,
//! subscribers and responders have threads of their own, as programs have processes. How the daemon
//! compares with others is another question, with raw clients and rules of its own, and for
//! `benches/`.
//!
//! - `flood.rs`: how many messages come through, to one subscriber and to several;
//! - `round_trip.rs`: how long one takes, with and without an answer;
//! - `account.rs`, `statistics.rs`: counts that have to come out, and percentiles, without I/O;
//! - `surroundings.rs`: who the daemon is, and what others did meanwhile; `apart.rs`: threads.
//!
//! Deliberately absent: comparing with an earlier run. `--json` is for that.

mod account;
mod apart;
mod flood;
mod round_trip;
mod statistics;
mod surroundings;

pub(crate) use account::Account;
pub(crate) use flood::Flood;
pub(crate) use statistics::Summary;
pub(crate) use surroundings::Others;

use crate::connection::Address;
use crate::failure::Failure;
use kith_client::Client;
use std::time::Duration;
use surroundings::Before;

/// What is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How long each measurement takes.
    pub(crate) time: Duration,
    /// Bytes of the payloads; the first is that of the fan-out.
    pub(crate) payloads: Vec<u32>,
    /// Subscribers of the fan-out.
    pub(crate) fan: u16,
}

/// All that was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Of the daemon, if it says.
    pub(crate) version: Option<String>,
    /// Processors of this machine that may be used.
    pub(crate) cores: usize,
    /// How long each measurement took.
    pub(crate) time: Duration,
    pub(crate) floods: Vec<Flood>,
    /// From a publish to its delivery.
    pub(crate) delivery: RoundTrips,
    /// From a request to its reply.
    pub(crate) request: RoundTrips,
    pub(crate) others: Others,
}

/// Round trips of one kind.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    pub(crate) times: Summary,
    pub(crate) account: Account,
}

impl Findings {
    /// All counts together.
    pub(crate) fn account(&self) -> Account {
        let floods = self.floods.iter().map(|flood| flood.account);
        floods.chain([self.delivery.account, self.request.account]).sum()
    }
}

/// Where it takes place.
#[derive(Clone, Debug)]
struct Site {
    address: Address,
    /// Topics begin so.
    topic: String,
}

impl Site {
    /// A topic that nobody else has.
    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.topic)
    }

    /// A connection of its own, as another program has.
    async fn connect(&self) -> Result<Client, Failure> {
        self.address.connect("kith bench", kith_client::Reconnect::Never).await
    }
}

/// Measures everything, one thing after another. `begin` is told what comes next.
pub(crate) async fn measure(
    plan: &Plan,
    address: Address,
    client: &Client,
    mut begin: impl FnMut(&str),
) -> Result<Findings, Failure> {
    let now_ms = crate::listen::now_ms();
    let topic = format!("kith-bench.{}-{now_ms}", std::process::id());
    let site = Site { address, topic };
    begin("asking the daemon");
    let version = surroundings::version(client).await?;
    let before = Before::look(client).await?;
    let mut floods = Vec::new();
    let first = plan.payloads.first().copied().unwrap_or_default();
    let alone = plan.payloads.iter().map(|bytes| (1, *bytes));
    for (subscribers, bytes) in alone.chain([(plan.fan, first)]) {
        begin(&format!("1 → {subscribers}, {bytes} bytes"));
        floods.push(flood::measure(&site, plan.time, subscribers, bytes).await?);
    }
    begin("publish → delivery");
    let delivery = round_trip::deliveries(&site, plan.time).await?;
    begin("request → reply");
    let request = round_trip::requests(&site, plan.time).await?;
    // A request is a message, and so is its reply.
    let own = floods.iter().map(|flood| flood.published).sum::<u64>()
        + delivery.account.sent
        + request.account.sent
        + request.account.received;
    let others = before.compare(client, own).await?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Findings { version, cores, time: plan.time, floods, delivery, request, others })
}
