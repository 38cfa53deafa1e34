//! From labelled data to the rows that a run learns from, encoded as the tasks encode them.

use std::ops::Range;

use rayon::prelude::*;

use super::objective::{Answer, TrainingExample};
use crate::data::{ChoiceExample, LabelSet, Place, QuestionExample, Target, TextExample, TokenExample};
use crate::error::Result;
use crate::stream::Task;
use crate::tasks::{Choose, Classify, Qa, Runtime, TextPair};

/// Texts or pairs, a row each; those without a target are left out.
///
/// # Errors
/// With the place of an example that cannot be encoded, or whose label `labels` does not have.
pub fn texts(task: &Classify, labels: &LabelSet, examples: &[TextExample]) -> Result<Vec<TrainingExample>> {
    let id = |name: &str, place: &Place| labels.require(place, name);
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

/// Words with tags: the tag of a word is that of its first token, its other tokens teach nothing (transformers 4.57
/// `run_ner.py`). Long sentences become several rows, so that no word is left out.
///
/// # Errors
/// As [`texts`].
pub fn tokens(
    runtime: &Runtime,
    labels: &LabelSet,
    examples: &[TokenExample],
) -> Result<Vec<TrainingExample>> {
    let one = |example: &TokenExample| -> Result<Vec<TrainingExample>> {
        let tags: Result<Vec<usize>> =
            example.tags.iter().map(|tag| labels.require(&example.place, tag)).collect();
        let tags = tags?;
        let encoding =
            runtime.tokenizer.encode_words(&example.words).map_err(|e| example.place.error(e.to_string()))?;
        if !encoding.ids.is_empty() {
            runtime.check_ids(&encoding).map_err(|problem| example.place.error(problem))?;
        }
        let words = &encoding.word_ids;
        let tag = |i: usize| {
            let word = words.get(i).copied().flatten()?;
            let first = i == 0 || words[i - 1] != Some(word);
            tags.get(word as usize).copied().filter(|_| first)
        };
        let room = runtime.room(false).max(1);
        let row = |range: Range<usize>| {
            let row = runtime.tokenizer.with_special(&encoding.slice(range.clone()), None);
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

/// Questions, a row for each window of the context; the answer of a window that does not hold it whole is `[CLS]`.
///
/// # Errors
/// With the place of an example that cannot be encoded.
pub fn questions(task: &Qa, examples: &[QuestionExample]) -> Result<Vec<TrainingExample>> {
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

/// Choices, a row for each; examples without a label are left out.
///
/// # Errors
/// With the place of an example that cannot be encoded.
pub fn choices(task: &Choose, examples: &[ChoiceExample]) -> Result<Vec<TrainingExample>> {
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
