//! The protocol in bytes, and as properties.
//!
//! `../../vectors/` was written by hand from `docs/protocol.md`; here the codecs are held to it, in
//! whatever direction they have: what a client writes and the daemon reads, what the daemon writes
//! and a client reads, and what is refused, with code and offset. What no list of examples can show
//! is said in `frames` and `lines`, as properties of whatever `words` comes up with.
//!
//! The files are compiled in: a vector that is there is run.

#[cfg(test)]
mod binary;
#[cfg(test)]
mod events;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod json;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod notation;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod words;
