//! Has libFuzzer look for bytes that `kith_fuzz::session` does not like.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kith_fuzz::session::target(bytes));
