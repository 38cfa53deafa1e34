//! Converts a SentencePiece model to a `tokenizer.json` in the form used by the ALBERT models of 2020.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use super::named;
use super::piece::SPACE;
use super::sentencepiece_tokenizer::SentencePieceTokenizer;
use super::spiece_proto::{ModelType, Type};
use super::unicode::{is_digit, is_space};
use serde_json::{Map, Value, json};
use tokenizers::AddedToken;
use unicode_normalization::char::canonical_combining_class;

/// Returns the JSON of a `tokenizers` pipeline. Unless there is an [`obstacle`], its ids are the same, except for the few
/// texts listed in the documentation of the parent module.
pub(super) fn tokenizer_json(slow: &SentencePieceTokenizer) -> Value {
    let mut added: Vec<_> = slow.added.tokens.iter().collect();
    added.sort_by_key(|(id, _)| *id);
    let is_special =
        |id| slow.added.token(id).is_some() || slow.specials.all().iter().any(|special| special.0 == id);
    let piece = |(id, (text, score, kind)): (u32, &(String, f32, Type))| {
        let is_reserved = matches!(kind, Type::Control | Type::Byte) && !is_special(id);
        let is_reached = !is_reserved && !ends_in_number(text);
        json!([text, f64::from(*score) - if is_reached { 0.0 } else { 100.0 }])
    };
    let mut vocab: Vec<Value> = (0u32..).zip(&slow.pieces).map(piece).collect();
    for (id, token) in &added {
        // An entry of `added_tokens_decoder` may rename a piece.
        if let Some(piece) = vocab.get_mut(*id as usize).and_then(Value::as_array_mut)
            && slow.pieces.iter().all(|piece| piece.0 != token.content)
        {
            piece[0] = token.content.as_str().into();
        }
    }
    vocab.extend(up_to_the_last_hole(slow, &added));
    let added: Vec<Value> = added.into_iter().map(|(id, token)| named::json(*id, token)).collect();
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

/// Returns vocabulary entries up to the last gap in the ids of added tokens. Readers number added tokens after the
/// vocabulary without gaps, so the vocabulary must extend to the end of the last gap.
fn up_to_the_last_hole(slow: &SentencePieceTokenizer, added: &[&(u32, AddedToken)]) -> Vec<Value> {
    let size = slow.pieces.len() as u32;
    let ids: Vec<u32> = added.iter().map(|(id, _)| *id).filter(|id| *id >= size).collect();
    let mut end = ids.last().map_or(size, |last| last.saturating_add(1));
    for id in ids.iter().rev() {
        // Tokens after the last gap get their ids from their order.
        if id.saturating_add(1) != end {
            break;
        }
        end = *id;
    }
    // The lowest score determines the cost of unknown text, so it must remain the lowest.
    let normal = slow.pieces.iter().filter(|piece| piece.2 == Type::Normal);
    let worst = f64::from(normal.map(|piece| piece.1).fold(0.0, f32::min));
    let text = |id| slow.token(id).map_or_else(|| format!("\u{f8ff}{id}"), str::to_owned);
    (size..end.min(size.saturating_add(MOST_FILLED))).map(|id| json!([text(id), worst])).collect()
}

/// Maximum number of ids to fill in. No vocabulary has larger gaps.
const MOST_FILLED: u32 = 1 << 20;

impl SentencePieceTokenizer {
    /// Returns a text that determines the ids of every input.
    pub(super) fn identity(&self) -> String {
        let json = tokenizer_json(self).to_string();
        if obstacle(self).is_none() {
            return json;
        }
        let m = &self.model;
        let kinds: Vec<i32> = self.pieces.iter().map(|piece| piece.2 as i32).collect();
        let switches = [m.suffix, m.dummy_prefix, m.remove_extra_spaces, m.space == SPACE];
        format!("{json} {:?} {switches:?} {kinds:?}", m.method)
    }
}

/// Returns the reason why no pipeline gives the same ids; `None` if one does.
pub(super) fn obstacle(slow: &SentencePieceTokenizer) -> Option<String> {
    let model = &slow.model;
    if model.method != ModelType::Unigram {
        return Some(format!("the SentencePiece model is of type {}", model.method.name()));
    }
    let has_inner_space = |text: &str| text.chars().skip(1).any(|c| c == '▁') || text.contains(is_space);
    let is_produced = |kind| matches!(kind, Type::Normal | Type::UserDefined);
    let joins_words = slow.pieces.iter().find(|p| is_produced(p.2) && has_inner_space(&p.0));
    let symbols = || slow.pieces.iter().filter(|p| p.2 == Type::UserDefined);
    // The model treats text spelled like a control piece as unknown, whereas a pipeline would produce the piece.
    let is_word = |(id, piece): &(u32, &(String, f32, Type))| {
        piece.2 == Type::Control
            && !piece.0.starts_with(['<', '['])
            && slow.specials.all().iter().all(|special| special.0 != *id)
    };
    let problem = if model.suffix {
        "the SentencePiece model has spaces as suffixes".to_owned()
    } else if model.space != SPACE {
        "the SentencePiece model does not escape spaces".to_owned()
    } else if !model.dummy_prefix {
        "the SentencePiece model adds no space before a text".to_owned()
    } else if !model.remove_extra_spaces {
        "the SentencePiece model keeps repeated spaces".to_owned()
    } else if let Some((piece, ..)) = joins_words {
        format!("the piece \"{piece}\" of the SentencePiece model reaches over a space")
    } else if let Some((piece, ..)) = slow.pieces.iter().find(|p| p.2 == Type::Unused) {
        format!("the piece \"{piece}\" of the SentencePiece model is unused")
    } else if let Some((_, (piece, ..))) = (0u32..).zip(&slow.pieces).find(is_word) {
        format!("the control piece \"{piece}\" of the SentencePiece model is a word")
    } else if let Some((symbol, ..)) = symbols().find(|p| model.changes(&p.0)) {
        format!("the SentencePiece model normalizes all but its symbol \"{symbol}\"")
    } else {
        return None;
    };
    Some(problem)
}

/// Returns true for pieces that end in a digit and a comma, which the reference tokenizer splits.
fn ends_in_number(text: &str) -> bool {
    let mut last = text.chars().rev();
    last.next() == Some(',') && last.next().is_some_and(is_digit)
}

fn normalizer(slow: &SentencePieceTokenizer) -> Value {
    let replace =
        |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
    let mut steps = vec![
        // White space characters of Python that the table would drop.
        json!({"type": "Replace", "pattern": {"Regex": "[\u{b}\u{1c}-\u{1f}]"}, "content": " "}),
        replace("``", "\""),
        replace("''", "\""),
    ];
    if !slow.options.keep_accents {
        // Not StripAccents, which also removes the vowel signs of Hindi, Thai and other scripts.
        let marks = json!({"type": "Replace", "pattern": {"Regex": combining_marks()}, "content": ""});
        steps.extend([json!({"type": "NFKD"}), marks]);
    }
    if slow.options.lower {
        steps.push(json!({"type": "Lowercase"}));
    }
    if !slow.table.is_empty() {
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": base64(&slow.table)}));
    }
    json!({"type": "Sequence", "normalizers": steps})
}

/// All characters with a combining class lie in this range. A smaller one takes less time at start-up.
const MARKS: RangeInclusive<char> = '\u{300}'..='\u{1ffff}';

/// Returns the regular expression of the characters that the reference tokenizer removes: those with a canonical combining
/// class.
pub(super) fn combining_marks() -> &'static str {
    static CLASS: LazyLock<String> = LazyLock::new(|| {
        let mut class = "[".to_owned();
        let mut marks = MARKS.filter(|c| canonical_combining_class(*c) != 0).peekable();
        while let Some(first) = marks.next() {
            let mut last = first;
            while let Some(next) = marks.next_if(|next| u32::from(*next) == u32::from(last) + 1) {
                last = next;
            }
            class.push(first);
            if last != first {
                class.extend(['-', last]);
            }
        }
        class.push(']');
        class
    });
    &CLASS
}

/// Returns the template `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, or null if the model has no such tokens.
fn template(slow: &SentencePieceTokenizer) -> Value {
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
    fn no_mark_is_outside_of_the_range() {
        let outside = ('\0'..=char::MAX).filter(|c| !super::MARKS.contains(c));
        assert!(outside.map(super::canonical_combining_class).all(|class| class == 0));
    }

    #[test]
    fn base64_as_in_its_rfc() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(super::base64(plain.as_bytes()), coded);
        }
        assert_eq!(super::base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
