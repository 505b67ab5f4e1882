//! The door on the session bus: `org.kithbus.Bus1`, for desktop programs (`docs/dbus.md`).
//!
//! It has a thread of its own. What it does for a message takes many times what the broker does (a
//! session bus is slow, and its messages are written and read field by field), so on the broker's
//! thread it would be in everybody's way. Each program that calls is a client of the broker, on a
//! socket inside the process that speaks binary frames; so quotas, turns, lag and wills are the
//! broker's, and the broker waits for none of them.
//!
//! - `session.rs`: the connection to the session bus; `routing.rs`: what its messages are;
//! - `program.rs`: a program and its client; `link.rs`: the pipe between them;
//!   `signs.rs`: what is told to its task past its calls;
//! - `sending.rs`: what is on its way to a program; `window.rs`: how much may be; `stats.rs`: how
//!   much waits in the session bus;
//! - `held.rs`: what calls hold that wait; `waiting.rs`: which answer belongs to which call;
//! - `call.rs`, `options.rs`, `json.rs`: from D-Bus to what is asked; `message.rs`: and back;
//! - `people.rs`: questions about people; `watching.rs`: what is listened to for a program;
//! - `description.rs`: what the object is; `error.rs`: what goes wrong;
//! - `breath.rs`: when this thread lets others go first;
//! - `place.rs`: where the session bus is; `thread.rs`: finding it, again and again.
//!
//! Deliberately absent: zbus's object server. It takes up calls side by side, and a program's
//! publishes have to stay in order; it holds a task for each request that waits; and it has no
//! place to refuse what is too much.

mod breath;
mod call;
mod description;
mod error;
mod held;
mod link;
mod message;
mod options;
mod people;
mod place;
mod program;
mod routing;
mod sending;
mod session;
mod signs;
mod stats;
mod thread;
mod waiting;
mod watching;
mod window;

pub(crate) use description::Facts;
pub(crate) use place::Place;
pub(crate) use thread::Door;

/// The frame that a call comes to, for `fuzz/`: or the name and the text of the error.
pub(crate) fn frame_of_call(
    method: &str,
    body: &zbus::message::Body,
    payload_bytes_max: usize,
) -> Option<Result<Vec<u8>, (String, String)>> {
    let call = call::Call::read(method, body, payload_bytes_max)?;
    Some(match call {
        Ok(call) => {
            let (request, _) = waiting::Waiting::new().begin(call, None);
            let mut frame = Vec::new();
            kith_wire::binary::encode::request(&mut frame, &request);
            Ok(frame)
        }
        Err(failure) => Err((failure.name, failure.text)),
    })
}
