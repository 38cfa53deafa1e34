#![no_main]

mod data;

use albert::data::DataFormat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = data::file(".conll", bytes);
    data::tokens(file.path(), DataFormat::Conll);
});
