//! The contract: what every door promises, as one script of client behaviour.
//!
//! Each scenario takes a [`Door`](crate::door::Door) and is run over every one of them, as a test
//! of its own for each, with the same results. What a door alone has (the exact bytes, offsets, the
//! end of a stream) is in `socket`.
//!
//! Several clients of a scenario over `both_in_turn` speak different framings, so that whatever is
//! said in one is heard in the other.

/// Makes each scenario a test over each door.
macro_rules! on_every_door {
    ($($scenario:ident,)*) => {
        mod json_lines {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::JSON_LINES); })*
        }
        mod binary_frames {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::BINARY_FRAMES); })*
        }
        mod both_in_turn {
            $(#[test] fn $scenario() { super::$scenario(&crate::door::BOTH_IN_TURN); })*
        }
    };
}

mod daemon_topics;
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
mod wills;
