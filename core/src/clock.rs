//! Time, as it is handed in.

/// One moment, on both clocks. The caller reads them; nothing in this crate does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back: for time-outs.
    pub monotonic_ms: u64,
    /// Milliseconds since the Unix epoch: for what messages carry. May be set back or forth.
    pub unix_ms: u64,
}
