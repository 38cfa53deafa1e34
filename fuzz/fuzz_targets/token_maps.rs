#![no_main]

//! The first byte selects the tokenizer. `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and a
//! text follow, separated by zero bytes.

mod tokenizer;

const SPIECE: &[u8] = include_bytes!("../../tests/golden/tokenizer/spiece.model");
const VOCAB: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused1]\nthe\na\nb\n##b\n[\n]\n<\n>\ne\n1\n";
const BERT: &[u8] = include_bytes!("../../tests/golden/tokenizer/added/bert.json");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let main = match kind % 3 {
        0 => ("vocab.txt", VOCAB),
        1 => ("spiece.model", SPIECE),
        _ => ("tokenizer.json", BERT),
    };
    let mut parts = rest.splitn(4, |byte| *byte == 0);
    let mut files = vec![main];
    for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
        let part = parts.next().unwrap_or_default();
        if !part.is_empty() {
            files.push((name, part));
        }
    }
    tokenizer::use_all(&files, parts.next().unwrap_or_default());
});
