//! The tests that need more than one crate, in one binary: each subject is a module.
//!
//! One binary links once, shares its helpers and runs its tests side by side. The modules are
//! marked as test code because lints can't tell that from the folder.
//!
//! - `house`: the rules of `CONTRIBUTING.md`;
//! - `process`: programs under test, the daemon before all; `door`: how they are spoken to;
//! - `session`: session buses, and programs on them;
//! - `contract`: what every door promises, as one script that runs over each of them;
//! - `socket`, `dbus`: what only the one, or only the other of these doors promises;
//! - `hostile`: clients that mean no good;
//! - `daemon`: the daemon as a program: how it starts, stops and what it leaves behind;
//! - `crash`: stores that are killed, lose their power, or find their files changed;
//! - `stored`: the daemon and its store, when either is ended or fails;
//! - `people`: people and devices, with several daemons;
//! - `services`: services and who runs them, and what is granted to programs;
//! - `shipped`: the services that ship, under the conformance kit;
//! - `systemd`: its units, and what starts it;
//! - `examples`: every example, run as its page says;
//! - `mirroring`: signals of D-Bus in topics.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod dbus;
#[cfg(test)]
mod door;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod mirroring;
#[cfg(test)]
mod people;
#[cfg(test)]
mod process;
#[cfg(test)]
mod services;
#[cfg(test)]
mod session;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod systemd;
