//! What goes through the pipes: frames, each with its length before it.
//!
//! ```text
//! length  4 bytes, big-endian: of what follows
//! kind    1 byte: 0 greeting, 1 letter, 2 goodbye
//! bytes   of a greeting the version and 8 bytes, the life; of a letter the sealed bytes; of a
//!         goodbye none
//! ```
//!
//! The greeting comes first. A life is a number that each end changes whenever it begins anew, so
//! that the other end sees that it did. What is no frame ends the link: in a pipe nobody can tell
//! where the next frame would begin.
//!
//! Deliberately absent: sums and repeats. A pipe loses and changes nothing, and what is in a letter
//! is sealed.

/// The version in a greeting.
pub const VERSION: u8 = 1;

const LENGTH_BYTES: usize = 4;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The other end is there.
    Greeting {
        /// What it speaks.
        version: u8,
        /// Which of its lives this is.
        life: u64,
    },
    /// Sealed bytes.
    Letter(Vec<u8>),
    /// The other end leaves.
    Goodbye,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// Longer than a letter may be, or empty.
    Length(u32),
    /// Of no kind that there is, or not as long as its kind.
    Kind(u8),
}

impl std::fmt::Display for NoFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length(length) => write!(f, "a frame can't have {length} bytes"),
            Self::Kind(kind) => write!(f, "no frame of kind {kind} is like this"),
        }
    }
}

/// The bytes of a frame.
#[must_use]
pub fn written(frame: &Frame) -> Vec<u8> {
    let greeting;
    let (kind, rest): (u8, &[u8]) = match frame {
        Frame::Greeting { version, life } => {
            greeting = [&[*version][..], &life.to_be_bytes()].concat();
            (0, &greeting)
        }
        Frame::Letter(letter) => (1, letter),
        Frame::Goodbye => (2, &[]),
    };
    // A letter of the contract is far shorter than 4 GiB.
    let length = u32::try_from(rest.len() + 1).unwrap_or(u32::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(rest);
    bytes
}

/// What was read and is no whole frame yet.
#[derive(Clone, Debug)]
pub struct Frames {
    unread: Vec<u8>,
    letter_bytes_max: u32,
}

impl Frames {
    /// For frames with letters of up to so many bytes.
    #[must_use]
    pub fn new(letter_bytes_max: u32) -> Self {
        Self { unread: Vec::new(), letter_bytes_max }
    }

    /// Takes in what was read.
    pub fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// If what was read is none. Nothing that follows can be read either.
    pub fn take(&mut self) -> Result<Option<Frame>, NoFrame> {
        let Some((length, rest)) = self.unread.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        if length == 0 || length > self.letter_bytes_max.saturating_add(1) {
            return Err(NoFrame::Length(length));
        }
        let whole = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((kind, bytes)) = rest.get(..whole).and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        let frame = match (*kind, bytes) {
            (0, [version, life @ ..]) if let Ok(life) = life.try_into() => {
                Frame::Greeting { version: *version, life: u64::from_be_bytes(life) }
            }
            (1, [_, ..]) => Frame::Letter(bytes.to_vec()),
            (2, []) => Frame::Goodbye,
            (kind, _) => return Err(NoFrame::Kind(kind)),
        };
        self.unread.drain(..LENGTH_BYTES + whole);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_however_they_are_cut() {
        let all = [
            Frame::Greeting { version: 1, life: 7 << 40 },
            Frame::Letter(vec![7; 300]),
            Frame::Goodbye,
        ];
        let bytes: Vec<u8> = all.iter().flat_map(written).collect();
        for step in 1..bytes.len() {
            let mut frames = Frames::new(300);
            let mut read = Vec::new();
            for chunk in bytes.chunks(step) {
                frames.read(chunk);
                while let Some(frame) = frames.take().unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, all);
        }
    }

    #[test]
    fn what_is_no_frame_is_found_out_at_once() {
        let next = |bytes: &[u8]| {
            let mut frames = Frames::new(300);
            frames.read(bytes);
            frames.take()
        };
        assert_eq!(next(&[0, 0, 0, 0]), Err(NoFrame::Length(0)));
        assert_eq!(next(&[0, 0, 1, 0x2e]), Err(NoFrame::Length(302)));
        assert_eq!(next(&[0, 0, 0, 1, 9]), Err(NoFrame::Kind(9)));
        assert_eq!(next(&[0, 0, 0, 1, 1]), Err(NoFrame::Kind(1)), "an empty letter");
        assert_eq!(next(b"GET / HTTP/1.1"), Err(NoFrame::Length(0x4745_5420)));
        assert_eq!(next(&[0, 0, 0]), Ok(None));
    }
}
