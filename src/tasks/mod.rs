//! The tasks: encode, run the model on a batch, decode.
//!
//! Tensors appear at one boundary only, [`Runtime`]; the decoding is plain code over numbers.

mod fill_mask;
mod input;
mod runtime;
mod tokenize;

pub use fill_mask::{FillMask, FillMaskItem, FillMaskOptions, MaskPredictions, Prediction, TargetWord};
pub use input::{FieldNames, TextPair};
pub use runtime::{Long, Runtime};
pub use tokenize::Tokenize;
