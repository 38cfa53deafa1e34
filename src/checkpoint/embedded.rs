//! The small model inside the binary.

/// Its `config.json`.
pub const CONFIG: &[u8] = include_bytes!("../../assets/config.json");

/// Its weights, in half precision.
pub const WEIGHTS: &[u8] = include_bytes!("../../assets/model.safetensors");

/// Its SentencePiece model.
pub(super) use crate::tokenizer::EMBEDDED as TOKENIZER;
