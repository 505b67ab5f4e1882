//! The library over a real socket, against a daemon that does what each test tells it to.
//!
//! The daemon here (`daemon.rs`) is a listener and the codecs of `kith-wire`; a test is both sides
//! of the conversation, so it can lose an answer or hang up at the worst moment. What the real
//! daemon does is tested in `tests/`.
//!
//! Nobody sleeps: both sides run on one thread with a paused clock, which jumps ahead when all of
//! them wait.

#[cfg(test)]
mod connecting;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod losing;
#[cfg(test)]
mod over;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod requesting;
#[cfg(test)]
mod subscribing;
