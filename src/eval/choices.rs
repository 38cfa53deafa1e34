//! Evaluation of multiple choice: accuracy, overall and per group (RACE's middle and high schools).

use rayon::prelude::*;
use serde_json::{Map, json};

use super::TaskEvaluation;
use super::metrics::choice_accuracy;
use super::report::{EvalReport, ScoredExample, id_value};
use super::texts::{best, cross_entropy, mean};
use crate::data::ChoiceExample;
use crate::error::Result;
use crate::stream::{check_finite, run_rows};
use crate::tasks::{Choose, ChooseItem, ChooseOptions, Pipeline};

/// Questions with choices, and the model to evaluate.
pub struct ChoiceEvaluation {
    pipeline: Pipeline,
    examples: Vec<ChoiceExample>,
    items: Vec<ChooseItem>,
    gold: Vec<usize>,
    unlabelled: u64,
}

impl ChoiceEvaluation {
    /// Encodes `examples`. Examples without a label are skipped and counted.
    ///
    /// # Errors
    /// Names the location of an example that cannot be encoded.
    pub fn new(pipeline: Pipeline, examples: Vec<ChoiceExample>) -> Result<Self> {
        let all = examples.len();
        let (examples, gold): (Vec<ChoiceExample>, Vec<usize>) =
            examples.into_iter().filter_map(|e| e.label.map(|label| (e, label))).unzip();
        let task = Choose::new(&pipeline, ChooseOptions::default());
        let items: Result<Vec<ChooseItem>> = examples
            .par_iter()
            .map(|e| {
                task.prepare(e.prompt.clone(), e.choices.clone(), e.context.as_deref())
                    .map_err(|problem| e.place.error(problem))
            })
            .collect();
        let unlabelled = (all - examples.len()) as u64;
        Ok(Self { items: items?, gold, unlabelled, examples, pipeline })
    }
}

impl TaskEvaluation for ChoiceEvaluation {
    fn pipeline_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    fn run(&self, batch_tokens: usize) -> Result<EvalReport> {
        let task = Choose::new(&self.pipeline, ChooseOptions::default());
        let items: Vec<&ChooseItem> = self.items.iter().collect();
        let mut said = vec![0; items.len()];
        let mut losses = vec![0.0; items.len()];
        run_rows(
            &task,
            &items,
            batch_tokens,
            &mut |i, logits| {
                check_finite(i, &logits)?;
                said[i] = best(&logits);
                losses[i] = cross_entropy(&logits, self.gold[i]);
                Ok(())
            },
            &mut || (),
        )?;
        let marks = self.examples.iter().zip(&self.gold).zip(&said);
        let found =
            choice_accuracy(marks.clone().map(|((e, gold), said)| (e.group.as_deref(), *gold, *said)));
        let scored = marks.map(|((example, gold), said)| {
            let mut fields = Map::new();
            if let Some(id) = &example.id {
                fields.insert("id".to_owned(), id_value(id));
            }
            if let Some(context) = &example.context {
                fields.insert("context".to_owned(), context.clone().into());
            }
            fields.insert("prompt".to_owned(), example.prompt.clone().into());
            fields.insert("choices".to_owned(), json!(example.choices));
            fields.insert("gold".to_owned(), json!(gold));
            fields.insert("predicted".to_owned(), json!(said));
            ScoredExample { place: example.place.to_string(), fields, correct: Some(gold == said) }
        });
        let mut warnings = Vec::new();
        if let Some(only) = said.first().filter(|first| said.iter().all(|s| s == *first))
            && self.gold.iter().any(|gold| gold != only)
        {
            warnings.push(format!("every prediction is choice {only} (counted from 0)"));
        }
        Ok(EvalReport {
            examples: items.len() as u64,
            unlabelled: self.unlabelled,
            metrics: vec![("accuracy", found.accuracy), ("loss", mean(&losses))],
            groups: found.groups.into_iter().map(|(name, own)| (name, vec![("accuracy", own)])).collect(),
            scored: scored.collect(),
            warnings,
            ..EvalReport::default()
        })
    }
}
