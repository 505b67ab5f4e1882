//! What `fuzz/` has to reach of the daemon and nobody else needs: what is asked of its metrics, and
//! what is called on D-Bus.
//!
//! Not in the documentation, and no part of what a version promises.

use crate::dbus::frame_of_call;
use crate::limits::METRICS_HEAD_BYTES_MAX;
use crate::metrics::head::{Verdict, Way, judge};
use zbus::message::Body;

/// The status with which somebody is answered who has sent these bytes, and whether only a head is
/// wanted. Nothing if more has to come. The daemon reads no more than [`head_bytes_max`] of them.
#[must_use]
pub fn asked_of_metrics(bytes: &[u8], is_tcp: bool) -> Option<(&'static str, bool)> {
    let way = if is_tcp { Way::Tcp } else { Way::Socket };
    judge(bytes, way).map(|verdict| match verdict {
        Verdict::Metrics { is_head } => ("200 OK", is_head),
        Verdict::Refused(refused) => (refused.status, refused.is_head),
    })
}

/// How long a request's head may be, in bytes.
#[must_use]
pub fn head_bytes_max() -> usize {
    METRICS_HEAD_BYTES_MAX
}

/// What a call on D-Bus comes to.
#[derive(Debug)]
pub struct Called {
    /// The frame that the broker gets.
    pub frame: Vec<u8>,
}

/// What a call of `method` comes to, or the name and the text of its error. Nothing if there is no
/// such method.
#[must_use]
pub fn called_on_dbus(
    method: &str,
    body: &Body,
    payload_bytes_max: usize,
) -> Option<Result<Called, (String, String)>> {
    let outcome = frame_of_call(method, body, payload_bytes_max)?;
    Some(outcome.map(|frame| Called { frame }))
}
