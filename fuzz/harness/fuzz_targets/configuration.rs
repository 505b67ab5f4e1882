//! Has libFuzzer look for bytes that `kith_fuzz::configuration` does not like.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kith_fuzz::configuration::target(bytes));
