//! Scores texts by pseudo-log-likelihood.
//!
//! References: Salazar et al. 2020, "Masked Language Model Scoring"; Kauf and Ivanova 2023, "A Better Way to Do Masked
//! Language Model Scoring"; minicons 0.3 `scorer.py` (`MaskedLMScorer`).

use serde::Serialize;

use super::input::TextPair;
use super::pipeline::Pipeline;
use super::text_task::TextTask;
use crate::checkpoint::{MlmBias, all_finite};
use crate::error::{Error, Result};
use crate::io::{Column, ColumnType};
use crate::tokenizer::Encoding;

/// Score texts by pseudo-log-likelihood
///
/// Masks each token in turn and adds up the log-probabilities of the original tokens: the more plausible a text is to the
/// model, the higher its score. Compare texts of similar length by log-likelihood, and others by pseudo-perplexity (lower
/// is more plausible). In a pair, only the second text is scored, given the first. The model runs once per token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(
    feature = "cli",
    command(after_help = "\
Examples:
  albert score \"The keys to the cabinet are here.\" \"The keys to the cabinet is here.\"
  cat texts.jsonl | albert score -m albert/albert-base-v2")
)]
pub struct ScoreOptions {
    /// Tokens to mask together with the scored one
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "WHAT", default_value = "word", help_heading = "Task")
    )]
    pub masking: Masking,
    /// List the log-probability of each token
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Task"))]
    pub per_token: bool,
    /// Masked-LM bias to use if a checkpoint contains two that differ
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "WHICH",
            default_value = "decoder",
            hide_short_help = true,
            help_heading = "Model"
        )
    )]
    pub mlm_bias: MlmBias,
}

/// The tokens that are masked together with the scored one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Masking {
    /// Also mask the tokens of the same word that follow it, so that words of several pieces are not overrated
    #[default]
    Word,
    /// Mask this token only, as in the original definition
    Token,
}

/// The task.
#[derive(Debug)]
pub struct Score {
    masking: Masking,
    per_token: bool,
    mask_id: u32,
}

/// A text with a token masked.
#[derive(Debug)]
pub struct ScoreRow {
    encoding: Encoding,
    /// The position of the token.
    column: usize,
    /// Its id.
    id: u32,
    /// The code points that it covers in the scored text.
    offsets: (usize, usize),
}

impl AsRef<Encoding> for ScoreRow {
    fn as_ref(&self) -> &Encoding {
        &self.encoding
    }
}

/// The score of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextScore {
    /// The sum of the tokens' log-probabilities (natural logarithm).
    pub log_likelihood: f32,
    /// Number of scored tokens.
    pub tokens: usize,
    /// The exponential of the negative mean log-probability; lower is more plausible.
    pub pseudo_perplexity: f32,
    /// The scored tokens, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_token: Option<Vec<TokenScore>>,
}

/// The score of a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenScore {
    /// The piece of the vocabulary.
    pub token: String,
    /// First code point in the text.
    pub start: usize,
    /// Code point after the last one.
    pub end: usize,
    /// Its log-probability.
    pub log_likelihood: f32,
}

impl TextTask for Score {
    type Options = ScoreOptions;
    type Row = ScoreRow;
    /// The log-probability of the original token.
    type Output = f32;
    type Prediction = TextScore;

    fn mlm_bias(options: &ScoreOptions) -> MlmBias {
        options.mlm_bias
    }

    fn new(pipeline: &Pipeline, options: ScoreOptions) -> Result<Self> {
        let mask_id = pipeline.tokenizer.mask_id().ok_or_else(|| {
            Error::Input("the model's tokenizer has no mask token: it cannot score texts".to_owned())
        })?;
        Ok(Self { masking: options.masking, per_token: options.per_token, mask_id })
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![
            Column::new("log_likelihood", ColumnType::Float),
            Column::new("tokens", ColumnType::Integer),
            Column::new("pseudo_perplexity", ColumnType::Float),
        ];
        if self.per_token {
            let of_token = vec![
                Column::new("token", ColumnType::Text),
                Column::new("start", ColumnType::Integer),
                Column::new("end", ColumnType::Integer),
                Column::new("log_likelihood", ColumnType::Float),
            ];
            columns.push(Column::new("per_token", ColumnType::Struct(of_token).list()));
        }
        columns
    }

    /// One row per token of the text, or of the second text of a pair. A mask in the text is not scored.
    fn rows(&self, pipeline: &Pipeline, text: &TextPair) -> std::result::Result<Vec<ScoreRow>, String> {
        let encoding = pipeline.encode(&text.text, text.text_pair.as_deref())?;
        let scored = u8::from(text.text_pair.is_some());
        let is_scored = |column: &usize| {
            encoding.sequence_ids[*column] == Some(scored) && encoding.ids[*column] != self.mask_id
        };
        let columns = (0..encoding.ids.len()).filter(is_scored);
        Ok(columns.map(|column| self.masked(&encoding, column)).collect())
    }

