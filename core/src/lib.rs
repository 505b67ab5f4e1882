//! The thinking of the Kith daemon: state machines without I/O.
//!
//! Today that is the [`Broker`], which owns everything local: clients, subscriptions, queues, kept
//! values, requests and wills. Time, bytes and the seed of all chance come in as arguments; what
//! should happen comes out of [`Broker::poll_output`], and as bytes out of [`Broker::stage`].
//! Nothing here awaits, locks, reads a clock or fails because of what a peer sent.
//!
//! The loop around it, in full:
//!
//! ```
//! use kith_core::{Broker, Limits, Now, Output, Session};
//!
//! let mut broker = Broker::new(Limits::default(), 7);
//! let now = Now { monotonic_ms: 0, unix_ms: 1_700_000_000_000 };
//! let client = broker.connect(now).unwrap();
//! let mut session = Session::new(client);
//!
//! // What was read goes to the session; what it did not consume is kept for next time.
//! let read = b"{\"op\":\"ping\",\"id\":1}\n{\"op\":";
//! let fed = session.feed(&mut broker, now, read);
//! assert_eq!(fed.consumed, 21);
//!
//! // Then every client that has something to send is flushed.
//! while let Some(output) = broker.poll_output() {
//!     if let Output::Flush(client) = output {
//!         let bytes: Vec<u8> = broker.stage(now, client).flatten().copied().collect();
//!         assert_eq!(bytes, b"{\"op\":\"ok\",\"id\":1}\n");
//!         broker.wrote(now, client, bytes.len());
//!     }
//! }
//!
//! // And at this time the broker wants to be called again, whatever happens until then.
//! assert_eq!(broker.poll_timeout(), None);
//! broker.disconnect(now, client, "closed");
//! ```
//!
//! Deliberately absent: sockets, files, tokio, clocks, system randomness; and people, keys and
//! delivery to other devices, which are the post's: it is handed what is not for this bus
//! ([`Broker::poll_post`]).

mod broker;
mod buffers;
mod clock;
mod durable;
mod identifiers;
mod index;
mod ledger;
mod limits;
mod outbox;
mod parcels;
mod post;
mod queues;
mod sealed;
mod session;
#[cfg(test)]
mod tests;

pub use broker::{
    ASKED, Allowed, Broker, ClientId, Framing, Inbound, Notice, Outgoing, Output, PEOPLE_ASKED,
    PostAsk, Staged, Stats, Totals, Usage,
};
pub use clock::Now;
pub use durable::{Loaded, StoreAsk, export_record};
pub use kith_contract::Rights;
pub use limits::Limits;
pub use sealed::{Handed, SealedPayload};
pub use session::{Fed, Session};
