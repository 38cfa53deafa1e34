//! Filling `[MASK]`: transformers' fill-mask pipeline, extended by target words that consist of several pieces.
//!
//! Reference: transformers 4.57 `pipelines/fill_mask.py`.

use serde::Serialize;

use super::input::{FieldNames, TextPair};
use super::pipeline::Pipeline;
use super::scores::{softmax, top_k};
use super::target_word::TargetWord;
use crate::error::{Error, Result, count};
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::{Encoding, TruncationSide};

/// Options of the task.
#[derive(Clone, Debug)]
pub struct FillMaskOptions {
    /// Maximum number of predictions per mask.
    pub top_k: usize,
    /// Words to score. Empty for the complete vocabulary.
    pub targets: Vec<TargetWord>,
    /// Names of the JSON fields with the texts.
    pub fields: FieldNames,
}

/// An encoded text and the positions of its masks.
#[derive(Debug)]
pub struct FillMaskItem {
    /// The text itself, followed by rows for target words of several pieces.
    rows: Vec<MaskedRow>,
    /// Columns of the masks, in ascending order; at least one.
    pub(crate) masks: Vec<usize>,
    /// For each mask and each target in order: the row of each piece and its position in the row's output. Empty for
    /// targets of one piece.
    words: Vec<Vec<(usize, usize)>>,
    pub(crate) text: TextPair,
}

/// A sequence with masks.
#[derive(Debug)]
pub struct MaskedRow {
    encoding: Encoding,
    wanted: Wanted,
}

impl AsRef<Encoding> for MaskedRow {
    fn as_ref(&self) -> &Encoding {
        &self.encoding
    }
}

/// The predictions that are needed for a row.
#[derive(Debug)]
enum Wanted {
    /// The logits of all pieces, at these columns.
    Logits(Vec<usize>),
    /// The probabilities of these pieces at one column.
    Pieces(usize, Vec<u32>),
}

/// A candidate for a mask.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Probability. For a word of n > 1 pieces, the product of the probability of each piece given n masks in this
    /// position and the preceding pieces, which is a probability over all sequences of n pieces.
    pub score: f32,
    /// The id of the piece, or the list of ids for a word of several pieces.
    pub token: Token,
    /// The piece as text.
    pub token_str: String,
    /// The decoded text with this mask filled.
    pub sequence: String,
}

/// One id, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Token {
    /// The id of one piece.
    One(u32),
    /// The ids of a word's pieces.
    Many(Vec<u32>),
}

/// The predictions for each mask of a text, best first.
pub type MaskPredictions = Vec<Vec<Prediction>>;

/// The task on a loaded model.
pub struct FillMask<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: FillMaskOptions,
    mask_id: u32,
    pub(crate) mask_token: String,
}

impl<'a> FillMask<'a> {
    /// Creates the task and checks that the tokenizer has a mask token.
    ///
    /// # Errors
    /// [`Error::Input`] if it has none.
    pub fn new(pipeline: &'a Pipeline, options: FillMaskOptions) -> Result<Self> {
        let tokenizer = &pipeline.tokenizer;
        match (tokenizer.mask_id(), tokenizer.mask_token()) {
            (Some(mask_id), Some(token)) => {
                Ok(Self { pipeline, options, mask_id, mask_token: token.to_owned() })
            }
            _ => {
                Err(Error::Input("the model's tokenizer has no mask token: it cannot fill masks".to_owned()))
            }
        }
    }

    /// Encodes a text and finds its masks.
    ///
    /// # Errors
    /// If there is no mask within the model's length.
    pub fn prepare(&self, text: TextPair) -> std::result::Result<FillMaskItem, String> {
        let encoding = self.pipeline.encode(&text.text, text.text_pair.as_deref())?;
        let masks: Vec<usize> = positions_of(&encoding.ids, self.mask_id);
        if masks.is_empty() {
            return Err(if encoding.truncated {
                format!(
                    "no {} within the {} {}, to which the text was cut",
                    self.mask_token,
                    match self.pipeline.tokenizer.truncation_side() {
                        TruncationSide::Right => "first",
                        TruncationSide::Left => "last",
                    },
                    count(encoding.ids.len(), "token")
                )
            } else {
                let texts = [Some(text.text.as_str()), text.text_pair.as_deref()];
                let other = texts.into_iter().flatten().any(has_other_mask);
                let advice =
                    if other { format!("; write the mask as {}", self.mask_token) } else { String::new() };
                format!("no {} in the text{advice}", self.mask_token)
            });
        }
        let mut rows = vec![MaskedRow { encoding, wanted: Wanted::Logits(masks.clone()) }];
        let mut words = Vec::new();
        if self.options.targets.iter().any(|target| target.pieces.len() > 1) {
            for place in &masks {
                let first = rows.len();
                for target in &self.options.targets {
                    words.push(self.word_rows(&mut rows, first, *place, &target.pieces)?);
                }
            }
        }
        Ok(FillMaskItem { rows, masks, words, text })
    }

