//! The contract: what every door promises, as one script of client behaviour.
//!
//! Each scenario takes a [`Door`](crate::door::Door) and is run over every one of them, as a test
//! of its own for each, with the same results. What a door alone has (the exact bytes, offsets, the
//! end of a stream) is in `socket`.
//!
//! A door of the session bus can't have some of them. They stand behind `streams alone:`, each with
//! its reason there; smaller differences are in [`Peculiarities`](crate::door::Peculiarities).
//!
//! Several clients of a scenario over `both_in_turn` speak different framings, so that whatever is
//! said in one is heard in the other.

/// Makes each scenario a test over each door, and those behind `streams alone:` over each door of
/// the socket.
macro_rules! on_every_door {
    ($($scenario:ident,)* $(; streams alone: $($stream:ident,)*)?) => {
        mod json_lines {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::JSON_LINES); })*
            $($(#[test] fn $stream() { super::$stream(&crate::door::JSON_LINES); })*)?
        }
        mod binary_frames {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::BINARY_FRAMES); })*
            $($(#[test] fn $stream() { super::$stream(&crate::door::BINARY_FRAMES); })*)?
        }
        mod both_in_turn {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::BOTH_IN_TURN); })*
            $($(#[test] fn $stream() { super::$stream(&crate::door::BOTH_IN_TURN); })*)?
        }
        mod dbus_daemon {
            use crate::{contract::over, door::DBUS_DAEMON};
            $(#[test] fn $scenario() { over(DBUS_DAEMON, super::$scenario); })*
        }
        mod dbus_broker {
            use crate::{contract::over, door::DBUS_BROKER};
            $(#[test] fn $scenario() { over(DBUS_BROKER, super::$scenario); })*
        }
    };
}

mod daemon_topics;
mod durable;
mod greeting;
mod groups;
mod lag;
mod publishing;
mod queueing;
mod quotas;
mod refusals;
mod repeating;
mod requests;
mod retaining;
mod storing;
mod wills;

use crate::door::{DbusDoor, Door};

/// Runs a scenario over a session bus, where there is one.
fn over(door: DbusDoor, scenario: impl FnOnce(&dyn Door)) {
    if door.is_there() {
        scenario(&door);
    }
}
