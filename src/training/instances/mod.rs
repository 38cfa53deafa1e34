//! Pretraining instances: from documents of token ids to sequences with masks and a sentence-order label.
//!
//! Section 3.1 of the ALBERT paper and `create_pretraining_data.py` of google-research/albert, made on the fly: an
//! [`InstanceStream`] plans instances from lengths alone ([`InstancePlan`]), shuffles the plans, and a [`Realizer`]
//! reads the tokens of those a process needs and masks them, anew in every epoch.
//!
//! Where this differs from Google's script, unless [`InstanceOptions::google_compat`] is set:
//!
//! * A short target length is drawn for each instance (the paper's "10%"), not for each document, where it makes
//!   far more than a tenth of the instances short.
//! * A chunk of one sentence is cut in two at the beginning of a word: Google pairs it with a random document and
//!   calls that swapped, which mixes topic into sentence order.
//! * A sentence longer than an instance becomes several, instead of losing its rest.
//!
//! In both, n-grams to mask do not reach from one segment into the other, special tokens in the text (the unknown
//! token too) are never masked, and no random replacement is one.

mod masking;
mod options;
mod permutation;
mod pieces;
mod plan;
mod random;
mod realize;
mod show;
mod split;
mod stream;

pub use options::{InstanceOptions, Pairing};
pub use pieces::{PieceKind, PieceTable};
pub use plan::{InstancePlan, Partner};
pub use realize::Realizer;
pub use show::show_instance;
pub use stream::{InstanceStream, Position};

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Ids of the special tokens that instances are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins every instance (`[CLS]`).
    pub cls: u32,
    /// Ends each segment (`[SEP]`).
    pub sep: u32,
    /// Stands for a masked token (`[MASK]`).
    pub mask: u32,
    /// Fills up batches (`<pad>`).
    pub pad: u32,
}

impl SpecialIds {
    /// Those of a tokenizer.
    ///
    /// # Errors
    /// [`Error::Input`] naming the one that it lacks.
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

/// A sequence to train on: `[CLS] A [SEP] B [SEP]`, or `[CLS] A [SEP]`, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Token ids after masking; at most [`InstanceOptions::max_seq_length`].
    pub ids: Vec<u32>,
    /// Where `B` begins: type ids are 0 before and 1 from here on. The length of `ids` if there is no `B`.
    pub segment_b: usize,
    /// Places in `ids` to predict, ascending; at most [`InstanceOptions::max_predictions`]. Empty if no word fits.
    pub masked_positions: Vec<u32>,
    /// The original token of each of `masked_positions`.
    pub masked_labels: Vec<u32>,
    /// Sentence order: 0 as in the document, 1 swapped (transformers' `sentence_order_label`); with
    /// [`Pairing::NextSentence`] 1 if `B` is of another document. `None` with [`Pairing::Unlabelled`].
    pub order_label: Option<u8>,
}
