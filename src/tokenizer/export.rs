//! A SentencePiece model as a `tokenizer.json`, in the form the ALBERT models of 2020 have it.

use super::python::is_digit;
use super::settings;
use super::slow::Slow;
use sentencepiece_model::Type;
use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

/// The JSON of a `tokenizers` pipeline with the same ids, but for the few texts named in the module's
/// documentation.
pub(super) fn tokenizer_json(slow: &Slow) -> Value {
    let mut added: Vec<_> = slow.added.tokens.iter().collect();
    added.sort_by_key(|(id, _)| *id);
    let mut vocab: Vec<Value> =
        slow.pieces.iter().map(|(text, score, _)| json!([text, score_of(text, *score)])).collect();
    for (id, token) in &added {
        // An entry of `added_tokens_decoder` may give a piece another name.
        if let Some(piece) = vocab.get_mut(*id as usize).and_then(Value::as_array_mut)
            && slow.pieces.iter().all(|piece| piece.0 != token.content)
        {
            piece[0] = token.content.as_str().into();
        }
    }
    vocab.extend(up_to_the_last_hole(slow, &added));
    let added: Vec<Value> = added.into_iter().map(|(id, token)| settings::json(*id, token)).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer(slow),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        ]},
        "post_processor": template(slow),
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": slow.model.unknown, "vocab": vocab,
                  "byte_fallback": slow.model.bytes.is_some()},
    })
}

/// Readers number added tokens after the vocabulary without a gap. Where there is one, the vocabulary has to go on to
/// its end.
fn up_to_the_last_hole(slow: &Slow, added: &[&(u32, AddedToken)]) -> Vec<Value> {
    let size = slow.pieces.len() as u32;
    let ids: Vec<u32> = added.iter().map(|(id, _)| *id).filter(|id| *id >= size).collect();
    let mut end = ids.last().map_or(size, |last| last.saturating_add(1));
    for id in ids.iter().rev() {
        // Those behind the last gap get their ids by themselves.
        if id.saturating_add(1) != end {
            break;
        }
        end = *id;
    }
    // The worst score decides what unknown text costs: it stays the worst.
    let normal = slow.pieces.iter().filter(|piece| piece.2 == Type::Normal);
    let worst = f64::from(normal.map(|piece| piece.1).fold(0.0, f32::min));
    let text = |id| slow.token(id).map_or_else(|| format!("\u{f8ff}{id}"), str::to_owned);
    (size..end.min(size.saturating_add(MOST_FILLED))).map(|id| json!([text(id), worst])).collect()
}

/// Ids that are filled at most; no vocabulary has larger gaps.
const MOST_FILLED: u32 = 1 << 20;

/// Pieces that end in a digit and a comma are put out of reach: the reference cuts them.
fn score_of(text: &str, score: f32) -> f64 {
    let mut last = text.chars().rev();
    let number = last.next() == Some(',') && last.next().is_some_and(is_digit);
    f64::from(score) - if number { 100.0 } else { 0.0 }
}

fn normalizer(slow: &Slow) -> Value {
    let replace =
        |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
    let mut steps = vec![
        // Python's white space that the table would drop.
        json!({"type": "Replace", "pattern": {"Regex": "[\u{b}\u{1c}-\u{1f}]"}, "content": " "}),
        replace("``", "\""),
        replace("''", "\""),
    ];
    if !slow.options.keep_accents {
        steps.extend([json!({"type": "NFKD"}), json!({"type": "StripAccents"})]);
    }
    if slow.options.lower {
        steps.push(json!({"type": "Lowercase"}));
    }
    if !slow.table.is_empty() {
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": base64(&slow.table)}));
    }
    json!({"type": "Sequence", "normalizers": steps})
}

/// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, or nothing if the model has no such tokens.
fn template(slow: &Slow) -> Value {
    let (Some(cls), Some(sep)) = (&slow.specials.cls, &slow.specials.sep) else { return Value::Null };
    let special = |(id, token): &(u32, String)| json!({"id": token, "ids": [id], "tokens": [token]});
    let piece =
        |(_, token): &(u32, String), kind: u32| json!({"SpecialToken": {"id": token, "type_id": kind}});
    let sequence = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    json!({
        "type": "TemplateProcessing",
        "single": [piece(cls, 0), sequence("A", 0), piece(sep, 0)],
        "pair": [piece(cls, 0), sequence("A", 0), piece(sep, 0), sequence("B", 1), piece(sep, 1)],
        "special_tokens": Map::from_iter([(cls.1.clone(), special(cls)), (sep.1.clone(), special(sep))]),
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for n in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= three.len() { digit as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_as_in_its_rfc() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(super::base64(plain.as_bytes()), coded);
        }
        assert_eq!(super::base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