    /// Adds the rows that score a word of several pieces at a mask, by the chain rule from left to right: the mask is
    /// replaced by one mask per piece, and each piece is scored with the preceding pieces filled in. Rows starting at
    /// index `first` are reused for words with the same first pieces. Returns the row of each piece and its position in
    /// the row's output; empty for a single piece.
    ///
    /// # Errors
    /// If the expanded text has more tokens than the model has positions.
    fn word_rows(
        &self,
        rows: &mut Vec<MaskedRow>,
        first: usize,
        place: usize,
        pieces: &[u32],
    ) -> std::result::Result<Vec<(usize, usize)>, String> {
        if pieces.len() == 1 {
            return Ok(Vec::new());
        }
        let positions = self.pipeline.config.max_position_embeddings;
        if rows[0].encoding.ids.len() + pieces.len() - 1 > positions {
            return Err(format!(
                "a target of {} pieces does not fit: the text fills the model's {positions} tokens (option max_length leaves \
                 room)",
                pieces.len(),
            ));
        }
        let mut places = Vec::with_capacity(pieces.len());
        for (known, piece) in pieces.iter().enumerate() {
            let masks = std::iter::repeat_n(self.mask_id, pieces.len() - known);
            let encoding = widened(&rows[0].encoding, place, pieces[..known].iter().copied().chain(masks));
            let column = place + known;
            let same = rows[first..].iter().position(|row| match &row.wanted {
                Wanted::Pieces(own, _) => *own == column && row.encoding.ids == encoding.ids,
                Wanted::Logits(_) => false,
            });
            let row = first
                + same.unwrap_or_else(|| {
                    rows.push(MaskedRow { encoding, wanted: Wanted::Pieces(column, Vec::new()) });
                    rows.len() - 1 - first
                });
            if let Wanted::Pieces(_, wanted) = &mut rows[row].wanted {
                let at = wanted.iter().position(|other| other == piece).unwrap_or_else(|| {
                    wanted.push(*piece);
                    wanted.len() - 1
                });
                places.push((row, at));
            }
        }
        Ok(places)
    }

    /// Returns the best pieces, or the targets, with their probabilities, best first. `word` returns the score of a
    /// target of several pieces, given its index.
    fn rank(&self, scores: &[f32], word: impl Fn(usize) -> f32) -> Vec<(Vec<u32>, f32)> {
        if self.options.targets.is_empty() {
            let best = top_k(scores, self.options.top_k);
            return best.into_iter().map(|id| (vec![id as u32], scores[id])).collect();
        }
        let score = |(i, target): (usize, &TargetWord)| match target.pieces.as_slice() {
            [id] => (target.pieces.clone(), scores.get(*id as usize).copied().unwrap_or(0.0)),
            _ => (target.pieces.clone(), word(i)),
        };
        let mut ranked: Vec<(Vec<u32>, f32)> = self.options.targets.iter().enumerate().map(score).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(self.options.top_k);
        ranked
    }

    fn prediction(
        &self,
        item: &FillMaskItem,
        place: usize,
        pieces: Vec<u32>,
        score: f32,
    ) -> Result<Prediction> {
        let tokenizer = &self.pipeline.tokenizer;
        let filled = widened(&item.rows[0].encoding, place, pieces.iter().copied());
        // As in the pipeline, special tokens are dropped if there is one mask. With several masks, the other masks stay.
        // Here, the tokens added around the text are dropped, while transformers keeps them.
        let one_mask = item.masks.len() == 1;
        let mut sequence = tokenizer.decode(&filled.ids, one_mask)?;
        if !one_mask {
            for around in [tokenizer.cls_token(), tokenizer.sep_token()].into_iter().flatten() {
                sequence = sequence.replace(around, "");
            }
            sequence = sequence.trim().to_owned();
        }
        Ok(Prediction {
            score,
            token_str: tokenizer.decode(&pieces, false)?,
            sequence,
            token: match pieces.as_slice() {
                [id] => Token::One(*id),
                _ => Token::Many(pieces),
            },
        })
    }
}

