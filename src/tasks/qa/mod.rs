//! Extractive question answering: transformers' question-answering pipeline.
//!
//! Reference: transformers 4.57 `pipelines/question_answering.py` (with a fast tokenizer). The threshold applies to
//! SQuAD 2.0's `score_diff`, as in `data/metrics/squad_metrics.py`.

mod context;
mod options;
mod spans;

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use context::{Context, Contexts};
use spans::{Decoded, SpanOptions, Window, decode};

use super::input::{missing, required};
use super::pipeline::{OverflowStrategy, Pipeline};
use super::windows::windows;
use crate::error::{Error, Result, count};
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::{Encoding, TokenizerKind, TruncationSide};

pub use options::QaOptions;

/// A question with the windows of its context.
#[derive(Debug)]
pub struct QaItem {
    pub(crate) question: String,
    /// The id as JSON.
    pub(crate) id: Option<String>,
    pub(crate) context: Arc<Context>,
    windows: Vec<Range<usize>>,
    /// The column of the first context token in every row.
    first: usize,
    rows: Vec<Encoding>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerSpan {
    /// Probability of the start times that of the end. As in transformers' pipeline, the scores of equal texts in
    /// different positions are added up.
    pub score: f32,
    /// First code point in the context.
    pub start: usize,
    /// Code point after the last one.
    pub end: usize,
    /// The slice of the context; empty for "no answer".
    pub answer: String,
}

/// The answers to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Best first.
    pub answers: Vec<AnswerSpan>,
    /// Probability of "no answer", if requested.
    pub null_score: Option<f32>,
    /// Difference between the logits of "no answer" and the best answer's.
    pub null_score_diff: Option<f32>,
}

/// The task on a loaded model.
pub struct Qa<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: QaOptions,
    stride: usize,
    contexts: Contexts,
}

impl<'a> Qa<'a> {
    /// Creates the task and checks its options.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a stride that is too large, or a length that is too short.
    pub fn new(pipeline: &'a Pipeline, options: QaOptions) -> Result<Self> {
        let room = pipeline.max_text_tokens(true);
        if room < 2 {
            return Err(Error::InvalidOption {
                name: "max_length".to_owned(),
                problem: format!(
                    "{} leaves no room for a question and a context; the minimum is {}",
                    pipeline.max_length,
                    pipeline.tokenizer.num_special_tokens(true) + 2
                ),
            });
        }
        // As in the pipeline: 128, or half of a shorter window.
        let stride = options.doc_stride.unwrap_or((pipeline.max_length / 2).min(128));
        if options.doc_stride.is_some_and(|stride| stride >= room) {
            return Err(Error::InvalidOption {
                name: "doc_stride".to_owned(),
                problem: format!(
                    "{stride} is too large: question and context have {} together",
                    count(room, "token")
                ),
            });
        }
        Ok(Self { pipeline, options, stride, contexts: Contexts::default() })
    }

    /// Encodes a question with the windows of a context.
    ///
    /// # Errors
    /// If the context is too long and must be neither truncated nor read in windows ([`OverflowStrategy::Error`]).
    pub fn prepare(&self, question: String, context: &str) -> std::result::Result<QaItem, String> {
        let tokenizer = &self.pipeline.tokenizer;
        let context = self.contexts.get(context, tokenizer)?;
        let asked = tokenizer.encode_without_special_tokens(&question).map_err(|e| e.to_string())?;
        let both = self.pipeline.max_text_tokens(true);
        // The question must leave room for the windows to advance.
        let longest = self.options.max_question_len.min(both - (self.stride + 1).min(both / 2));
        let cut = asked.ids.len() > longest;
        let side = tokenizer.truncation_side();
        let asked = asked.slice(side.kept(asked.ids.len(), longest));
        let room = both - asked.ids.len();
        if self.pipeline.long == OverflowStrategy::Error && (cut || context.tokens.ids.len() > room) {
            let tokens = asked.ids.len() + context.tokens.ids.len() + tokenizer.num_special_tokens(true);
            return Err(if cut {
                format!("the question is longer than {} (option max_question_len)", count(longest, "token"))
            } else {
                self.pipeline.too_long(tokens)
            });
        }
        let mut windows = windows(context.tokens.ids.len(), room, self.stride, side);
        let short = self.pipeline.long == OverflowStrategy::Truncate && windows.len() > 1;
        if short {
            let one = match side {
                TruncationSide::Right => 0,
                TruncationSide::Left => windows.len() - 1,
            };
            windows = vec![windows.swap_remove(one)];
        }
        let mut rows = Vec::with_capacity(windows.len());
        let mut first = 0;
        for window in &windows {
            let mut row = tokenizer.with_special(&asked, Some(&context.tokens.slice(window.clone())));
            row.truncated = cut || short;
            self.pipeline.check_ids(&row)?;
            first =
                row.sequence_ids.iter().position(|sequence| *sequence == Some(1)).unwrap_or(row.ids.len());
            rows.push(row);
        }
        Ok(QaItem { question, id: None, context, windows, first, rows })
    }

