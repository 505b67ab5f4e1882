//! The numbers of this crate, with their reasons.

/// Descriptors that one call sends or receives: more the kernel refuses (`SCM_MAX_FD`).
pub const DESCRIPTORS_PER_CALL_MAX: usize = 253;
