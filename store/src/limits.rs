//! What a record may be, with the reasons.

/// A key. Callers' keys are a letter and a few numbers; some hold a topic.
pub const KEY_BYTES_MAX: usize = 4096;

/// A value. An engine takes up to a thousand million bytes in one, of which the seal needs a few.
pub const VALUE_BYTES_MAX: usize = 900_000_000;

/// Memory that a store keeps from one commit to the next, so that ordinary ones allocate nothing.
pub const SEALED_KEPT_BYTES_MAX: usize = 1 << 20;

/// Records of a page that a scan asks for when it says nothing else.
pub const PAGE_RECORDS_MAX: usize = 1024;

/// Bytes of such a page: few enough to hold beside everything else.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
