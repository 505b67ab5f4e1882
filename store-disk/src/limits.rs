//! Bounds of the store on a disk, with the reasons.

/// Batches that go into one commit. The larger, the less a sync costs each; with so many it costs
/// nothing any more.
pub const GROUP_BATCHES_MAX: usize = 4096;

/// Bytes of the batches that go into one commit, unless one alone is larger: what a slow disk
/// writes in a tenth of a second, so that nobody waits much longer for others' messages.
pub const GROUP_BYTES_MAX: usize = 8 << 20;

/// Bytes of batches that wait to be written. A disk that falls so far behind is as good as none;
/// what comes on top is refused until it has caught up.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Pages in SQLite's log that start a checkpoint: 16 MiB. More makes checkpoints rarer, and
/// opening after a crash slower.
pub(crate) const CHECKPOINT_PAGES_MAX: u32 = 4096;

/// What of SQLite's log is kept as a file between checkpoints.
pub(crate) const LOG_KEPT_BYTES_MAX: u32 = 64 << 20;

/// SQLite's cache of pages: the inner pages of a million records.
pub(crate) const PAGE_CACHE_KIB_MAX: u32 = 8 << 10;

/// Damaged records that are moved aside one by one. With more the whole file is put aside.
pub(crate) const LONE_RECORDS_MAX: usize = 256;

/// Bytes of such records, which are in memory meanwhile.
pub(crate) const LONE_BYTES_MAX: usize = 64 << 20;

/// Bytes of the records that go into one commit while a damaged store is saved.
pub(crate) const SAVED_AT_ONCE_BYTES_MAX: usize = 4 << 20;

/// Directories below a store's: sled has one.
pub(crate) const TREE_DEPTH_MAX: usize = 4;

/// Damaged files put aside within one second, before it is taken for a loop.
pub(crate) const PUT_ASIDE_PER_SECOND_MAX: usize = 16;

/// sled's cache of pages, as large as SQLite's.
#[cfg(feature = "sled")]
pub(crate) const SLED_CACHE_BYTES_MAX: u64 = 8 << 20;

/// How often sled's lock is tried: a second in all, and it is usually free at once.
#[cfg(feature = "sled")]
pub(crate) const SLED_LOCK_TRIES_MAX: u32 = 100;

/// How long to wait between two tries.
#[cfg(feature = "sled")]
pub(crate) const SLED_LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(10);
