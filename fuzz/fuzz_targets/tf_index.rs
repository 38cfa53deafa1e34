#![no_main]

mod common;

const DATA: &[u8] = include_bytes!("../../tests/golden/formats/google_partitioned/model.ckpt-best.data-00000-of-00001");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    common::read_all("model.ckpt-best.index", bytes, &[("model.ckpt-best.data-00000-of-00001", DATA)]);
});
