//! Looking through frames that this library wrote itself.

use kith_sealed::SealedMemory;
use kith_wire::binary::{Frame, LENGTH_BYTES, deliver, split};

/// Where the number stands in a frame.
const NUMBER_AT: usize = LENGTH_BYTES + 4;

/// The whole frames that `bytes` begins with.
pub(super) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let frame = split(bytes, usize::MAX).ok().flatten()?;
        bytes = bytes.get(frame.bytes.len()..)?;
        Some(frame)
    })
}

/// A frame whose payload is in a descriptor, with the payload in it; nothing if that can't be read.
pub(super) fn inlined(frame: &[u8], memory: &SealedMemory) -> Option<Vec<u8>> {
    let mut whole = frame.to_vec();
    let read = |out: &mut Vec<u8>| memory.read_into(out).is_ok();
    deliver::inline(&mut whole, read).then_some(whole)
}

/// Puts a number into a frame that was written without.
pub(super) fn put_number(frame: &mut [u8], number: u32) {
    if let Some(field) = frame.get_mut(NUMBER_AT..NUMBER_AT + 4) {
        field.copy_from_slice(&number.to_le_bytes());
    }
}
