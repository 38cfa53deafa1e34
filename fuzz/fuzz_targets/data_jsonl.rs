#![no_main]

mod data;

use albert::data::DataFormat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = data::file(".jsonl", bytes);
    data::texts(file.path(), DataFormat::Jsonl);
    data::tokens(file.path(), DataFormat::Jsonl);
    data::questions(file.path(), DataFormat::Jsonl);
    data::choices(file.path(), DataFormat::Jsonl);
});
