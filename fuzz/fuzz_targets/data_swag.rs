#![no_main]

mod data;

use albert::data::DataFormat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = data::file(".csv", bytes);
    data::choices(file.path(), DataFormat::Swag);
});
