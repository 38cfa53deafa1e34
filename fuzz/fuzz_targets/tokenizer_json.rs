#![no_main]

mod tokenizer;

// Panics of the library that albert catches count only if `ALBERT_FUZZ_STRICT` is set.
libfuzzer_sys::fuzz_target!(
    init: {
        if std::env::var_os("ALBERT_FUZZ_STRICT").is_none() {
            std::panic::set_hook(Box::new(|_| {}));
        }
    },
    |bytes: &[u8]| tokenizer::use_all(&[("tokenizer.json", bytes)], bytes)
);
