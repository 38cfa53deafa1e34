#![no_main]

mod data;

use albert::data::DataFormat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = data::file(".json", bytes);
    data::questions(file.path(), DataFormat::Squad);
    data::questions(file.path(), DataFormat::Auto);
});
