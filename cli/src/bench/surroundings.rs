//! Who the daemon is, and what others did on it while something was measured.
//!
//! A number is worth little without that. What others did is the difference of the daemon's
//! counters, less what was our own.

use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use kith_client::{Client, Message};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What others did meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// Connections besides ours, at the end.
    pub(crate) clients: u64,
    /// Messages, requests and replies that they published.
    pub(crate) published: u64,
    /// Messages that the daemon dropped for anybody, us included.
    pub(crate) dropped: u64,
}

/// The daemon's counters before anything was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before(Stats);

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    published: u64,
    dropped: u64,
    clients: u64,
}

#[derive(Deserialize)]
struct Ready {
    version: String,
}

/// The daemon's version, if it says.
pub(super) async fn version(client: &Client) -> Result<Option<String>, Failure> {
    let ready = inquiry::ready(client).await?;
    let version = ready.as_ref().map(parse::<Ready>).transpose()?;
    Ok(version.map(|ready| ready.version))
}

impl Before {
    pub(super) async fn look(client: &Client) -> Result<Self, Failure> {
        Ok(Self(stats(client).await?))
    }

    /// Looks again; `own` is how many messages were ours.
    pub(super) async fn compare(self, client: &Client, own: u64) -> Result<Others, Failure> {
        Ok(self.difference(stats(client).await?, own))
    }

    fn difference(self, after: Stats, own: u64) -> Others {
        let Self(before) = self;
        // The question about the counters before is the one message more.
        let published = after.published.saturating_sub(before.published);
        Others {
            clients: after.clients.saturating_sub(1),
            published: published.saturating_sub(own.saturating_add(1)),
            dropped: after.dropped.saturating_sub(before.dropped),
        }
    }
}

async fn stats(client: &Client) -> Result<Stats, Failure> {
    parse(&inquiry::stats(client).await?)
}

fn parse<T: DeserializeOwned>(message: &Message) -> Result<T, Failure> {
    serde_json::from_slice(message.payload()).map_err(|error| {
        let text = format!("what the daemon says about itself can't be read: {error}");
        Failure::new(exit_code::INPUT_OUTPUT, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ours_is_not_what_others_did() {
        let before = Before(Stats { published: 100, dropped: 5, clients: 9 });
        let after = Stats { published: 161, dropped: 7, clients: 3 };
        let others = Others { clients: 2, published: 10, dropped: 2 };
        assert_eq!(before.difference(after, 50), others);
        // A daemon that was started anew in between has counted less.
        assert_eq!(before.difference(Stats::default(), 50), Others::default());
    }
}
