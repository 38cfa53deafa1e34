//! Filling `[MASK]`: transformers' fill-mask pipeline, extended by target words of several pieces.
//!
//! Reference: transformers 4.57 `pipelines/fill_mask.py`.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::value::RawValue;

use super::input::{FieldNames, TextPair};
use super::runtime::Runtime;
use super::scores::{softmax, top_k};
use crate::error::{Error, Result};
use crate::io::{Cell, Column, ColumnType, RecordBody};
use crate::stream::Task;
use crate::tokenizer::{Encoding, TruncationSide};

/// Options of the task.
#[derive(Clone, Debug)]
pub struct FillMaskOptions {
    /// Maximum number of predictions per mask.
    pub top_k: usize,
    /// Words to score; empty for the complete vocabulary.
    pub targets: Vec<TargetWord>,
    /// Names of the JSON fields with the texts.
    pub fields: FieldNames,
}

/// A word to score and its pieces in the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetWord {
    /// The word as given.
    pub word: String,
    /// Ids of its pieces; at least one.
    pub pieces: Vec<u32>,
}

impl TargetWord {
    /// Looks up a word: a piece with exactly this spelling (as in transformers), otherwise the pieces into which the tokenizer
    /// splits it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the tokenizer removes the word completely, or a piece is not in the vocabulary.
    pub fn new(word: &str, runtime: &Runtime) -> Result<Self> {
        let tokenizer = &runtime.tokenizer;
        let unusable = |problem: &str| Error::InvalidOption {
            name: "targets".to_owned(),
            problem: format!("\"{word}\": {problem}"),
        };
        let rows = runtime.config.vocab_size;
        if let Some(id) = tokenizer.token_to_id(word)
            && !word.is_empty()
        {
            if id as usize >= rows {
                let problem = format!("has the id {id}, and the model has embeddings for {rows} tokens only");
                return Err(unusable(&problem));
            }
            return Ok(Self { word: word.to_owned(), pieces: vec![id] });
        }
        let pieces = tokenizer.encode_plain(word)?.ids;
        if pieces.is_empty() {
            return Err(unusable("nothing is left of this word after normalization"));
        }
        if pieces.iter().any(|id| Some(*id) == tokenizer.unk_id()) {
            return Err(unusable("has characters that the vocabulary does not know"));
        }
        if pieces.iter().any(|id| *id as usize >= rows) {
            return Err(unusable("has pieces that the model has no embeddings for"));
        }
        Ok(Self { word: word.to_owned(), pieces })
    }
}

/// An encoded text and the positions of its masks.
#[derive(Debug)]
pub struct FillMaskItem {
    encoding: Encoding,
    /// Columns of the masks, ascending; at least one.
    masks: Vec<usize>,
    text: TextPair,
}

/// A candidate for a mask.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Probability. For a word of n > 1 pieces, the product of each piece's probability given n masks in this position and the
    /// preceding pieces, which is a probability over all sequences of n pieces.
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
    runtime: &'a Runtime,
    options: FillMaskOptions,
    mask_id: u32,
    mask_token: String,
}

