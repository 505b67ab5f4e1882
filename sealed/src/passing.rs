//! Bytes on a Unix socket, and descriptors with them (`SCM_RIGHTS`, `unix(7)`).
//!
//! Linux ties the descriptors of a call to the first byte of that call. If fewer bytes were taken
//! than given, the descriptors have gone with them all the same, and must not be sent again. A
//! receiver's call ends where bytes end that came with descriptors, so that it got less than it had
//! room for does not mean that nothing more is there.

use crate::limits::DESCRIPTORS_PER_CALL_MAX;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Room for the descriptors of one call.
type Space = [MaybeUninit<u8>; rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_CALL_MAX))];

/// What one call received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes; none means that the peer has said all.
    pub bytes: usize,
    /// Descriptors were lost: this process may not open so many files.
    pub is_cut_off: bool,
}

/// Sends bytes, and with the first of them these descriptors, at most
/// [`DESCRIPTORS_PER_CALL_MAX`]. Returns how many bytes were taken.
///
/// # Errors
/// Those of `sendmsg(2)`; then no descriptor was sent. See [`is_too_many`].
pub fn send(
    socket: impl AsFd,
    slices: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space: Space = [MaybeUninit::uninit(); _];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let rights = SendAncillaryMessage::ScmRights(descriptors);
    if !descriptors.is_empty() && !ancillary.push(rights) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    Ok(sendmsg(socket, slices, &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// Whether descriptors were not sent because so many of this user's are under way already
/// (`ETOOMANYREFS`). Bytes alone can be sent.
#[must_use]
pub fn is_too_many(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error())
}

/// Receives bytes, and appends the descriptors that came with them.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    let mut space: Space = [MaybeUninit::uninit(); _];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let is_cut_off = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Received { bytes: received.bytes, is_cut_off })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::SealedMemory;
    use std::os::unix::net::UnixStream;

    #[test]
    fn descriptors_come_with_the_bytes_of_their_call_and_in_their_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let payloads = [&b"first"[..], b"second", b"third"];
        let memories = payloads.map(|payload| SealedMemory::create(payload).unwrap());
        let all: Vec<_> = memories.iter().map(AsFd::as_fd).collect();
        assert_eq!(send(&one, &[IoSlice::new(b"plain ")], &[]).unwrap(), 6);
        let slices = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        assert_eq!(send(&one, &slices, &all[..2]).unwrap(), 2);
        assert_eq!(send(&one, &[IoSlice::new(b"c")], &all[2..]).unwrap(), 1);
        drop(memories);
        drop(one);
        let (mut bytes, mut found) = (Vec::new(), Vec::new());
        loop {
            let mut buffer = [0; 100];
            let received = receive(&other, &mut buffer, &mut found).unwrap();
            assert!(!received.is_cut_off);
            if received.bytes == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..received.bytes]);
        }
        assert_eq!(bytes, b"plain abc");
        let found = found.into_iter().map(|one| SealedMemory::from_fd(one).unwrap());
        assert!(found.map(|one| one.map().unwrap().to_vec()).eq(payloads));
    }

    #[test]
    fn as_many_as_one_call_takes_and_no_more() {
        let (one, other) = UnixStream::pair().unwrap();
        let memory = SealedMemory::create(b"x").unwrap();
        let many = vec![memory.as_fd(); DESCRIPTORS_PER_CALL_MAX + 1];
        let refused = send(&one, &[IoSlice::new(b"x")], &many).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        send(&one, &[IoSlice::new(b"x")], &many[1..]).unwrap();
        let mut found = Vec::new();
        let received = receive(&other, &mut [0; 9], &mut found).unwrap();
        assert_eq!(received, Received { bytes: 1, is_cut_off: false });
        assert_eq!(found.len(), DESCRIPTORS_PER_CALL_MAX);
    }
}
