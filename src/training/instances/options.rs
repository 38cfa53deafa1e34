//! What instances are like.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the second segment is, and what the label says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pairing {
    /// Consecutive segments, swapped half of the time (the paper's sentence-order prediction).
    #[default]
    SentenceOrder,
    /// Half of the time a segment of another document (BERT's next-sentence prediction).
    NextSentence,
    /// Consecutive segments in their order, without a label. Two, not one, so that the embedding of type 1 and the
    /// middle `[SEP]` are trained for tasks on pairs; a chunk of one sentence stays one segment.
    Unlabelled,
}

/// Leaves two tokens at least to each part of a sentence that is too long.
const MIN_SEQ_LENGTH: usize = 8;

/// How instances are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceOptions {
    /// Length limit in tokens, special ones included.
    pub max_seq_length: usize,
    /// Share of instances with a random shorter target length.
    pub short_seq_prob: f64,
    /// Share of tokens to predict.
    pub masked_lm_prob: f64,
    /// Limit of tokens to predict; `None` is [`InstanceOptions::masked_lm_prob`] of `max_seq_length`, rounded up.
    pub max_predictions: Option<usize>,
    /// Longest run of words masked together.
    pub max_ngram: usize,
    /// The second segment.
    pub pairing: Pairing,
    /// Share of documents kept from training, for evaluation.
    pub eval_fraction: f64,
    /// Instances planned and shuffled together (about 15 MB for each 2^18); a whole number of documents, so that a
    /// single huge document may exceed it.
    pub chunk_instances: usize,
    /// Keep the quirks of `create_pretraining_data.py` that the [module](super) lists.
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
    /// Refuses values that no instance can be made with.
    ///
    /// # Errors
    /// [`Error::Usage`] with the flag of `albert pretrain` and what would be right.
    pub fn check(&self) -> Result<()> {
        let wrong = |flag: &str, problem: String| Err(Error::Usage { flag: flag.to_owned(), problem });
        if self.max_seq_length < MIN_SEQ_LENGTH {
            let problem = format!(
                "{} is too short for [CLS], two [SEP] and two segments; give {MIN_SEQ_LENGTH} or more",
                self.max_seq_length
            );
            return wrong("--max-seq-length", problem);
        }
        if u32::try_from(self.max_seq_length).is_err() {
            return wrong("--max-seq-length", format!("{} is too long", self.max_seq_length));
        }
        if !(0.0..=1.0).contains(&self.short_seq_prob) {
            return wrong("--short-seq-prob", format!("{} is not between 0 and 1", self.short_seq_prob));
        }
        if !(self.masked_lm_prob > 0.0 && self.masked_lm_prob < 1.0) {
            let problem =
                format!("{} is not between 0 and 1 (ALBERT was trained with 0.15)", self.masked_lm_prob);
            return wrong("--masked-lm-prob", problem);
        }
        if self.max_predictions == Some(0) {
            return wrong("--max-predictions", "0 leaves nothing to learn; give 1 or more".to_owned());
        }
        if !(1..=32).contains(&self.max_ngram) {
            return wrong("--max-ngram", format!("{} is not between 1 and 32", self.max_ngram));
        }
        if !(0.0..1.0).contains(&self.eval_fraction) {
            let problem = format!("{} is not a share of the documents below 1", self.eval_fraction);
            return wrong("--eval-fraction", problem);
        }
        if self.chunk_instances == 0 {
            return wrong("--shuffle-buffer", "0 instances cannot be shuffled; give 1 or more".to_owned());
        }
        Ok(())
    }

    /// Limit of tokens to predict in an instance.
    pub fn prediction_limit(&self) -> usize {
        // The small difference keeps 0.15 of 20 at 3, not 4.
        let share = (self.masked_lm_prob * self.max_seq_length as f64 - 1e-9).ceil() as usize;
        self.max_predictions.unwrap_or(share).max(1)
    }

    /// Tokens to predict in an instance of `length` tokens, special ones counted too, as Google's script does.
    pub(super) fn predictions(&self, length: usize) -> usize {
        let share = (self.masked_lm_prob * length as f64).round_ties_even() as usize;
        share.max(1).min(self.prediction_limit())
    }

    /// Tokens of text that fit an instance of two segments.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_seq_length.saturating_sub(3)
    }
}
