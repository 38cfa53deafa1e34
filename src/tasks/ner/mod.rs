//! Token classification (transformers' pipeline), with entities that respect word boundaries, and overlapping windows for long
//! texts.
//!
//! Reference: transformers 4.57 `pipelines/token_classification.py`.

mod aggregate;
mod options;
mod tags;
mod words;

use std::ops::Range;

use serde::Serialize;

pub use aggregate::Aggregation;
use aggregate::{Tagged, Token, aggregate, without_overlaps};
pub use options::{NerOptions, WordBoundaries};
use tags::Scheme;
use words::{Words, entities};

use super::input::required;
use super::pipeline::{OverflowStrategy, Pipeline};
use super::scores::softmax;
use super::text::{Span, Text};
use super::windows::{own_parts, windows};
use crate::error::{Error, Result, count};
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::Encoding;

/// A text split into tokens and windows.
#[derive(Debug)]
pub struct NerItem {
    pub(crate) text: Text,
    /// Offsets of the given words.
    pub(crate) given: Option<Vec<Span>>,
    ids: Vec<u32>,
    places: Vec<Span>,
    /// The index of each token's word.
    word_ids: Vec<Option<u32>>,
    windows: Vec<Range<usize>>,
    rows: Vec<Encoding>,
}

/// A token, or an entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    /// The label of a token (aggregation none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// The type of an entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_group: Option<String>,
    /// Probability of the label; the mean over its parts for an entity.
    pub score: f32,
    /// The index of the token in the text, counting `[CLS]`; for a truncated text, in the remaining part (aggregation
    /// none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The corresponding slice of the text.
    pub word: String,
    /// First code point in the text, or in the words joined by spaces.
    pub start: usize,
    /// Code point after the last one.
    pub end: usize,
    /// The index of the first word in the record's `tokens`, if it has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_token: Option<usize>,
    /// The index after that of the last word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_token: Option<usize>,
}

/// The task on a loaded model.
pub struct Ner<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: NerOptions,
    scheme: Scheme,
    /// Overlap of adjacent windows in tokens, if there are windows.
    stride: Option<usize>,
}

impl<'a> Ner<'a> {
    /// Creates the task and checks its options.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a stride that is too large or unsupported by transformers.
    pub fn new(pipeline: &'a Pipeline, options: NerOptions) -> Result<Self> {
        let room = pipeline.max_text_tokens(false);
        let usage = |problem: String| Error::InvalidOption { name: "stride".to_owned(), problem };
        if options.stride.is_some() && pipeline.long == OverflowStrategy::Error {
            return Err(usage("windows are not read with option long=error".to_owned()));
        }
        if let Some(stride) = options.stride {
            if stride >= room {
                return Err(usage(format!(
                    "{stride} is too large: a window has {} of text",
                    count(room, "token")
                )));
            }
            if options.word_boundaries == WordBoundaries::Hf && options.aggregation == Aggregation::None {
                return Err(usage(
                    "with option word_boundaries=hf it needs an aggregation, as in transformers".to_owned(),
                ));
            }
        }
        let stride = options.stride.or((pipeline.long == OverflowStrategy::Window).then_some(room / 4));
        let labels: Vec<String> =
            (0..pipeline.config.num_labels).map(|id| pipeline.config.label(id)).collect();
        Ok(Self { pipeline, scheme: Scheme::of(&labels), options, stride })
    }

    /// Encodes a text.
    ///
    /// # Errors
    /// If it is too long and must be neither truncated nor read in windows.
    pub fn prepare(&self, text: String) -> std::result::Result<NerItem, String> {
        let encoding =
            self.pipeline.tokenizer.encode_without_special_tokens(&text).map_err(|e| e.to_string())?;
        let places = encoding.offsets.clone();
        self.cut(Text::new(text), None, &encoding, places)
    }

    /// Encodes words. Their text consists of the words joined by spaces.
    ///
    /// # Errors
    /// Same as [`Ner::prepare`].
    pub fn prepare_words(&self, words: &[String]) -> std::result::Result<NerItem, String> {
        let encoding = self.pipeline.tokenizer.encode_words(words).map_err(|e| e.to_string())?;
        let mut given = Vec::with_capacity(words.len());
        let mut at = 0;
        for word in words {
            let end = at + word.chars().count();
            given.push((at, end));
            at = end + 1;
        }
        let places = encoding
            .offsets
            .iter()
            .zip(&encoding.word_ids)
            .map(|((start, end), word)| {
                let at = word.and_then(|word| given.get(word as usize)).map_or(0, |place| place.0);
                (at + start, at + end)
            })
            .collect();
        self.cut(Text::new(words.join(" ")), Some(given), &encoding, places)
    }

