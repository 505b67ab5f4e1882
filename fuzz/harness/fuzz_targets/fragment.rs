//! Has libFuzzer look for bytes that `kith_fuzz::fragment` does not like.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kith_fuzz::fragment::target(bytes));
