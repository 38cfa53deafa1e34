//! Pretraining instances: documents of token ids become masked sequences with a sentence-order label.
//!
//! Follows section 3.1 of the ALBERT paper and `create_pretraining_data.py` of google-research/albert, but works on the
//! fly. An [`InstanceStream`] plans instances from sentence lengths alone ([`InstancePlan`]) and shuffles the plans. A
//! [`Materializer`] reads the tokens of the instances that a process needs and masks them, differently in every epoch.
//!
//! Differences from Google's script, unless [`InstanceOptions::google_compat`] is set:
//!
//! * A short target length is drawn for each instance (the paper's "10%"). Google draws it for each document, which
//!   makes far more than a tenth of the instances short.
//! * A chunk of one sentence is split at a word boundary. Google pairs it with a random document and labels that as
//!   swapped, which mixes topic prediction into sentence order.
//! * A sentence longer than an instance becomes several instances. Google discards the remainder.
//!
//! In both modes, masked n-grams do not span segments, special tokens in the text (including the unknown token) are
//! never masked, and random replacements are never special tokens.

mod masking;
mod materialize;
mod options;
mod pieces;
mod plan;
mod random;
mod show;
mod split;
mod stream;

pub use materialize::Materializer;
pub use options::{InstanceOptions, Pairing};
pub use pieces::{PieceKind, PieceTable};
pub use plan::{InstancePlan, Partner};
pub use show::show_instance;
pub use stream::{InstanceStream, Position};

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Ids of the special tokens used in instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialIds {
    /// Starts every instance (`[CLS]`).
    pub cls: u32,
    /// Ends each segment (`[SEP]`).
    pub sep: u32,
    /// Replaces masked tokens (`[MASK]`).
    pub mask: u32,
    /// Pads batches (`<pad>`).
    pub pad: u32,
}

impl SpecialIds {
    /// The special tokens of `tokenizer`.
    ///
    /// # Errors
    /// [`Error::Input`] that names a missing token.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let need = |id: Option<u32>, name: &str| {
            id.ok_or_else(|| {
                Error::Input(format!("the tokenizer has no {name} token, which pretraining needs"))
            })
        };
        Ok(Self {
            cls: need(tokenizer.cls_id(), "[CLS]")?,
            sep: need(tokenizer.sep_id(), "[SEP]")?,
            mask: need(tokenizer.mask_id(), "[MASK]")?,
            pad: need(tokenizer.pad_id(), "padding")?,
        })
    }
}

/// A training sequence without padding: `[CLS] A [SEP] B [SEP]`, or `[CLS] A [SEP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Token ids after masking; at most [`InstanceOptions::max_seq_length`].
    pub ids: Vec<u32>,
    /// Start of `B`. Type ids are 0 before it and 1 from it on. Equals the length of `ids` if there is no `B`.
    pub segment_b: usize,
    /// Positions in `ids` to predict, ascending; at most [`InstanceOptions::max_predictions`]. Empty if no word fits.
    pub masked_positions: Vec<u32>,
    /// The original token of each of `masked_positions`.
    pub masked_labels: Vec<u32>,
    /// Sentence order: 0 in document order, 1 swapped (transformers' `sentence_order_label`). With
    /// [`Pairing::NextSentence`], 1 if `B` comes from another document. `None` with [`Pairing::Unlabelled`].
    pub order_label: Option<u8>,
}
