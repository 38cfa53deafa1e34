//! Writes a SentencePiece model (`sentencepiece_model.proto`).

use prost::Message;

use super::em::Scored;
use super::{MAX_PIECE, META_SYMBOLS, SPECIAL};
use crate::tokenizer::EMBEDDED;
use crate::tokenizer::spiece_proto::{ModelProto, ModelType, NormalizerSpec, Piece, TrainerSpec, Type};

/// Creates a `spiece.model` with the special pieces, the symbols and `pieces`.
pub(super) fn model(pieces: &[Scored], coverage: f64) -> Vec<u8> {
    let piece = |text: &str, score: f64, kind: Type| Piece {
        piece: Some(text.to_owned()),
        score: Some(score as f32),
        kind: Some(kind.into()),
    };
    let special = SPECIAL.iter().map(|text| match *text {
        UNKNOWN => piece(text, 0.0, Type::Unknown),
        _ => piece(text, 0.0, Type::Control),
    });
    let symbols = META_SYMBOLS.iter().map(|c| piece(&c.to_string(), 0.0, Type::UserDefined));
    let normal = pieces.iter().map(|p| piece(&p.text, p.score, Type::Normal));
    let pieces: Vec<_> = special.chain(symbols).chain(normal).collect();
    // The fields that describe the model. The others describe SentencePiece's trainer.
    let trainer = TrainerSpec {
        model_prefix: Some("spiece".to_owned()),
        model_type: Some(ModelType::Unigram.into()),
        vocab_size: Some(pieces.len() as i32),
        character_coverage: Some(coverage as f32),
        max_sentencepiece_length: Some(MAX_PIECE as i32),
        control_symbols: SPECIAL[2..].iter().map(|text| (*text).to_owned()).collect(),
        user_defined_symbols: META_SYMBOLS.iter().map(char::to_string).collect(),
        unk_id: Some(1),
        bos_id: Some(-1),
        eos_id: Some(-1),
        pad_id: Some(0),
        unk_piece: Some(UNKNOWN.to_owned()),
        pad_piece: Some(SPECIAL[0].to_owned()),
        ..TrainerSpec::default()
    };
    ModelProto { pieces, trainer_spec: Some(trainer), normalizer_spec: Some(normalizer()) }.encode_to_vec()
}

const UNKNOWN: &str = SPECIAL[1];

/// Returns SentencePiece's default table, `nmt_nfkc`, taken from the built-in model.
fn normalizer() -> NormalizerSpec {
    let embedded = ModelProto::decode(EMBEDDED).ok();
    let spec = embedded.and_then(|model| model.normalizer_spec).unwrap_or_default();
    NormalizerSpec {
        name: Some(spec.name().to_owned()),
        precompiled_charsmap: Some(spec.precompiled_charsmap().to_owned()),
        add_dummy_prefix: Some(true),
        remove_extra_whitespaces: Some(true),
        escape_whitespaces: Some(true),
    }
}
