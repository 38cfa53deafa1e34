//! Evaluation of text classification (single-label and multi-label) and of regression.

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::TaskEvaluation;
use super::metrics::{ClassificationMetrics, MultiLabelMetrics, classification, multi_label, regression};
use super::report::{ClassMetrics, Confusion, EvalReport, ScoredExample, id_value};
use crate::data::{LabelSet, Target, TargetKind, TextExample};
use crate::error::Result;
use crate::stream::{check_finite, run_rows};
use crate::tasks::{Classify, ClassifyItem, ClassifyOptions, Function, Pipeline, TextPair};

/// The `problem_type` of a goal in transformers.
pub fn problem_type(goal: TargetKind) -> &'static str {
    match goal {
        TargetKind::Label => "single_label_classification",
        TargetKind::Labels => "multi_label_classification",
        TargetKind::Number => "regression",
    }
}

/// The goal of a `problem_type`.
pub fn goal_of(problem_type: &str) -> Option<TargetKind> {
    [TargetKind::Label, TargetKind::Labels, TargetKind::Number]
        .into_iter()
        .find(|goal| self::problem_type(*goal) == problem_type)
}

/// Minimum score of a predicted label in multi-label classification.
const LABEL_THRESHOLD: f32 = 0.5;

/// Labelled texts, and the model to evaluate.
pub struct TextEvaluation {
    pipeline: Pipeline,
    goal: TargetKind,
    labels: LabelSet,
    examples: Vec<TextExample>,
    items: Vec<ClassifyItem>,
    unlabelled: u64,
}

/// The gold target of an example.
enum Gold {
    Label(usize),
    Labels(Vec<bool>),
    Number(f64),
}

impl TextEvaluation {
    /// Encodes `examples`. Examples without a target are skipped and counted.
    ///
    /// # Errors
    /// Names the location of an example that cannot be encoded, or whose label is not in `labels`.
    pub fn new(
        pipeline: Pipeline,
        examples: Vec<TextExample>,
        goal: TargetKind,
        labels: LabelSet,
    ) -> Result<Self> {
        let all = examples.len();
        let examples: Vec<TextExample> =
            examples.into_iter().filter(|example| example.target != Target::None).collect();
        for example in &examples {
            gold(example, &labels)?;
        }
        let task = Classify::new(&pipeline, options(goal))?;
        let items: Result<Vec<ClassifyItem>> = examples
            .par_iter()
            .map(|example| {
                let text = TextPair { text: example.text.clone(), text_pair: example.text_pair.clone() };
                task.prepare(text).map_err(|problem| example.place.error(problem))
            })
            .collect();
        let unlabelled = (all - examples.len()) as u64;
        Ok(Self { goal, labels, items: items?, unlabelled, examples, pipeline })
    }

    fn label_report(&self, golds: &[Gold], scores: &[Vec<f32>], losses: &[f64]) -> EvalReport {
        let gold: Vec<usize> = golds.iter().map(|g| if let Gold::Label(id) = g { *id } else { 0 }).collect();
        let predicted: Vec<usize> = scores.iter().map(|scores| best(scores)).collect();
        let names = self.labels.names();
        let ClassificationMetrics { accuracy, matthews, classes, macro_f1, weighted_f1, confusion } =
            classification(&gold, &predicted, names.len());
        let mut metrics = vec![("accuracy", accuracy)];
        if let [_, positive] = classes.as_slice() {
            metrics.push(("f1", positive.f1));
        }
        metrics.extend([
            ("f1_macro", macro_f1),
            ("f1_weighted", weighted_f1),
            ("matthews", matthews),
            ("loss", mean(losses)),
        ]);
        let mut warnings = Vec::new();
        if let Some(only) = predicted.first().filter(|first| predicted.iter().all(|p| p == *first))
            && gold.iter().any(|g| g != only)
        {
            warnings.push(format!("every prediction is \"{}\"", names[*only]));
        }
        EvalReport {
            metrics,
            classes: names.iter().zip(&classes).map(|(label, c)| ClassMetrics::new(label, c)).collect(),
            confusion: Some(Confusion { labels: names.to_vec(), counts: confusion }),
            scored: self.scored(|i| {
                let (right, said) = (gold[i], predicted[i]);
                let score = scores[i].get(said).copied().unwrap_or_default();
                (json!(names[right]), json!(names[said]), Some(score), Some(right == said))
            }),
            warnings,
            ..EvalReport::default()
        }
    }

