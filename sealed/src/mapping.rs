//! The bytes of sealed memory, in place: the one file with `unsafe`.
//!
//! A slice promises that its bytes stay as they are and stay there. Of a mapped file nobody can
//! promise that: another process may write to it, or cut it off, and then a read kills the process.
//! Sealed memory can be neither written to nor cut off, by anybody, ever; and all of it is there.
//! [`SealedMemory`] can't be made without that being checked.

#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

use crate::memory::SealedMemory;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fmt;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::slice;

/// The bytes of a [`SealedMemory`], for reading. They stay also when that is dropped.
pub struct Mapping {
    /// Where they begin; dangling where there are none.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it owns its mapping, and nobody can write to that: it is memory like a `Box<[u8]>` that
// is only ever read.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn new(memory: &SealedMemory) -> rustix::io::Result<Self> {
        let len = memory.len();
        if len == 0 {
            return Ok(Self { start: NonNull::dangling(), len });
        }
        // Private, since before Linux 6.7 what is sealed can't be mapped shared.
        // SAFETY: with no address wished for, the kernel takes a range that nothing else uses.
        let start = unsafe {
            mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, memory.as_fd(), 0)
        }?;
        // The kernel never maps at 0 where nobody asks for it.
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { start, len })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the beginning of `len` bytes that are mapped until this is dropped, or
        // dangling and `len` 0. They are initialised and don't change: the memory is sealed. The
        // length of a file that is in memory fits an `isize`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mapping").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: this range was mapped by `new`, is unmapped only here, and no slice of it
            // outlives this. It can't fail for a whole mapping, and nothing could be done.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_outlives_its_memory_and_goes_to_other_threads() {
        let mapping = SealedMemory::create(&vec![b'x'; 70_000]).unwrap().map().unwrap();
        let sum = std::thread::spawn(move || mapping.iter().map(|byte| u64::from(*byte)).sum());
        assert_eq!(sum.join().ok(), Some(70_000 * u64::from(b'x')));
    }

    #[test]
    fn it_is_given_back() {
        let memory = SealedMemory::create(&vec![b'x'; 1 << 20]).unwrap();
        // As many as this would not fit the address space or the kernel's count of mappings.
        for _ in 0..70_000 {
            assert_eq!(memory.map().unwrap().len(), 1 << 20);
        }
        let nothing = SealedMemory::create(b"").unwrap().map().unwrap();
        assert_eq!(format!("{nothing:?}"), "Mapping { len: 0, .. }");
    }
}
