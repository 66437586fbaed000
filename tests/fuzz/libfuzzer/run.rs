//! Any of the targets: each has the name of its binary.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::target(env!("CARGO_BIN_NAME"))(bytes));