    fn labels_report(&self, golds: &[Gold], scores: &[Vec<f32>], losses: &[f64]) -> EvalReport {
        let gold: Vec<Vec<bool>> =
            golds.iter().map(|g| if let Gold::Labels(all) = g { all.clone() } else { Vec::new() }).collect();
        let predicted: Vec<Vec<bool>> = scores
            .iter()
            .map(|scores| scores.iter().map(|score| *score > LABEL_THRESHOLD).collect())
            .collect();
        let names = self.labels.names();
        let MultiLabelMetrics { subset_accuracy, micro_f1, macro_f1, weighted_f1, samples_f1, classes } =
            multi_label(&gold, &predicted, names.len());
        let named = |flags: &[bool]| {
            let held = names.iter().zip(flags).filter(|(_, holds)| **holds).map(|(name, _)| name.clone());
            Value::from(held.collect::<Vec<_>>())
        };
        EvalReport {
            metrics: vec![
                ("f1_micro", micro_f1),
                ("f1_macro", macro_f1),
                ("f1_weighted", weighted_f1),
                ("f1_samples", samples_f1),
                ("accuracy", subset_accuracy),
                ("loss", mean(losses)),
            ],
            classes: names.iter().zip(&classes).map(|(label, c)| ClassMetrics::new(label, c)).collect(),
            scored: self
                .scored(|i| (named(&gold[i]), named(&predicted[i]), None, Some(gold[i] == predicted[i]))),
            ..EvalReport::default()
        }
    }

    fn number_report(&self, golds: &[Gold], scores: &[Vec<f32>]) -> EvalReport {
        let gold: Vec<f64> = golds.iter().map(|g| if let Gold::Number(n) = g { *n } else { 0.0 }).collect();
        let predicted: Vec<f64> =
            scores.iter().map(|scores| f64::from(scores.first().copied().unwrap_or_default())).collect();
        let found = regression(&gold, &predicted);
        let mut warnings = Vec::new();
        if found.pearson.is_none() {
            warnings.push("gold or predicted numbers are all the same: no correlation".to_owned());
        }
        EvalReport {
            metrics: vec![
                ("pearson", found.pearson.unwrap_or(f64::NAN)),
                ("spearman", found.spearman.unwrap_or(f64::NAN)),
                ("mean_squared_error", found.mean_squared_error),
                ("mean_absolute_error", found.mean_absolute_error),
                ("loss", found.mean_squared_error),
            ],
            scored: self.scored(|i| (json!(gold[i]), json!(predicted[i]), None, None)),
            warnings,
            ..EvalReport::default()
        }
    }

    /// The examples with gold label, prediction, score and correctness, which `of` returns for an index.
    fn scored(&self, of: impl Fn(usize) -> (Value, Value, Option<f32>, Option<bool>)) -> Vec<ScoredExample> {
        let one = |(i, example): (usize, &TextExample)| {
            let (gold, predicted, score, correct) = of(i);
            let mut fields = Map::new();
            if let Some(id) = &example.id {
                fields.insert("id".to_owned(), id_value(id));
            }
            fields.insert("text".to_owned(), example.text.clone().into());
            if let Some(pair) = &example.text_pair {
                fields.insert("text_pair".to_owned(), pair.clone().into());
            }
            fields.insert("gold".to_owned(), gold);
            fields.insert("predicted".to_owned(), predicted);
            if let Some(score) = score {
                fields.insert("score".to_owned(), score.into());
            }
            ScoredExample { place: example.place.to_string(), fields, correct }
        };
        self.examples.iter().enumerate().map(one).collect()
    }
}

