//! Encoding of labelled data into training rows, in the same way as the tasks encode their input.

use std::ops::Range;

use rayon::prelude::*;

use super::labels::known;
use crate::data::{ChoiceExample, LabelSet, Place, QuestionExample, Target, TextExample, TokenExample};
use crate::error::Result;
use crate::stream::Task;
use crate::tasks::{Choose, Classify, Pipeline, Qa, TextPair};
use crate::training::finetune::objective::{Answer, TrainingExample};

/// Encodes texts or pairs, one row each. Examples without a target are skipped.
///
/// # Errors
/// Names the location of an example that cannot be encoded, or whose label is not in `labels`.
pub(super) fn texts(
    task: &Classify,
    labels: &LabelSet,
    examples: &[TextExample],
) -> Result<Vec<TrainingExample>> {
    let id = |name: &str, place: &Place| known(labels, place, name);
    let one = |example: &TextExample| -> Result<Option<TrainingExample>> {
        let answer = match &example.target {
            Target::None => return Ok(None),
            Target::Label(name) => Answer::Label(id(name, &example.place)?),
            Target::Labels(names) => {
                let mut flags = vec![false; labels.len()];
                for name in names {
                    flags[id(name, &example.place)?] = true;
                }
                Answer::Labels(flags)
            }
            Target::Number(number) => Answer::Number(*number as f32),
        };
        let text = TextPair { text: example.text.clone(), text_pair: example.text_pair.clone() };
        let item = task.prepare(text).map_err(|problem| example.place.error(problem))?;
        Ok(Some(TrainingExample { rows: task.rows(&item)[..1].to_vec(), answer }))
    };
    let rows: Result<Vec<Option<TrainingExample>>> = examples.par_iter().map(one).collect();
    Ok(rows?.into_iter().flatten().collect())
}

/// Encodes tagged words. The first token of a word has its tag, and the other tokens are ignored in the loss (transformers
/// 4.57 `run_ner.py`). Long sentences become several rows, so that no word is lost.
///
/// # Errors
/// Same as [`texts`].
pub(super) fn tokens(
    pipeline: &Pipeline,
    labels: &LabelSet,
    examples: &[TokenExample],
) -> Result<Vec<TrainingExample>> {
    let one = |example: &TokenExample| -> Result<Vec<TrainingExample>> {
        let tags: Result<Vec<usize>> =
            example.tags.iter().map(|tag| known(labels, &example.place, tag)).collect();
        let tags = tags?;
        let encoding = pipeline
            .tokenizer
            .encode_words(&example.words)
            .map_err(|e| example.place.error(e.to_string()))?;
        if !encoding.ids.is_empty() {
            pipeline.check_ids(&encoding).map_err(|problem| example.place.error(problem))?;
        }
        let words = &encoding.word_ids;
        let tag = |i: usize| {
            let word = words.get(i).copied().flatten()?;
            let first = i == 0 || words[i - 1] != Some(word);
            tags.get(word as usize).copied().filter(|_| first)
        };
        let room = pipeline.max_text_tokens(false).max(1);
        let row = |range: Range<usize>| {
            let row = pipeline.tokenizer.with_special(&encoding.slice(range.clone()), None);
            let mut own = range.map(tag);
            let tags = row.special_tokens_mask.iter();
            let tags = tags.map(|special| if *special { None } else { own.next().flatten() }).collect();
            TrainingExample { rows: vec![row], answer: Answer::Tags(tags) }
        };
        let length = encoding.ids.len();
        Ok((0..length).step_by(room).map(|start| row(start..length.min(start + room))).collect())
    };
    let rows: Result<Vec<Vec<TrainingExample>>> = examples.par_iter().map(one).collect();
    Ok(rows?.concat())
}

/// Encodes questions, one row per window of the context. If a window does not contain the complete answer, its target is
/// `[CLS]`.
///
/// # Errors
/// Names the location of an example that cannot be encoded.
pub(super) fn questions(task: &Qa, examples: &[QuestionExample]) -> Result<Vec<TrainingExample>> {
    let one = |example: &QuestionExample| -> Result<Vec<TrainingExample>> {
        let item = task
            .prepare(example.question.clone(), &example.context)
            .map_err(|problem| example.place.error(problem))?;
        let columns = task.answer_columns(&item, example.place_of_answer());
        let row = |(row, (start, end)): (&crate::tokenizer::Encoding, (usize, usize))| TrainingExample {
            rows: vec![row.clone()],
            answer: Answer::Span(start, end),
        };
        Ok(task.rows(&item).iter().zip(columns).map(row).collect())
    };
    let rows: Result<Vec<Vec<TrainingExample>>> = examples.par_iter().map(one).collect();
    Ok(rows?.concat())
}

/// Encodes choices, one row each. Examples without a label are skipped.
///
/// # Errors
/// Names the location of an example that cannot be encoded.
pub(super) fn choices(task: &Choose, examples: &[ChoiceExample]) -> Result<Vec<TrainingExample>> {
    let one = |example: &ChoiceExample| -> Result<Option<TrainingExample>> {
        let Some(label) = example.label else { return Ok(None) };
        let item = task
            .prepare(example.prompt.clone(), example.choices.clone(), example.context.as_deref())
            .map_err(|problem| example.place.error(problem))?;
        Ok(Some(TrainingExample { rows: task.rows(&item).to_vec(), answer: Answer::Choice(label) }))
    };
    let rows: Result<Vec<Option<TrainingExample>>> = examples.par_iter().map(one).collect();
    Ok(rows?.into_iter().flatten().collect())
}
