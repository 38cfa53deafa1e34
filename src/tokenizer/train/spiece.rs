//! Writing a SentencePiece model (`sentencepiece_model.proto`).

use super::em::Scored;
use super::{MAX_PIECE, META_SYMBOLS, SPECIAL};
use crate::tokenizer::EMBEDDED;
use prost::Message;
use sentencepiece_model::{ModelType, SentencePieceModel, Type};

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, required, tag = "2")]
    trainer: Trainer,
    #[prost(message, required, tag = "3")]
    normalizer: Normalizer,
}

/// `ModelProto.SentencePiece`.
#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, required, tag = "1")]
    text: String,
    #[prost(float, required, tag = "2")]
    score: f32,
    #[prost(int32, required, tag = "3")]
    kind: i32,
}

/// The part of `TrainerSpec` that describes the model. The rest describes SentencePiece's trainer.
#[derive(Clone, PartialEq, Message)]
struct Trainer {
    #[prost(string, required, tag = "2")]
    model_prefix: String,
    #[prost(int32, required, tag = "3")]
    model_type: i32,
    #[prost(int32, required, tag = "4")]
    vocab_size: i32,
    #[prost(float, required, tag = "10")]
    character_coverage: f32,
    #[prost(int32, required, tag = "20")]
    max_sentencepiece_length: i32,
    #[prost(string, repeated, tag = "30")]
    control_symbols: Vec<String>,
    #[prost(string, repeated, tag = "31")]
    user_defined_symbols: Vec<String>,
    #[prost(int32, required, tag = "40")]
    unk_id: i32,
    #[prost(int32, required, tag = "41")]
    bos_id: i32,
    #[prost(int32, required, tag = "42")]
    eos_id: i32,
    #[prost(int32, required, tag = "43")]
    pad_id: i32,
    #[prost(string, required, tag = "45")]
    unk_piece: String,
    #[prost(string, required, tag = "48")]
    pad_piece: String,
}

/// `NormalizerSpec`.
#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(bytes = "vec", required, tag = "2")]
    precompiled_charsmap: Vec<u8>,
    #[prost(bool, required, tag = "3")]
    add_dummy_prefix: bool,
    #[prost(bool, required, tag = "4")]
    remove_extra_whitespaces: bool,
    #[prost(bool, required, tag = "5")]
    escape_whitespaces: bool,
}

/// Creates a `spiece.model` with the special pieces, the symbols and `pieces`.
pub(super) fn model(pieces: &[Scored], coverage: f64) -> Vec<u8> {
    let piece = |text: &str, score: f64, kind: Type| Piece {
        text: text.to_owned(),
        score: score as f32,
        kind: kind.into(),
    };
    let special = SPECIAL.iter().map(|text| match *text {
        UNKNOWN => piece(text, 0.0, Type::Unknown),
        _ => piece(text, 0.0, Type::Control),
    });
    let symbols = META_SYMBOLS.iter().map(|c| piece(&c.to_string(), 0.0, Type::UserDefined));
    let normal = pieces.iter().map(|p| piece(&p.text, p.score, Type::Normal));
    let pieces: Vec<_> = special.chain(symbols).chain(normal).collect();
    let trainer = Trainer {
        model_prefix: "spiece".to_owned(),
        model_type: ModelType::Unigram.into(),
        vocab_size: pieces.len() as i32,
        character_coverage: coverage as f32,
        max_sentencepiece_length: MAX_PIECE as i32,
        control_symbols: SPECIAL[2..].iter().map(|text| (*text).to_owned()).collect(),
        user_defined_symbols: META_SYMBOLS.iter().map(char::to_string).collect(),
        unk_id: 1,
        bos_id: -1,
        eos_id: -1,
        pad_id: 0,
        unk_piece: UNKNOWN.to_owned(),
        pad_piece: SPECIAL[0].to_owned(),
    };
    Model { pieces, trainer, normalizer: normalizer() }.encode_to_vec()
}

const UNKNOWN: &str = SPECIAL[1];

/// SentencePiece's default table, `nmt_nfkc`, taken from the built-in model.
fn normalizer() -> Normalizer {
    let embedded = SentencePieceModel::from_slice(EMBEDDED).ok();
    let spec = embedded.and_then(|model| model.normalizer().cloned()).unwrap_or_default();
    Normalizer {
        name: spec.name().to_owned(),
        precompiled_charsmap: spec.precompiled_charsmap().to_owned(),
        add_dummy_prefix: true,
        remove_extra_whitespaces: true,
        escape_whitespaces: true,
    }
}