    fn cut(
        &self,
        text: Text,
        given: Option<Vec<Span>>,
        encoding: &Encoding,
        places: Vec<Span>,
    ) -> std::result::Result<NerItem, String> {
        let room = self.pipeline.max_text_tokens(false);
        let side = self.pipeline.tokenizer.truncation_side();
        let length = encoding.ids.len();
        let too_long = length > room;
        if too_long && self.stride.is_none() && self.pipeline.long == OverflowStrategy::Error {
            return Err(self.pipeline.too_long(length + self.pipeline.tokenizer.num_special_tokens(false)));
        }
        let windows = match self.stride {
            Some(stride) => windows(length, room, stride, side),
            None => vec![side.kept(length, room)],
        };
        let mut rows = Vec::with_capacity(windows.len());
        for window in &windows {
            let mut row = self.pipeline.tokenizer.with_special(&encoding.slice(window.clone()), None);
            row.truncated = too_long && self.stride.is_none();
            self.pipeline.check_ids(&row)?;
            rows.push(row);
        }
        Ok(NerItem {
            text,
            given,
            ids: encoding.ids.clone(),
            places,
            word_ids: encoding.word_ids.clone(),
            windows,
            rows,
        })
    }

    /// Returns the logits of the first token of each of `words` words, from the window in which it has the most context,
    /// as in transformers' `run_ner.py`. Returns `None` for words that have no token or were truncated.
    pub fn word_logits(&self, item: &NerItem, outputs: &[Vec<f32>], words: usize) -> Vec<Option<Vec<f32>>> {
        let mut first = vec![None; words];
        let parts = own_parts(&item.windows);
        for (((window, part), row), logits) in item.windows.iter().zip(parts).zip(&item.rows).zip(outputs) {
            let labels = logits.len() / row.ids.len().max(1);
            let own = logits.chunks(labels.max(1)).zip(&row.special_tokens_mask);
            let own = own.filter(|(_, special)| !**special).map(|(logits, _)| logits);
            for (i, logits) in part.clone().zip(own.skip(part.start - window.start)) {
                let word = item.word_ids.get(i).copied().flatten().and_then(|w| first.get_mut(w as usize));
                if let Some(slot @ None) = word {
                    *slot = Some(logits.to_vec());
                }
            }
        }
        first
    }

    /// Returns the probabilities of the text's own tokens in one row.
    fn probabilities(row: &Encoding, logits: &[f32]) -> Vec<Vec<f32>> {
        let labels = logits.len() / row.ids.len().max(1);
        logits
            .chunks(labels.max(1))
            .zip(&row.special_tokens_mask)
            .filter(|(_, special)| !**special)
            .map(|(logits, _)| {
                let mut scores = logits.to_vec();
                softmax(&mut scores);
                scores
            })
            .collect()
    }

    fn label(&self, id: usize) -> String {
        self.pipeline.config.label(id)
    }

    fn is_ignored(&self, label: &str) -> bool {
        self.options.ignore_labels.iter().any(|ignored| ignored == label)
    }

    /// Returns token `i` of the text, with word boundaries as in transformers. `column` is its column in the row.
    fn token(&self, item: &NerItem, i: usize, column: usize, scores: Vec<f32>) -> Token {
        let tokenizer = &self.pipeline.tokenizer;
        let place = item.places[i];
        let slice = item.text.slice(place);
        let mut word = tokenizer.id_to_token(item.ids[i]).unwrap_or_default();
        let mut is_subword = if tokenizer.has_subword_prefix() {
            word.chars().count() != slice.chars().count()
        } else {
            place.0 > 0 && !item.text.slice((place.0 - 1, place.0 + 1)).contains(' ')
        };
        if Some(item.ids[i]) == tokenizer.unk_id() {
            word = slice.to_owned();
            is_subword = false;
        }
        Token { word, scores, place, index: column, is_subword }
    }