    fn rows_per_text(&self) -> usize {
        // The average length of an English sentence.
        24
    }

    fn forward(&self, pipeline: &Pipeline, rows: &[&ScoreRow]) -> Result<Vec<f32>> {
        let encodings: Vec<&Encoding> = rows.iter().map(|row| &row.encoding).collect();
        let columns: Vec<Vec<usize>> = rows.iter().map(|row| vec![row.column]).collect();
        let logits = pipeline.masked_lm_logits(&encodings, &columns)?;
        let score =
            |(row, logits): (&&ScoreRow, Vec<Vec<f32>>)| log_probability(&logits.concat(), row.id as usize);
        Ok(rows.iter().zip(logits).map(score).collect())
    }

    fn decode(&self, pipeline: &Pipeline, rows: &[ScoreRow], outputs: Vec<f32>) -> Result<TextScore> {
        let sum: f64 = outputs.iter().map(|score| f64::from(*score)).sum();
        let perplexity = (-sum / outputs.len().max(1) as f64).exp();
        let of_token = |(row, score): (&ScoreRow, f32)| TokenScore {
            token: pipeline.tokenizer.id_to_token(row.id).unwrap_or_default(),
            start: row.offsets.0,
            end: row.offsets.1,
            log_likelihood: score,
        };
        Ok(TextScore {
            log_likelihood: sum as f32,
            tokens: outputs.len(),
            pseudo_perplexity: perplexity.min(f64::from(f32::MAX)) as f32,
            per_token: self.per_token.then(|| rows.iter().zip(outputs).map(of_token).collect()),
        })
    }
}

impl Score {
    /// Masks the token at `column`, and with [`Masking::Word`] the tokens of its word that follow.
    fn masked(&self, encoding: &Encoding, column: usize) -> ScoreRow {
        let word = |at: usize| (encoding.sequence_ids[at], encoding.word_ids[at]);
        let end = match self.masking {
            Masking::Token => column + 1,
            Masking::Word => {
                let rest = column + 1..encoding.ids.len();
                rest.clone().find(|at| word(*at) != word(column)).unwrap_or(rest.end)
            }
        };
        let mut ids = encoding.ids.clone();
        ids[column..end].fill(self.mask_id);
        ScoreRow {
            encoding: Encoding {
                ids,
                type_ids: encoding.type_ids.clone(),
                truncated: encoding.truncated,
                ..Encoding::default()
            },
            column,
            id: encoding.ids[column],
            offsets: encoding.offsets[column],
        }
    }
}

/// Returns the logarithm of the softmax of `logits` at `id`. NaN if a logit is not finite.
fn log_probability(logits: &[f32], id: usize) -> f32 {
    let Some(own) = logits.get(id).filter(|_| all_finite(logits)) else { return f32::NAN };
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    (f64::from(own - largest) - sum.ln()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(masking: Masking) -> Score {
        Score { masking, per_token: false, mask_id: 4 }
    }

    /// `[CLS] a b|c d [SEP]`, where b and c are one word.
    fn encoding() -> Encoding {
        Encoding {
            ids: vec![2, 10, 11, 12, 13, 3],
            type_ids: vec![0; 6],
            offsets: vec![(0, 0), (0, 1), (2, 3), (3, 4), (5, 6), (0, 0)],
            special_tokens_mask: vec![true, false, false, false, false, true],
            sequence_ids: vec![None, Some(0), Some(0), Some(0), Some(0), None],
            word_ids: vec![None, Some(0), Some(1), Some(1), Some(2), None],
            truncated: true,
        }
    }

    #[test]
    fn the_rest_of_a_word_is_masked() {
        let ids = |masking, column| score(masking).masked(&encoding(), column).encoding.ids;
        assert_eq!(ids(Masking::Word, 2), [2, 10, 4, 4, 13, 3]);
        assert_eq!(ids(Masking::Word, 3), [2, 10, 11, 4, 13, 3]);
        assert_eq!(ids(Masking::Word, 4), [2, 10, 11, 12, 4, 3]);
        assert_eq!(ids(Masking::Token, 2), [2, 10, 4, 12, 13, 3]);
        let row = score(Masking::Word).masked(&encoding(), 2);
        assert_eq!((row.column, row.id, row.offsets, row.encoding.truncated), (2, 11, (2, 3), true));
    }

    #[test]
    fn log_probabilities() {
        assert!((log_probability(&[0.0, 0.0], 1) + 2f32.ln()).abs() < 1e-7);
        assert_eq!(log_probability(&[1000.0, -1000.0], 1), -2000.0);
        assert!(log_probability(&[0.0, f32::INFINITY], 0).is_nan());
        assert!(log_probability(&[0.0, f32::NEG_INFINITY], 0).is_nan());
        assert!(log_probability(&[0.0], 1).is_nan());
    }
}
