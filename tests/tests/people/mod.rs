//! People and devices, with whole daemons: everything between a program that publishes and another
//! program, on somebody else's device, that gets it.
//!
//! Each device is a daemon with a state of its own, and most are threads of the tests; those that
//! are killed, and those in network namespaces, are real programs. Links are QUIC's, on loopback
//! unless a test makes a network.
//!
//! - `device.rs`: a device, as a test holds it;
//! - `meeting.rs`: from an invite to messages in each scope, by every door; `asking.rs`: requests;
//! - `linking.rs`: more than one device of a person; `strangers.rs`: who is nobody's friend;
//!   `ending.rs`: links and daemons that end;
//! - `namespace.rs`: networks of a test's own; `networks.rs`: two people on them;
//!   `wire.rs`: what can be seen there.

mod asking;
mod device;
mod ending;
mod linking;
mod meeting;
mod namespace;
mod networks;
mod strangers;
mod wire;

use device::Device;
