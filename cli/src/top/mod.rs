//! `kith top`: what the bus does, as it does it.
//!
//! Once an interval the daemon is asked for its counters and its connections, as anybody may over
//! the socket; the difference to the time before makes rates. So a daemon that nobody watches does
//! nothing for it, and one that is watched answers a few requests a second, which the rates leave
//! out.
//!
//! - `facts`: what the daemon says; `rates`: from two samples to what happened between them;
//!   `table`, `history`, `state`: order, what was before, and what keys do. These only think;
//! - `draw/`: from the state to the screen; `snapshot`: to a line of JSON;
//! - `process`: what the system says of processes;
//! - `sampler`, `screen`, `watch`: the connection, the terminal, and the loop around all of it.
//!
//! Deliberately absent: anything that changes the bus, such as closing a connection. Looking must
//! be safe.

pub(crate) mod draw;
pub(crate) mod facts;
pub(crate) mod history;
pub(crate) mod process;
pub(crate) mod rates;
pub(crate) mod sampler;
pub(crate) mod screen;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod watch;
