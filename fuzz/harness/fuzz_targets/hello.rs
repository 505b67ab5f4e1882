//! Has libFuzzer look for bytes that `kith_fuzz::hello` does not like.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kith_fuzz::hello::target(bytes));
