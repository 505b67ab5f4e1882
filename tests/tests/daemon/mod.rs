//! The daemon as a program: how it starts, what it leaves behind, and what it says of itself.
//!
//! - `starting.rs`: its files and their modes, and what may be in its way;
//! - `stopping.rs`: signals, and what clients are told;
//! - `activation.rs`: a socket that systemd passes; `supervising.rs`: what systemd is told;
//! - `reloading.rs`: reading the configuration again;
//! - `logging.rs`: what is on standard error, and what never is;
//! - `configuring.rs`: the questions that it answers without running;
//! - `metrics.rs`: its counters for monitoring systems, which `openmetrics.rs` reads.

mod activation;
mod configuring;
mod logging;
mod metrics;
mod openmetrics;
mod reloading;
mod starting;
mod stopping;
mod supervising;