    /// Follows the pipeline: aggregates each window independently, then selects among overlapping entities.
    fn as_transformers(&self, item: &NerItem, outputs: &[Vec<f32>]) -> Result<Vec<Tagged>> {
        let tokenizer = &self.pipeline.tokenizer;
        let mut all = Vec::new();
        for ((window, row), logits) in item.windows.iter().zip(&item.rows).zip(outputs) {
            let before = row.special_tokens_mask.iter().take_while(|special| **special).count();
            let tokens: Vec<Token> = window
                .clone()
                .zip(Self::probabilities(row, logits))
                .map(|(i, scores)| self.token(item, i, before + i - window.start, scores))
                .collect();
            let tagged = aggregate(&tokens, self.options.aggregation, &|id| self.label(id), &|tokens| {
                tokenizer.join(tokens)
            })?;
            all.extend(tagged.into_iter().filter(|entity| !self.is_ignored(&entity.label)));
        }
        Ok(if item.windows.len() > 1 { without_overlaps(all) } else { all })
    }

    /// Combines the windows into a single sequence of tokens, each with the scores from the window in which it has the
    /// most context.
    fn as_text(&self, item: &NerItem, outputs: &[Vec<f32>], aggregation: Aggregation) -> Vec<Tagged> {
        let mut tokens = Vec::with_capacity(item.places.len());
        let parts = own_parts(&item.windows);
        for (((window, part), row), logits) in item.windows.iter().zip(parts).zip(&item.rows).zip(outputs) {
            let scores = Self::probabilities(row, logits);
            let own = scores.into_iter().skip(part.start - window.start).take(part.len());
            // Tokens of a truncated text are numbered within the remaining part.
            let skipped = if item.windows.len() == 1 { window.start } else { 0 };
            tokens.extend(part.zip(own).map(|(i, scores)| self.token(item, i, i + 1 - skipped, scores)));
        }
        entities(
            &item.text,
            &self.words(item),
            &tokens,
            aggregation,
            self.scheme,
            &|id| self.label(id),
            &|label| self.is_ignored(label),
        )
    }

    fn words(&self, item: &NerItem) -> Words {
        item.given.as_ref().map_or_else(|| Words::of(&item.text), |given| Words::given(given))
    }

    fn entity(&self, item: &NerItem, tagged: Tagged) -> Entity {
        let single = self.options.aggregation == Aggregation::None;
        let (start, end) = tagged.place;
        let words = item.given.as_ref().map(|given| {
            let first = given.partition_point(|word| word.1 <= start);
            (first, given.partition_point(|word| word.0 < end).max(first))
        });
        Entity {
            entity: single.then(|| tagged.label.clone()),
            entity_group: (!single).then_some(tagged.label),
            score: tagged.score,
            index: single.then_some(tagged.index),
            word: tagged.word,
            start,
            end,
            start_token: words.map(|w| w.0),
            end_token: words.map(|w| w.1),
        }
    }
}

impl Task for Ner<'_> {
    type Item = NerItem;
    type Row = Encoding;
    /// Logits of one window, token by token.
    type Output = Vec<f32>;
    type Prediction = Vec<Entity>;

    fn encode(&self, body: &RecordBody) -> std::result::Result<NerItem, String> {
        let options = &self.options;
        match body {
            RecordBody::Text(text) => self.prepare(text.clone()),
            RecordBody::Object(fields) => match fields.optional_string(&options.text_field)? {
                Some(text) => self.prepare(text),
                None => match fields.strings(&options.tokens_field)? {
                    Some(words) => self.prepare_words(&words),
                    // Without words, an empty cell counts as an empty text.
                    None => self.prepare(required(fields, &options.text_field, "text_field")?),
                },
            },
        }
    }

    fn rows<'a>(&self, item: &'a NerItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        self.pipeline.token_logits(rows)
    }

    fn decode(&self, item: &NerItem, outputs: Vec<Vec<f32>>) -> Result<Vec<Entity>> {
        let tagged = match self.options.word_boundaries {
            WordBoundaries::Text => self.as_text(item, &outputs, self.options.aggregation),
            WordBoundaries::Hf => self.as_transformers(item, &outputs)?,
        };
        Ok(tagged.into_iter().map(|tagged| self.entity(item, tagged)).collect())
    }
}

impl Ner<'_> {
    /// Returns true if the labels of the model mark the start of entities.
    pub(crate) fn has_prefixes(&self) -> bool {
        (0..self.pipeline.config.num_labels).any(|id| self.label(id).starts_with("B-"))
    }
}