impl TaskEvaluation for TextEvaluation {
    fn pipeline_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    fn run(&self, batch_tokens: usize) -> Result<EvalReport> {
        let task = Classify::new(&self.pipeline, options(self.goal))?;
        let golds: Result<Vec<Gold>> = self.examples.iter().map(|e| gold(e, &self.labels)).collect();
        let golds = golds?;
        let items: Vec<&ClassifyItem> = self.items.iter().collect();
        let mut scores: Vec<Vec<f32>> = vec![Vec::new(); items.len()];
        let mut losses = vec![0.0; items.len()];
        run_rows(
            &task,
            &items,
            batch_tokens,
            &mut |i, outputs| {
                check_finite(i, &outputs)?;
                let one = if let [logits] = outputs.as_slice() { Some(logits.clone()) } else { None };
                scores[i] = task.label_scores(outputs);
                losses[i] = match one {
                    Some(logits) => loss_of_logits(&golds[i], &logits),
                    None => loss_of_scores(&golds[i], &scores[i]),
                };
                Ok(())
            },
            &mut || (),
        )?;
        let report = match self.goal {
            TargetKind::Label => self.label_report(&golds, &scores, &losses),
            TargetKind::Labels => self.labels_report(&golds, &scores, &losses),
            TargetKind::Number => self.number_report(&golds, &scores),
        };
        Ok(EvalReport { examples: items.len() as u64, unlabelled: self.unlabelled, ..report })
    }
}

fn options(goal: TargetKind) -> ClassifyOptions {
    let function = match goal {
        TargetKind::Label => Function::Softmax,
        TargetKind::Labels => Function::Sigmoid,
        TargetKind::Number => Function::None,
    };
    ClassifyOptions { function, ..ClassifyOptions::default() }
}

fn gold(example: &TextExample, labels: &LabelSet) -> Result<Gold> {
    let id = |name: &str| labels.require(&example.place, name);
    Ok(match &example.target {
        Target::None => Gold::Number(f64::NAN),
        Target::Label(name) => Gold::Label(id(name)?),
        Target::Labels(names) => {
            let mut flags = vec![false; labels.len()];
            for name in names {
                flags[id(name)?] = true;
            }
            Gold::Labels(flags)
        }
        Target::Number(number) => Gold::Number(*number),
    })
}

/// The index of the highest score; the first one for ties.
pub(super) fn best(scores: &[f32]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

/// Cross entropy of logits and a label, computed in f64.
pub(super) fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
    let own = logits.get(label).copied().unwrap_or(f32::NEG_INFINITY);
    sum.ln() - f64::from(own - highest)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn loss_of_logits(gold: &Gold, logits: &[f32]) -> f64 {
    match gold {
        Gold::Label(label) => cross_entropy(logits, *label),
        Gold::Labels(flags) => {
            let one = |(logit, holds): (&f32, &bool)| {
                let x = f64::from(*logit);
                x.max(0.0) - if *holds { x } else { 0.0 } + (-x.abs()).exp().ln_1p()
            };
            mean(&logits.iter().zip(flags).map(one).collect::<Vec<_>>())
        }
        Gold::Number(number) => {
            let apart = f64::from(logits.first().copied().unwrap_or_default()) - number;
            apart * apart
        }
    }
}

/// Cross entropy for a text that was processed in windows, whose scores are averages.
fn loss_of_scores(gold: &Gold, scores: &[f32]) -> f64 {
    let nats = |p: f32| -f64::from(p.max(f32::MIN_POSITIVE)).ln();
    match gold {
        Gold::Label(label) => nats(scores.get(*label).copied().unwrap_or_default()),
        Gold::Labels(flags) => {
            let one = |(score, holds): (&f32, &bool)| nats(if *holds { *score } else { 1.0 - *score });
            mean(&scores.iter().zip(flags).map(one).collect::<Vec<_>>())
        }
        Gold::Number(_) => loss_of_logits(gold, scores),
    }
}
