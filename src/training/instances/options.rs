//! Options of instances.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Choice and label of the second segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pairing {
    /// Consecutive segments, swapped half of the time (sentence-order prediction, as in the paper).
    #[default]
    SentenceOrder,
    /// A segment of another document half of the time (next-sentence prediction, as in BERT).
    NextSentence,
    /// Consecutive segments in document order, without a label. There are two segments, so that the type 1 embedding and
    /// the middle `[SEP]` are trained for tasks on pairs. A chunk of one sentence stays one segment.
    Unlabelled,
}

/// Minimum of two tokens for each part of a split sentence.
const MIN_SEQ_LENGTH: usize = 8;

/// Options for building instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceOptions {
    /// Maximum length in tokens, including special tokens.
    pub max_seq_length: usize,
    /// Fraction of instances with a random shorter target length.
    pub short_seq_prob: f64,
    /// Fraction of tokens to predict.
    pub masked_lm_prob: f64,
    /// Maximum number of tokens to predict. `None` means [`InstanceOptions::masked_lm_prob`] of `max_seq_length`, rounded
    /// up.
    pub max_predictions: Option<usize>,
    /// Maximum number of consecutive words masked together.
    pub max_ngram: usize,
    /// Choice of the second segment.
    pub pairing: Pairing,
    /// Fraction of documents held out for evaluation.
    pub eval_fraction: f64,
    /// Number of instances planned and shuffled together (about 15 MB for each 2^18). Documents are not split, so a single
    /// huge document may exceed it.
    pub chunk_instances: usize,
    /// Reproduce the quirks of `create_pretraining_data.py` listed in the [module documentation](super).
    pub google_compat: bool,
}

impl Default for InstanceOptions {
    fn default() -> Self {
        Self {
            max_seq_length: 512,
            short_seq_prob: 0.1,
            masked_lm_prob: 0.15,
            max_predictions: None,
            max_ngram: 3,
            pairing: Pairing::default(),
            eval_fraction: 0.0,
            chunk_instances: 1 << 18,
            google_compat: false,
        }
    }
}

impl InstanceOptions {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] that names the option and the valid range.
    pub fn check(&self) -> Result<()> {
        let wrong =
            |name: &str, problem: String| Err(Error::InvalidOption { name: name.to_owned(), problem });
        if self.max_seq_length < MIN_SEQ_LENGTH {
            let problem = format!(
                "{} is too short for [CLS], two [SEP] and two segments; the minimum is {MIN_SEQ_LENGTH}",
                self.max_seq_length
            );
            return wrong("max_seq_length", problem);
        }
        if u32::try_from(self.max_seq_length).is_err() {
            return wrong("max_seq_length", format!("{} is too long", self.max_seq_length));
        }
        if !(0.0..=1.0).contains(&self.short_seq_prob) {
            return wrong("short_seq_prob", format!("{} is not between 0 and 1", self.short_seq_prob));
        }
        if !(self.masked_lm_prob > 0.0 && self.masked_lm_prob < 1.0) {
            let problem =
                format!("{} is not between 0 and 1 (ALBERT was trained with 0.15)", self.masked_lm_prob);
            return wrong("masked_lm_prob", problem);
        }
        if self.max_predictions == Some(0) {
            return wrong("max_predictions", "0 leaves nothing to learn; the minimum is 1".to_owned());
        }
        if !(1..=32).contains(&self.max_ngram) {
            return wrong("max_ngram", format!("{} is not between 1 and 32", self.max_ngram));
        }
        if !(0.0..1.0).contains(&self.eval_fraction) {
            let problem = format!("{} is not a fraction from 0 to below 1", self.eval_fraction);
            return wrong("eval_fraction", problem);
        }
        if self.chunk_instances == 0 {
            return wrong("shuffle_buffer", "0 instances cannot be shuffled; the minimum is 1".to_owned());
        }
        Ok(())
    }

    /// The maximum number of tokens to predict in an instance.
    pub fn prediction_limit(&self) -> usize {
        // The small offset keeps 0.15 of 20 at 3 instead of 4.
        let share = (self.masked_lm_prob * self.max_seq_length as f64 - 1e-9).ceil() as usize;
        self.max_predictions.unwrap_or(share).max(1)
    }

    /// The number of tokens to predict in an instance of `length` tokens, including special tokens, as in Google's script.
    pub(super) fn predictions(&self, length: usize) -> usize {
        let share = (self.masked_lm_prob * length as f64).round_ties_even() as usize;
        share.max(1).min(self.prediction_limit())
    }

    /// The number of text tokens that fit an instance of two segments.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_seq_length.saturating_sub(3)
    }
}
