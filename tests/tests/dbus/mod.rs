//! What only the session bus promises: `docs/dbus.md` beyond the contract of every door.
//!
//! - `describing.rs`: introspection and properties; `tools.rs`: the programs that people look with;
//! - `payloads.rs`: what becomes of which type; `descriptors.rs`: sealed memory;
//! - `refusing.rs`: what is wrong, and what is said of it;
//! - `programs.rs`: who is which client, and what ends with it; `between.rs`: with those on the
//!   socket;
//! - `people.rs`: friends and devices, and messages to them;
//! - `tokens.rs`: services and administrators;
//! - `reading.rs`: programs that don't read, or don't say that they do;
//! - `waiting.rs`: where there is no session bus, not yet or not any more; `starting.rs`: programs
//!   that start the daemon by calling it.

/// Makes each scenario a test over each broker.
macro_rules! on_both_brokers {
    ($($scenario:ident,)*) => {
        mod dbus_daemon {
            use crate::{dbus::over, session::Broker::DbusDaemon};
            $(#[test] fn $scenario() { over(DbusDaemon, super::$scenario); })*
        }
        mod dbus_broker {
            use crate::{dbus::over, session::Broker::DbusBroker};
            $(#[test] fn $scenario() { over(DbusBroker, super::$scenario); })*
        }
    };
}

mod between;
mod describing;
mod descriptors;
mod payloads;
mod people;
mod programs;
mod reading;
mod refusing;
mod starting;
mod tokens;
mod tools;
mod waiting;

use crate::door::{BOTH_IN_TURN, Client, code_of, start_on};
use crate::process::{Daemon, Place};
use crate::session::{Broker, Failure, Program, SessionBus};
use kith_wire::Code;
use std::fmt::Debug;

/// Runs a scenario over one broker, where it is there.
fn over(broker: Broker, scenario: impl FnOnce(Broker)) {
    if broker.is_there() {
        scenario(broker);
    }
}

/// A daemon on a session bus.
struct Scene {
    daemon: Daemon,
    session: SessionBus,
}

impl Scene {
    fn new(broker: Broker) -> Self {
        Self::with(broker, "")
    }

    fn with(broker: Broker, configuration: &str) -> Self {
        let session = SessionBus::start(broker);
        let daemon = start_on(&Place::new(configuration), &session.address());
        Self { daemon, session }
    }

    /// A program on the session bus.
    fn program(&self) -> Program {
        self.session.program()
    }

    /// A client on the socket.
    fn client(&self) -> Client {
        BOTH_IN_TURN.connect(&self.daemon, 0)
    }

    /// Fails unless the daemon is as it should be.
    fn end(self) {
        self.program().kith("Hello", [crate::session::Value::options::<&str>([])]).unwrap();
        let ended = self.daemon.stop();
        assert!(ended.status.success(), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

/// Fails unless it was refused with this code, and returns what was said.
fn refused<T: Debug>(outcome: Result<T, Failure>, code: Code) -> String {
    let failure = outcome.expect_err("it was not refused");
    assert_eq!(code_of(&failure.name), code, "{failure:?}");
    assert!(!failure.text.is_empty(), "{failure:?}");
    failure.text
}
