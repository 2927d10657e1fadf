#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skykeep_fuzz::targets::record(bytes));
