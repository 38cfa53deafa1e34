#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::read_all("tf_model.h5", bytes, &[]));
