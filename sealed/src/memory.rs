//! Sealed memory: made, or taken from somebody and checked.
//!
//! What is checked is what makes every later access safe, whatever its maker has in mind:
//!
//! - it is a memfd of ordinary memory. A file on a disk can't be sealed, and reading huge pages may
//!   fail where none is free;
//! - its seals: it can't grow, shrink, be written to, or lose a seal;
//! - it can be read;
//! - all of it is there. Memory that was never written is a hole, and for a hole in a mapping the
//!   kernel has to find memory when it is read; where there is none, the reader is killed.
//!
//! All who hold it share one file offset, so nothing here uses that.

use crate::mapping::Mapping;
use rustix::fs::{FsWord, MemfdFlags, OFlags, SealFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What `fstatfs` says of ordinary memory (`TMPFS_MAGIC` in `linux/magic.h`).
const MEMORY_MAGIC: FsWord = 0x0102_1994;
/// A block in `st_blocks`, whatever the file system (`stat(3type)`).
const BLOCK_BYTES: u64 = 512;

/// Memory that nobody can change any more. Closed when it is dropped; whoever else has it keeps it.
#[derive(Debug)]
pub struct SealedMemory {
    descriptor: OwnedFd,
    len: usize,
}

/// Why a descriptor is no sealed memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// Something else altogether: a file, a pipe, a socket, or a memfd of huge pages.
    #[error("the descriptor is no memfd of ordinary memory: make one with memfd_create")]
    Kind,
    /// It could still be changed.
    #[error("the memfd lacks seals: {0}; add them with fcntl(F_ADD_SEALS)")]
    Unsealed(String),
    /// It is open for writing only.
    #[error("the memfd is not open for reading")]
    Unreadable,
    /// Parts of it were never written.
    #[error("the memfd has holes: of its {len} bytes at most {present} were ever written")]
    Holes {
        /// Its size.
        len: u64,
        /// What memory it has.
        present: u64,
    },
    /// The system can't do something with it.
    #[error("can't {what} a memfd: {source}")]
    System {
        /// What it can't do.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn system(what: &'static str) -> impl Fn(Errno) -> SealedError {
    move |errno| SealedError::System { what, source: errno.into() }
}

/// The seals that make memory what it is for us, and their names.
fn seals() -> [(SealFlags, &'static str); 4] {
    [
        (SealFlags::SHRINK, "F_SEAL_SHRINK"),
        (SealFlags::GROW, "F_SEAL_GROW"),
        (SealFlags::WRITE, "F_SEAL_WRITE"),
        (SealFlags::SEAL, "F_SEAL_SEAL"),
    ]
}

impl SealedMemory {
    /// Memory with these bytes.
    ///
    /// # Errors
    /// If the system has no memory or no descriptors for it.
    pub fn create(bytes: &[u8]) -> Result<Self, SealedError> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Linux before 6.3 doesn't know that memory may be no program; later ones may insist.
        let descriptor =
            match rustix::fs::memfd_create("kith-payload", flags | MemfdFlags::NOEXEC_SEAL) {
                Err(Errno::INVAL) => rustix::fs::memfd_create("kith-payload", flags),
                made => made,
            };
        let mut file = File::from(descriptor.map_err(system("make"))?);
        file.write_all(bytes).map_err(|source| SealedError::System { what: "write to", source })?;
        let all = seals().into_iter().fold(SealFlags::empty(), |all, (seal, _)| all | seal);
        rustix::fs::fcntl_add_seals(&file, all).map_err(system("seal"))?;
        Ok(Self { descriptor: file.into(), len: bytes.len() })
    }

    /// Takes a descriptor that somebody else has made, and checks that it is sealed memory.
    ///
    /// # Errors
    /// Says what it is not. The descriptor is closed then.
    pub fn from_fd(descriptor: OwnedFd) -> Result<Self, SealedError> {
        let found = rustix::fs::fcntl_get_seals(&descriptor).map_err(|_| SealedError::Kind)?;
        let is_missing = |(seal, _): &(SealFlags, &str)| !found.contains(*seal);
        let missing: Vec<&str> =
            seals().into_iter().filter(is_missing).map(|(_, name)| name).collect();
        if !missing.is_empty() {
            return Err(SealedError::Unsealed(missing.join(", ")));
        }
        let system_of = rustix::fs::fstatfs(&descriptor).map_err(system("look at"))?;
        if system_of.f_type != MEMORY_MAGIC {
            return Err(SealedError::Kind);
        }
        let opened = rustix::fs::fcntl_getfl(&descriptor).map_err(system("look at"))?;
        if opened & OFlags::ACCMODE == OFlags::WRONLY {
            return Err(SealedError::Unreadable);
        }
        let status = rustix::fs::fstat(&descriptor).map_err(system("look at"))?;
        let len = u64::try_from(status.st_size).unwrap_or(0);
        let present = u64::try_from(status.st_blocks).unwrap_or(0).saturating_mul(BLOCK_BYTES);
        if present < len {
            return Err(SealedError::Holes { len, present });
        }
        // On the platforms that we know every size of a file that is in memory fits.
        let len = usize::try_from(len).map_err(|_| SealedError::Kind)?;
        Ok(Self { descriptor, len })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes, in place.
    ///
    /// # Errors
    /// If the process can't map more memory.
    pub fn map(&self) -> Result<Mapping, SealedError> {
        Mapping::new(self).map_err(system("map"))
    }

    /// Appends a copy of its bytes.
    ///
    /// # Errors
    /// If the system can't read it, e.g. because it was swapped out to a disk that has failed.
    pub fn read_into(&self, out: &mut Vec<u8>) -> Result<(), SealedError> {
        out.reserve_exact(self.len);
        let mut at = 0;
        while at < self.len {
            let spare = rustix::buffer::spare_capacity(out);
            match rustix::io::pread(&self.descriptor, spare, at as u64) {
                // Not as long as its seals hold.
                Ok(0) => return Err(system("read")(Errno::IO)),
                Ok(read) => at += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(system("read")(errno)),
            }
        }
        Ok(())
    }
}

impl AsFd for SealedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, fcntl_add_seals, ftruncate, memfd_create, open};
    use std::os::fd::AsRawFd;

    fn memfd(bytes: usize, seals: SealFlags) -> OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("test", flags).unwrap());
        file.write_all(&vec![b'x'; bytes]).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file.into()
    }

    fn all_seals() -> SealFlags {
        SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL
    }

    fn refused(descriptor: OwnedFd) -> String {
        SealedMemory::from_fd(descriptor).unwrap_err().to_string()
    }

    #[test]
    fn what_was_created_is_taken_and_reads_the_same() {
        for bytes in [&b""[..], b"x", &vec![b'y'; 100_000]] {
            let made = SealedMemory::create(bytes).unwrap();
            let taken = SealedMemory::from_fd(made.as_fd().try_clone_to_owned().unwrap()).unwrap();
            assert_eq!((taken.len(), taken.is_empty()), (bytes.len(), bytes.is_empty()));
            let mut read = b"before ".to_vec();
            taken.read_into(&mut read).unwrap();
            assert_eq!(read, [b"before ", bytes].concat());
            assert_eq!(&*taken.map().unwrap(), bytes);
        }
    }

    #[test]
    fn nothing_changes_it_any_more() {
        let made = SealedMemory::create(&[b'x'; 5_000]).unwrap();
        let descriptor = made.as_fd();
        assert_eq!(ftruncate(descriptor, 4_999), Err(Errno::PERM));
        assert_eq!(ftruncate(descriptor, 5_001), Err(Errno::PERM));
        assert_eq!(rustix::io::pwrite(descriptor, b"y", 0), Err(Errno::PERM));
        assert_eq!(fcntl_add_seals(descriptor, SealFlags::empty()), Err(Errno::PERM));
        assert_eq!(made.map().unwrap()[..], [b'x'; 5_000]);
    }

    #[test]
    fn what_is_no_memfd_is_refused() {
        let text = "the descriptor is no memfd of ordinary memory: make one with memfd_create";
        let file = tempfile::tempfile().unwrap();
        assert_eq!(refused(file.into()), text);
        let (read, _write) = io::pipe().unwrap();
        assert_eq!(refused(read.into()), text);
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(refused(one.into()), text);
    }

    #[test]
    fn what_could_still_change_is_refused_by_the_seals_that_it_lacks() {
        for (seal, name) in seals() {
            let found = refused(memfd(10, all_seals() - seal));
            let way_out = "add them with fcntl(F_ADD_SEALS)";
            assert_eq!(found, format!("the memfd lacks seals: {name}; {way_out}"));
        }
        let found = refused(memfd(10, SealFlags::empty()));
        assert!(found.contains(": F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL; "));
    }

    #[test]
    fn what_is_not_all_there_is_refused() {
        let hole = memfd(4_096, SealFlags::empty());
        ftruncate(&hole, 1 << 20).unwrap();
        fcntl_add_seals(&hole, all_seals()).unwrap();
        let found = refused(hole);
        assert!(found.contains("of its 1048576 bytes at most 4096 were ever written"), "{found}");
    }

    #[test]
    fn what_shrank_before_it_was_sealed_has_the_size_that_it_has() {
        let shrunk = memfd(100_000, SealFlags::empty());
        ftruncate(&shrunk, 10).unwrap();
        fcntl_add_seals(&shrunk, all_seals()).unwrap();
        assert_eq!(SealedMemory::from_fd(shrunk).unwrap().len(), 10);
    }

    #[test]
    fn what_is_open_for_writing_only_is_refused() {
        let made = SealedMemory::create(b"x").unwrap();
        let path = format!("/proc/self/fd/{}", made.as_fd().as_raw_fd());
        let writing = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(refused(writing), "the memfd is not open for reading");
    }
}
