//! What the programs of the benches share: D-Bus as a client speaks it, without a library.
//!
//! The harness measures with it and the attacker attacks with it. A D-Bus library would be
//! measured too, or would be what slows an attack down.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "messages from a session bus of our own, and short ones of our own making: a bound \
              checked twice would be measured, and a panic ends one measurement"
)]

pub mod dbus;