impl Task for FillMask<'_> {
    type Item = FillMaskItem;
    type Row = MaskedRow;
    /// Logits over the vocabulary at each mask, or the probabilities of some pieces at one.
    type Output = Vec<Vec<f32>>;
    type Prediction = MaskPredictions;

    fn encode(&self, body: &RecordBody) -> std::result::Result<FillMaskItem, String> {
        self.prepare(TextPair::from_record(body, &self.options.fields)?)
    }

    fn rows_per_record(&self) -> usize {
        let pieces = self.options.targets.iter().map(|target| target.pieces.len());
        1 + pieces.filter(|count| *count > 1).sum::<usize>()
    }

    fn rows<'a>(&self, item: &'a FillMaskItem) -> &'a [MaskedRow] {
        &item.rows
    }

    fn forward(&self, rows: &[&MaskedRow]) -> Result<Vec<Self::Output>> {
        let encodings: Vec<&Encoding> = rows.iter().map(|row| &row.encoding).collect();
        let columns: Vec<Vec<usize>> = rows
            .iter()
            .map(|row| match &row.wanted {
                Wanted::Logits(columns) => columns.clone(),
                Wanted::Pieces(column, _) => vec![*column],
            })
            .collect();
        let logits = self.pipeline.masked_lm_logits(&encodings, &columns)?;
        Ok(rows.iter().zip(logits).map(|(row, logits)| row.wanted.of(logits)).collect())
    }

    fn decode(&self, item: &FillMaskItem, mut outputs: Vec<Self::Output>) -> Result<MaskPredictions> {
        let logits = outputs.first_mut().map(std::mem::take).unwrap_or_default();
        let targets = self.options.targets.len();
        let mut per_mask = Vec::with_capacity(item.masks.len());
        for (i, (place, mut scores)) in item.masks.iter().zip(logits).enumerate() {
            softmax(&mut scores);
            let word = |target: usize| {
                let pieces = item.words.get(i * targets + target).map_or(&[][..], Vec::as_slice);
                product(pieces.iter().map(|(row, at)| outputs[*row][0][*at]))
            };
            let predictions: Result<Vec<_>> = self
                .rank(&scores, word)
                .into_iter()
                .map(|(pieces, score)| self.prediction(item, *place, pieces, score))
                .collect();
            per_mask.push(predictions?);
        }
        Ok(per_mask)
    }
}

impl Wanted {
    /// Reduces the logits at the row's columns to those that are needed.
    fn of(&self, mut logits: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        let Self::Pieces(_, pieces) = self else { return logits };
        for scores in &mut logits {
            let finite = scores.iter().all(|score| score.is_finite());
            softmax(scores);
            let score = |piece: &u32| match scores.get(*piece as usize) {
                // Keep non-finite values visible to the check of the output.
                _ if !finite => f32::NAN,
                Some(score) => *score,
                None => 0.0,
            };
            *scores = pieces.iter().map(score).collect();
        }
        logits
    }
}

/// Returns the product of probabilities, which may be very small.
fn product(probabilities: impl Iterator<Item = f32>) -> f32 {
    probabilities.map(|p| f64::from(p).ln()).sum::<f64>().exp() as f32
}

/// Returns the encoding with `middle` in place of the token at `place`. Only ids and segments are set, since the model
/// uses nothing else.
fn widened(encoding: &Encoding, place: usize, middle: impl Iterator<Item = u32>) -> Encoding {
    let mut wide = Encoding::default();
    wide.ids.extend_from_slice(&encoding.ids[..place]);
    wide.ids.extend(middle);
    let middle = wide.ids.len() - place;
    wide.ids.extend_from_slice(&encoding.ids[place + 1..]);
    wide.type_ids.extend_from_slice(&encoding.type_ids[..place]);
    wide.type_ids.extend(std::iter::repeat_n(encoding.type_ids[place], middle));
    wide.type_ids.extend_from_slice(&encoding.type_ids[place + 1..]);
    wide
}

/// Returns true if a text without a mask seems to have one in the spelling of another model.
fn has_other_mask(text: &str) -> bool {
    let lower = text.to_lowercase();
    text.contains("MASK") || lower.contains("<mask>") || lower.contains("[mask]")
}

fn positions_of(ids: &[u32], wanted: u32) -> Vec<usize> {
    ids.iter().enumerate().filter(|(_, id)| **id == wanted).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_in_another_spelling() {
        for text in ["a MASK.", "a <mask>.", "a <MASK>", "a [Mask]", "[mask]"] {
            assert!(has_other_mask(text), "{text}");
        }
        for text in ["", "a mask.", "Mask", "(mask)"] {
            assert!(!has_other_mask(text), "{text}");
        }
    }
}
