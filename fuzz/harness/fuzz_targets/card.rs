//! Has libFuzzer look for bytes that `kith_fuzz::card` does not like.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kith_fuzz::card::target(bytes));
