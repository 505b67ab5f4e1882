//! The text of a moment ago, for whoever asks again at once.
//!
//! Making it takes the broker's thread: it looks at every client, and asks the kernel. Whoever can
//! reach the metrics may ask as often as they like, on a loopback address also other users of the
//! machine; so it is made once in a while, and whoever asks within that while gets a copy. Nothing
//! is made that nobody asks for.

use crate::limits::METRICS_KEPT_MS;
use std::rc::Rc;

/// The text that was made last.
#[derive(Debug, Default)]
pub(super) struct Kept {
    last: Option<Made>,
}

#[derive(Debug)]
struct Made {
    at_ms: u64,
    text: Rc<str>,
}

impl Kept {
    /// The text of this moment of the monotonic clock, or of one not long before it.
    pub(super) fn text(&mut self, now_ms: u64, make: impl FnOnce() -> String) -> Rc<str> {
        if let Some(Made { at_ms, text }) = &self.last
            && now_ms.saturating_sub(*at_ms) < METRICS_KEPT_MS
        {
            return Rc::clone(text);
        }
        let text = Rc::from(make());
        self.last = Some(Made { at_ms: now_ms, text: Rc::clone(&text) });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_somebody_asks_it_is_made_once_in_a_while() {
        let mut kept = Kept::default();
        let mut made_at = Vec::new();
        let while_ms = METRICS_KEPT_MS;
        for now_ms in (7..7 + 3 * while_ms).flat_map(|now_ms| [now_ms; 4]) {
            let text = kept.text(now_ms, || {
                made_at.push(now_ms);
                now_ms.to_string()
            });
            assert_eq!(Some(&*text), made_at.last().map(u64::to_string).as_deref());
        }
        assert_eq!(made_at, [7, 7 + while_ms, 7 + 2 * while_ms]);
        // Nobody asked for long: what comes then is new.
        assert_eq!(&*kept.text(1_000_000, || "new".to_owned()), "new");
    }
}