impl<'a> FillMask<'a> {
    /// Creates the task and checks that the tokenizer has a mask token.
    ///
    /// # Errors
    /// [`Error::Input`] if it has none.
    pub fn new(runtime: &'a Runtime, options: FillMaskOptions) -> Result<Self> {
        let tokenizer = &runtime.tokenizer;
        match (tokenizer.mask_id(), tokenizer.mask_token()) {
            (Some(mask_id), Some(token)) => {
                Ok(Self { runtime, options, mask_id, mask_token: token.to_owned() })
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
        let encoding = self.runtime.encode(&text.text, text.text_pair.as_deref())?;
        let masks: Vec<usize> = positions_of(&encoding.ids, self.mask_id);
        if masks.is_empty() {
            return Err(if encoding.truncated {
                format!(
                    "no {} within the {} {} tokens, to which the text was cut",
                    self.mask_token,
                    match self.runtime.tokenizer.truncation_side() {
                        TruncationSide::Right => "first",
                        TruncationSide::Left => "last",
                    },
                    encoding.ids.len()
                )
            } else {
                format!("no {} in the text", self.mask_token)
            });
        }
        Ok(FillMaskItem { encoding, masks, text })
    }

    /// Computes the predictions for each mask of a text from the logits at its masks.
    ///
    /// # Errors
    /// If a target has several pieces and the device fails.
    fn fill(&self, item: &FillMaskItem, logits: Vec<Vec<f32>>) -> Result<MaskPredictions> {
        let mut per_mask = Vec::with_capacity(item.masks.len());
        for (place, mut scores) in item.masks.iter().zip(logits) {
            softmax(&mut scores);
            let ranked = self.rank(item, *place, &scores)?;
            let predictions: Result<Vec<_>> = ranked
                .into_iter()
                .map(|(pieces, score)| self.prediction(item, *place, pieces, score))
                .collect();
            per_mask.push(predictions?);
        }
        Ok(per_mask)
    }

    /// The best pieces, or the targets, with their probabilities, best first.
    fn rank(&self, item: &FillMaskItem, place: usize, scores: &[f32]) -> Result<Vec<(Vec<u32>, f32)>> {
        let mut ranked: Vec<(Vec<u32>, f32)> = Vec::new();
        if self.options.targets.is_empty() {
            let best = top_k(scores, self.options.top_k);
            ranked.extend(best.into_iter().map(|id| (vec![id as u32], scores[id])));
            return Ok(ranked);
        }
        for target in &self.options.targets {
            let score = match target.pieces.as_slice() {
                [id] => scores.get(*id as usize).copied().unwrap_or(0.0),
                pieces => self.word_score(item, place, pieces)?,
            };
            ranked.push((target.pieces.clone(), score));
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(self.options.top_k);
        Ok(ranked)
    }

    /// The probability of a word of several pieces at a mask, by the chain rule from left to right. The mask is replaced by one
    /// mask per piece, and each piece is scored with the preceding pieces filled in.
    fn word_score(&self, item: &FillMaskItem, place: usize, pieces: &[u32]) -> Result<f32> {
        let rows: Vec<Encoding> = (0..pieces.len())
            .map(|known| {
                let middle = pieces[..known]
                    .iter()
                    .copied()
                    .chain(std::iter::repeat_n(self.mask_id, pieces.len() - known));
                self.widened(&item.encoding, place, middle)
            })
            .collect();
        if rows[0].ids.len() > self.runtime.config.max_position_embeddings {
            return Err(Error::Input(format!(
                "a target of {} pieces does not fit: the text fills the model's {} tokens (option max_length leaves room)",
                pieces.len(),
                self.runtime.config.max_position_embeddings
            )));
        }
        let columns: Vec<Vec<usize>> = (0..pieces.len()).map(|i| vec![place + i]).collect();
        let logits = self.runtime.masked_lm_logits(&rows.iter().collect::<Vec<_>>(), &columns)?;
        let mut log_probability = 0.0;
        for (piece, vectors) in pieces.iter().zip(logits) {
            for mut scores in vectors {
                softmax(&mut scores);
                log_probability += f64::from(scores.get(*piece as usize).copied().unwrap_or(0.0)).ln();
            }
        }
        Ok(log_probability.exp() as f32)
    }

    /// The encoding with `middle` in place of the token at `place`. The model uses only ids and segments.
    fn widened(&self, encoding: &Encoding, place: usize, middle: impl Iterator<Item = u32>) -> Encoding {
        let middle: Vec<u32> = middle.collect();
        let mut wide = Encoding { ids: Vec::new(), type_ids: Vec::new(), ..Encoding::default() };
        wide.ids.extend_from_slice(&encoding.ids[..place]);
        wide.ids.extend(&middle);
        wide.ids.extend_from_slice(&encoding.ids[place + 1..]);
        wide.type_ids.extend_from_slice(&encoding.type_ids[..place]);
        wide.type_ids.extend(std::iter::repeat_n(encoding.type_ids[place], middle.len()));
        wide.type_ids.extend_from_slice(&encoding.type_ids[place + 1..]);
        wide
    }

    fn prediction(
        &self,
        item: &FillMaskItem,
        place: usize,
        pieces: Vec<u32>,
        score: f32,
    ) -> Result<Prediction> {
        let tokenizer = &self.runtime.tokenizer;
        let filled = self.widened(&item.encoding, place, pieces.iter().copied());
        // As in the pipeline, special tokens are dropped if there is one mask. With several, the other masks stay. The tokens added
        // around the text are dropped here, while transformers keeps them.
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
    /// Logits over the vocabulary at each mask.
    type Output = Vec<Vec<f32>>;
    type Prediction = MaskPredictions;

    fn encode(&self, body: &RecordBody) -> std::result::Result<FillMaskItem, String> {
        self.prepare(TextPair::from_record(body, &self.options.fields)?)
    }

    fn rows<'a>(&self, item: &'a FillMaskItem) -> &'a [Encoding] {
        std::slice::from_ref(&item.encoding)
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Self::Output>> {
        let masks: Vec<Vec<usize>> = rows.iter().map(|row| positions_of(&row.ids, self.mask_id)).collect();
        self.runtime.masked_lm_logits(rows, &masks)
    }

    fn decode(&self, item: &FillMaskItem, outputs: Vec<Self::Output>) -> Result<MaskPredictions> {
        self.fill(item, outputs.into_iter().next().unwrap_or_default())
    }

    fn json(&self, _item: &FillMaskItem, prediction: &MaskPredictions) -> serde_json::Result<Box<RawValue>> {
        match prediction.as_slice() {
            [one] => serde_json::value::to_raw_value(one),
            several => serde_json::value::to_raw_value(several),
        }
    }

    /// One prediction, or lists of all with the number of the mask that each is for.
    fn columns(&self) -> Vec<Column> {
        let lists = self.options.top_k > 1;
        let of = |name: &str, kind: ColumnType| Column::new(name, if lists { kind.list() } else { kind });
        let words = self.options.targets.iter().any(|target| target.pieces.len() > 1);
        let token = if words { ColumnType::Integer.list() } else { ColumnType::Integer };
        let mask = lists.then(|| of("mask", ColumnType::Integer));
        mask.into_iter()
            .chain([
                of("score", ColumnType::Float),
                of("token", token),
                of("token_str", ColumnType::Text),
                of("sequence", ColumnType::Text),
            ])
            .collect()
    }

    fn cells(
        &self,
        item: &FillMaskItem,
        prediction: &MaskPredictions,
    ) -> std::result::Result<Vec<Cell>, String> {
        let lists = self.options.top_k > 1;
        if !lists && item.masks.len() > 1 {
            return Err(format!(
                "{} masks in the text, and option top_k=1 gives a table one prediction per text; option top_k=2 or more gives \
                 lists",
                item.masks.len()
            ));
        }
        let words = self.options.targets.iter().any(|target| target.pieces.len() > 1);
        let all: Vec<(usize, &Prediction)> =
            prediction.iter().enumerate().flat_map(|(i, mask)| mask.iter().map(move |p| (i, p))).collect();
        let token = |(_, p): &(usize, &Prediction)| {
            let ids = match &p.token {
                Token::One(id) if !words => return Cell::Integer(i64::from(*id)),
                Token::One(id) => std::slice::from_ref(id),
                Token::Many(ids) => ids,
            };
            Cell::of(ids, true, |id| Cell::Integer(i64::from(*id)))
        };
        let mask = lists.then(|| Cell::of(&all, true, |(mask, _)| Cell::integer(Some(*mask))));
        Ok(mask
            .into_iter()
            .chain([
                Cell::of(&all, lists, |(_, p)| Cell::Float(p.score)),
                Cell::of(&all, lists, token),
                Cell::of(&all, lists, |(_, p)| Cell::Text(p.token_str.clone())),
                Cell::of(&all, lists, |(_, p)| Cell::Text(p.sequence.clone())),
            ])
            .collect())
    }

    fn text(&self, item: &FillMaskItem, prediction: &MaskPredictions, color: bool) -> String {
        use std::fmt::Write;
        let word = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
        let mut out = item.text.text.clone();
        if let Some(pair) = &item.text.text_pair {
            out.push_str(" | ");
            out.push_str(pair);
        }
        out.push('\n');
        let width = prediction.iter().flatten().map(|p| p.token_str.chars().count()).max().unwrap_or(0);
        for (i, mask) in prediction.iter().enumerate() {
            if prediction.len() > 1 {
                let _infallible = writeln!(out, "  {} {}:", self.mask_token, i + 1);
            }
            for p in mask {
                let _infallible = writeln!(
                    out,
                    "  {:>6.2} %  {word}{:width$}{word:#}  {}",
                    p.score * 100.0,
                    p.token_str,
                    p.sequence
                );
            }
        }
        out
    }
}

fn positions_of(ids: &[u32], wanted: u32) -> Vec<usize> {
    ids.iter().enumerate().filter(|(_, id)| **id == wanted).map(|(i, _)| i).collect()
}
