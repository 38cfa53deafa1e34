#![no_main]

mod tokenizer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokenizer::use_all(&[("tokenizer.json", bytes)], bytes));
