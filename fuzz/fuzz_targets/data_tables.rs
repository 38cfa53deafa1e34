#![no_main]

mod data;

use albert::data::DataFormat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = data::file(".tsv", bytes);
    data::texts(file.path(), DataFormat::Tsv);
    data::texts(file.path(), DataFormat::Csv);
});
