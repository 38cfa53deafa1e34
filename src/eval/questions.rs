//! Evaluation of question answering with SQuAD's rules: exact match and F1, and the best threshold if some questions have
//! no answer.

use rayon::prelude::*;
use serde_json::{Map, json};

use super::TaskEvaluation;
use super::metrics::{QuestionOutcome, squad_v1, squad_v2};
use super::report::{EvalReport, ScoredExample};
use super::texts::{cross_entropy, mean};
use crate::data::QuestionExample;
use crate::error::Result;
use crate::stream::{Task, check_finite, run_rows};
use crate::tasks::{Pipeline, Qa, QaItem, QaOptions};

/// The evaluation script to follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QuestionRules {
    /// `evaluate-v1.1.py`: every question has an answer.
    V1,
    /// `evaluate-v2.0.py`: "no answer" is predicted if its score exceeds the best answer's by more than a threshold.
    V2 {
        /// SQuAD's `na_prob_thresh`, over `score_diff`.
        null_threshold: f64,
    },
}

/// Questions with their answers, and the model to evaluate.
pub struct QuestionEvaluation {
    pipeline: Pipeline,
    rules: QuestionRules,
    options: QaOptions,
    examples: Vec<QuestionExample>,
    items: Vec<QaItem>,
    /// The columns of the answer in each row.
    columns: Vec<Vec<(usize, usize)>>,
}

impl QuestionEvaluation {
    /// Encodes `examples`.
    ///
    /// # Errors
    /// Names the location of an example that cannot be encoded; [`crate::Error::InvalidOption`] for options that do not
    /// fit the model.
    pub fn new(
        pipeline: Pipeline,
        examples: Vec<QuestionExample>,
        rules: QuestionRules,
        options: QaOptions,
    ) -> Result<Self> {
        let options =
            QaOptions { top_k: 2, impossible: rules != QuestionRules::V1, null_threshold: None, ..options };
        let task = Qa::new(&pipeline, options.clone())?;
        let items: Result<Vec<QaItem>> = examples
            .par_iter()
            .map(|e| task.prepare(e.question.clone(), &e.context).map_err(|problem| e.place.error(problem)))
            .collect();
        let items = items?;
        let columns = items
            .iter()
            .zip(&examples)
            .map(|(item, e)| task.answer_columns(item, e.place_of_answer()))
            .collect();
        Ok(Self { rules, options, items, columns, examples, pipeline })
    }
}

impl TaskEvaluation for QuestionEvaluation {
    fn pipeline_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    fn run(&self, batch_tokens: usize) -> Result<EvalReport> {
        let task = Qa::new(&self.pipeline, self.options.clone())?;
        let items: Vec<&QaItem> = self.items.iter().collect();
        let mut outcomes: Vec<QuestionOutcome> = vec![QuestionOutcome::default(); items.len()];
        let mut losses = Vec::new();
        run_rows(
            &task,
            &items,
            batch_tokens,
            &mut |i, outputs| {
                check_finite(i, &outputs)?;
                for (logits, (start, end)) in outputs.iter().zip(&self.columns[i]) {
                    let side =
                        |which: usize| logits.iter().skip(which).step_by(2).copied().collect::<Vec<_>>();
                    losses.push((cross_entropy(&side(0), *start) + cross_entropy(&side(1), *end)) / 2.0);
                }
                let answers = task.decode(items[i], outputs)?;
                let best = answers.answers.into_iter().find(|answer| !answer.answer.is_empty());
                outcomes[i] = QuestionOutcome {
                    id: self.examples[i].id.clone(),
                    answers: self.examples[i].answers.iter().map(|answer| answer.text.clone()).collect(),
                    prediction: best.map(|answer| answer.answer).unwrap_or_default(),
                    no_answer: f64::from(answers.null_score_diff.unwrap_or(f32::NEG_INFINITY)),
                };
                Ok(())
            },
            &mut || (),
        )?;
        let mut metrics;
        let mut warnings = Vec::new();
        let (scores, predictions): (Vec<(f64, f64)>, Vec<String>) = match self.rules {
            QuestionRules::V1 => {
                let found = squad_v1(&outcomes);
                metrics = vec![("exact_match", found.exact), ("f1", found.f1)];
                (found.scores, outcomes.iter().map(|o| o.prediction.clone()).collect())
            }
            QuestionRules::V2 { null_threshold } => {
                let found = squad_v2(&outcomes, null_threshold);
                metrics = vec![
                    ("exact_match", found.exact),
                    ("f1", found.f1),
                    ("has_answer_exact", found.has_answer_exact),
                    ("has_answer_f1", found.has_answer_f1),
                    ("no_answer_exact", found.no_answer_exact),
                    ("best_exact", found.best_exact),
                    ("best_exact_threshold", found.best_exact_threshold),
                    ("best_f1", found.best_f1),
                    ("best_f1_threshold", found.best_f1_threshold),
                ];
                let said = |o: &QuestionOutcome| {
                    if o.no_answer > null_threshold { String::new() } else { o.prediction.clone() }
                };
                (found.scores, outcomes.iter().map(said).collect())
            }
        };
        metrics.push(("loss", mean(&losses)));
        if predictions.iter().all(String::is_empty) && !predictions.is_empty() {
            warnings.push("no question was answered at all".to_owned());
        }
        let scored =
            self.examples.iter().zip(&predictions).zip(&scores).map(|((example, said), (exact, f1))| {
                let mut fields = Map::new();
                fields.insert("id".to_owned(), example.id.clone().into());
                fields.insert("question".to_owned(), example.question.clone().into());
                fields.insert("context".to_owned(), (*example.context).into());
                let answers: Vec<&str> = example.answers.iter().map(|answer| answer.text.as_str()).collect();
                fields.insert("gold".to_owned(), json!(answers));
                fields.insert("predicted".to_owned(), json!(said));
                fields.insert("f1".to_owned(), json!(f1));
                ScoredExample { place: example.place.to_string(), fields, correct: Some(*exact > 0.0) }
            });
        Ok(EvalReport {
            examples: items.len() as u64,
            metrics,
            scored: scored.collect(),
            warnings,
            ..EvalReport::default()
        })
    }
}
