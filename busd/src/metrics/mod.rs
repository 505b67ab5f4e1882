//! The daemon's counters for monitoring systems: OpenMetrics over HTTP.
//!
//! `GET /metrics` on a Unix socket beside the bus's, for the daemon's user alone, and where the
//! configuration says so also on a loopback address. Whoever asks gets the numbers of that moment,
//! or of half a second before if somebody asked then. While nobody asks nothing is gathered, no
//! timer runs, and the bus pays nothing.
//!
//! It is not a door of the bus: nothing that is said here can change anything, and it keeps working
//! when the bus has as many clients as it may. It is all the bus's own thread, so what somebody may
//! take of it is bounded: connections at a time and in a second, bytes, time, and how often the
//! numbers are gathered.
//!
//! - `sockets.rs`: where it listens, and what happens if it can't;
//! - `door.rs`: connections: read a head, write an answer, close;
//! - `head.rs`, `answer.rs`: from bytes to what is asked, and from there to bytes, without I/O;
//! - `snapshot.rs`, `text.rs`: the numbers of one moment, and the text they make, without I/O;
//! - `kept.rs`: the text of a moment ago, for whoever asks again at once;
//! - `process.rs`: what the kernel says of this process.
//!
//! Deliberately absent: connections that are kept for a next request (a scrape is a connection
//! each fifteen seconds), compression, TLS and passwords, pushing, histograms (the broker measures
//! no times), and a series for each client: see `METRICS_CLIENTS_MAX`.

mod answer;
mod door;
pub(crate) mod head;
mod kept;
mod process;
mod snapshot;
mod sockets;
mod text;

pub(crate) use door::serve;
pub(crate) use sockets::{Serving, Sockets};