    /// Returns, for each row of the item, the columns of the first and last token of the answer at `place` (code points
    /// of the context). If the row does not contain the complete answer, or there is no answer, both are the column of
    /// `[CLS]` (transformers 4.57 `examples/pytorch/question-answering/run_qa.py`).
    pub fn answer_columns(&self, item: &QaItem, place: Option<(usize, usize)>) -> Vec<(usize, usize)> {
        let column = |window: &Range<usize>| {
            let (start, end) = place?;
            let own = item.context.tokens.offsets.get(window.clone())?;
            let (first, last) = (own.first()?, own.last()?);
            if first.0 > start || last.1 < end {
                return None;
            }
            let begin = own.iter().take_while(|token| token.0 <= start).count() - 1;
            let finish = own.len() - own.iter().rev().take_while(|token| token.1 >= end).count();
            // An answer between two tokens has no token of its own.
            (begin <= finish && finish < own.len()).then(|| (item.first + begin, item.first + finish))
        };
        item.windows.iter().map(|window| column(window).unwrap_or((0, 0))).collect()
    }

    fn answers(&self, item: &QaItem, outputs: &[Vec<f32>]) -> Answers {
        let context = &item.context;
        let mut windows: Vec<Window<'_>> = item
            .windows
            .iter()
            .zip(&item.rows)
            .zip(outputs)
            .map(|((window, row), logits)| Window {
                context: item.first..item.first + window.len(),
                cls: row.special_tokens_mask.first().is_some_and(|special| *special).then_some(0),
                logits,
                places: &context.tokens.offsets[window.clone()],
                words: &context.tokens.word_ids[window.clone()],
            })
            .collect();
        // Of equal answers, the position in the first window counts. transformers starts at the side where texts are
        // kept.
        if self.pipeline.tokenizer.truncation_side() == TruncationSide::Left {
            windows.reverse();
        }
        let options = SpanOptions {
            top_k: self.options.top_k,
            max_answer_len: self.options.max_answer_len,
            align_to_words: self.options.align_to_words,
            spaces_left_out: self.pipeline.tokenizer.kind() == TokenizerKind::SentencePiece,
        };
        self.with_null(item, decode(&context.text, &windows, options))
    }

    /// Inserts "no answer" into the ranking.
    fn with_null(&self, item: &QaItem, decoded: Decoded) -> Answers {
        let span = |score: f32, place: (usize, usize)| AnswerSpan {
            score,
            start: place.0,
            end: place.1,
            answer: item.context.text.slice(place).to_owned(),
        };
        let mut answers: Vec<AnswerSpan> =
            decoded.answers.iter().map(|answer| span(answer.score, answer.place)).collect();
        if !self.options.impossible && self.options.null_threshold.is_none() {
            return Answers { answers, null_score: None, null_score_diff: None };
        }
        let null = span(decoded.null_score.unwrap_or(0.0), (0, 0));
        let diff = decoded.null_score_diff.unwrap_or(f32::NEG_INFINITY);
        let place = match self.options.null_threshold {
            Some(threshold) if diff > threshold => 0,
            // Below the threshold, the best answer stays first.
            Some(_) => answers.iter().skip(1).take_while(|a| a.score >= null.score).count() + 1,
            None => answers.iter().take_while(|a| a.score >= null.score).count(),
        };
        answers.insert(place.min(answers.len()), null);
        answers.truncate(self.options.top_k);
        Answers { answers, null_score: decoded.null_score, null_score_diff: decoded.null_score_diff }
    }
}

impl Task for Qa<'_> {
    type Item = QaItem;
    type Row = Encoding;
    /// Start and end logits of one window, token by token.
    type Output = Vec<f32>;
    type Prediction = Answers;

    fn encode(&self, body: &RecordBody) -> std::result::Result<QaItem, String> {
        let options = &self.options;
        let common = options.context.as_deref();
        match body {
            RecordBody::Text(question) => {
                let context =
                    common.ok_or("no context: use option context=FILE or option context_text=TEXT")?;
                self.prepare(question.clone(), context)
            }
            RecordBody::Object(fields) => {
                let question = required(fields, &options.question_field, "question_field")?;
                let own = fields.optional_string(&options.context_field)?;
                let context = own
                    .as_deref()
                    .or(common)
                    .ok_or_else(|| missing(fields, &options.context_field, "a string", "context_field"))?;
                let mut item = self.prepare(question, context)?;
                item.id = fields.raw(&options.id_field).map(|id| id.get().to_owned());
                Ok(item)
            }
        }
    }

    fn rows<'a>(&self, item: &'a QaItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        self.pipeline.span_logits(rows)
    }

    fn decode(&self, item: &QaItem, outputs: Vec<Vec<f32>>) -> Result<Answers> {
        Ok(self.answers(item, &outputs))
    }
}
