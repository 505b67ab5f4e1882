//! What the other end of a link sends: frames of its control stream, and letters.
//!
//! The first byte of an input says how the rest is cut into pieces, as a network cuts it. However
//! that is, the same comes out; what comes out can be written, and is then read as the same. A
//! length that can't be is found out before room is made for it.

use kith_service_quic::hello::{Frame, NoFrame, frame_bytes, letter_bytes, write_letter};
use kith_service_quic::letters::Pieces;
use kith_service_quic::limits::{CONTROL_BYTES_MAX, MTU_BYTES_MAX};

type BytesOf = fn([u8; 4]) -> Result<usize, NoFrame>;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let Some((cut, rest)) = bytes.split_first() else { return };
    let cut = usize::from(*cut).max(1);
    for (bytes_of, max) in
        [(letter_bytes as BytesOf, MTU_BYTES_MAX), (frame_bytes, CONTROL_BYTES_MAX)]
    {
        let (whole, error) = read(bytes_of, rest.chunks(cut));
        assert_eq!((&whole, &error), (&read(bytes_of, [rest].into_iter()).0, &error));
        assert!(whole.iter().all(|one| (1..=max).contains(&one.len())));
        let mut written = Vec::new();
        whole.iter().for_each(|one| write_letter(one, &mut written));
        assert!(rest.starts_with(&written), "what was read is what was sent");
    }
    for frame in read(frame_bytes, [rest].into_iter()).0 {
        framed(&frame);
    }
    framed(rest);
}

fn read<'a>(
    bytes_of: BytesOf,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Option<NoFrame>) {
    let (mut pieces, mut whole) = (Pieces::new(bytes_of), Vec::new());
    for mut chunk in chunks {
        loop {
            match pieces.take(&mut chunk) {
                Ok(Some(one)) => whole.push(one),
                Ok(None) => break,
                Err(error) => return (whole, Some(error)),
            }
        }
        assert!(chunk.is_empty());
    }
    (whole, None)
}

/// A frame, without its length.
fn framed(bytes: &[u8]) {
    match Frame::parse(bytes) {
        Ok(frame) => {
            let written = frame.written();
            let (length, again) = written.split_first_chunk().expect("a length");
            assert_eq!(frame_bytes(*length), Ok(again.len()));
            assert_eq!(Frame::parse(again), Ok(frame));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
