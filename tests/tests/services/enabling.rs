//! enabling
