//! The frames that relays and their clients exchange.
//!
//! u32 little-endian length of what follows, operation, one byte, and the rest. The byte stands for
//! the topic; in mode `route` it is the length of the topic, which follows as text.

pub(crate) const SUBSCRIBE: u8 = 1;
pub(crate) const PUBLISH: u8 = 2;
/// Sent back as it came.
pub(crate) const PING: u8 = 3;
/// Where a text topic begins.
pub(crate) const HEAD_BYTES: usize = 6;

/// A whole frame: where it ends, its operation, and its byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) end: usize,
    pub(crate) operation: u8,
    pub(crate) byte: u8,
}

/// The frame at `at`, if it is whole.
#[inline]
pub(crate) fn next(bytes: &[u8], at: usize) -> Option<Frame> {
    let [l0, l1, l2, l3, operation, byte, ..] = bytes[at..] else { return None };
    let end = at + 4 + u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    (end <= bytes.len()).then_some(Frame { end, operation, byte })
}

/// Where the run of publications with the topic of `first` ends.
#[inline]
pub(crate) fn run_end(bytes: &[u8], first: Frame) -> usize {
    let mut end = first.end;
    while let Some(frame) = next(bytes, end)
        && frame.operation == PUBLISH
        && frame.byte == first.byte
    {
        end = frame.end;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(list: &[(u8, u8, usize)]) -> Vec<u8> {
        let mut bytes = vec![];
        for (operation, byte, payload) in list {
            bytes.extend_from_slice(&(*payload as u32 + 2).to_le_bytes());
            bytes.extend_from_slice(&[*operation, *byte]);
            bytes.resize(bytes.len() + payload, 0);
        }
        bytes
    }

    #[test]
    fn a_frame_is_found_when_it_is_whole() {
        let bytes = frames(&[(PUBLISH, 9, 5)]);
        assert_eq!(next(&bytes, 0), Some(Frame { end: 11, operation: PUBLISH, byte: 9 }));
        assert!((0..bytes.len()).all(|cut| next(&bytes[..cut], 0).is_none()));
    }

    #[test]
    fn a_run_ends_with_its_topic_and_with_what_is_whole() {
        let bytes = frames(&[(PUBLISH, 9, 1), (PUBLISH, 9, 2), (PUBLISH, 8, 3)]);
        let first = next(&bytes, 0).unwrap();
        assert_eq!(run_end(&bytes, first), 15);
        assert_eq!(run_end(&bytes[..14], first), 7);
        let other = frames(&[(PUBLISH, 9, 1), (PING, 9, 0)]);
        assert_eq!(run_end(&other, first), 7);
    }
}
