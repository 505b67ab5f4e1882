//! A service's side of the bus, on the real broker in memory.
//!
//! Each test runs a small service of its own (`services.rs`) on a `TestBus`, so these are the tests
//! of both. Nobody sleeps: the clock is paused.

#[cfg(test)]
mod ending;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod heartbeat;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod services;
#[cfg(test)]
mod storing;
#[cfg(test)]
mod typed;
