//! Evaluation of token classification: entities are counted as in seqeval, and a word has the tag of its first token, as
//! in transformers' `run_ner.py`.

use rayon::prelude::*;
use serde_json::{Map, json};

use super::TaskEvaluation;
use super::metrics::{EntityScheme, entities};
use super::report::{ClassMetrics, EvalReport, ScoredExample};
use super::texts::{best, cross_entropy};
use crate::data::{LabelSet, TokenExample};
use crate::error::Result;
use crate::stream::{check_finite, run_rows};
use crate::tasks::{Ner, NerItem, NerOptions, Pipeline};

/// Labelled words, and the model to evaluate.
pub struct TokenEvaluation {
    pipeline: Pipeline,
    labels: LabelSet,
    /// The tagging scheme; `None` is seqeval's default mode.
    scheme: Option<EntityScheme>,
    examples: Vec<TokenExample>,
    items: Vec<NerItem>,
    gold: Vec<Vec<usize>>,
}

impl TokenEvaluation {
    /// Encodes `examples`. Long ones are processed in windows.
    ///
    /// # Errors
    /// Names the location of an example that cannot be encoded, or whose tag is not in `labels`.
    pub fn new(
        pipeline: Pipeline,
        examples: Vec<TokenExample>,
        labels: LabelSet,
        scheme: Option<EntityScheme>,
    ) -> Result<Self> {
        let gold: Result<Vec<Vec<usize>>> = examples
            .iter()
            .map(|example| {
                let id = |tag: &String| labels.require(&example.place, tag);
                example.tags.iter().map(id).collect()
            })
            .collect();
        let task = Ner::new(&pipeline, options(&pipeline))?;
        let items: Result<Vec<NerItem>> = examples
            .par_iter()
            .map(|e| task.prepare_words(&e.words).map_err(|problem| e.place.error(problem)))
            .collect();
        Ok(Self { labels, scheme, items: items?, gold: gold?, examples, pipeline })
    }
}

/// Windows that cover all words: truncated words would count as missed.
fn options(pipeline: &Pipeline) -> NerOptions {
    NerOptions { stride: Some(pipeline.max_text_tokens(false) / 4), ..NerOptions::default() }
}

impl TaskEvaluation for TokenEvaluation {
    fn pipeline_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    fn run(&self, batch_tokens: usize) -> Result<EvalReport> {
        let task = Ner::new(&self.pipeline, options(&self.pipeline))?;
        let items: Vec<&NerItem> = self.items.iter().collect();
        let outside = self.labels.id("O").unwrap_or(0);
        let mut said: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
        let (mut loss, mut counted) = (0.0, 0u64);
        run_rows(
            &task,
            &items,
            batch_tokens,
            &mut |i, outputs| {
                check_finite(i, &outputs)?;
                let gold = &self.gold[i];
                let logits = task.word_logits(items[i], &outputs, self.examples[i].words.len());
                for (logits, label) in logits.iter().zip(gold).filter_map(|(l, g)| Some((l.as_ref()?, g))) {
                    loss += cross_entropy(logits, *label);
                    counted += 1;
                }
                said[i] = logits.iter().map(|l| l.as_ref().map_or(outside, |l| best(l))).collect();
                Ok(())
            },
            &mut || (),
        )?;
        let names = self.labels.names();
        let tags = |ids: &[usize]| ids.iter().map(|id| names[*id].clone()).collect::<Vec<_>>();
        let gold: Vec<Vec<String>> = self.examples.iter().map(|example| example.tags.clone()).collect();
        let predicted: Vec<Vec<String>> = said.iter().map(|ids| tags(ids)).collect();
        let found = entities(&gold, &predicted, self.scheme)?;
        let mut warnings = Vec::new();
        if found.micro.support > 0 && said.iter().flatten().all(|id| *id == outside) {
            warnings.push("no entity was predicted at all".to_owned());
        }
        let scored = self.examples.iter().zip(&predicted).map(|(example, predicted)| {
            let mut fields = Map::new();
            fields.insert("tokens".to_owned(), json!(example.words));
            fields.insert("gold".to_owned(), json!(example.tags));
            fields.insert("predicted".to_owned(), json!(predicted));
            ScoredExample {
                place: example.place.to_string(),
                fields,
                correct: Some(example.tags == *predicted),
            }
        });
        Ok(EvalReport {
            examples: items.len() as u64,
            metrics: vec![
                ("f1", found.micro.f1),
                ("precision", found.micro.precision),
                ("recall", found.micro.recall),
                ("f1_macro", found.macro_average.f1),
                ("token_accuracy", found.accuracy),
                ("loss", loss / counted.max(1) as f64),
            ],
            classes: found.types.iter().map(|(label, c)| ClassMetrics::new(label, c)).collect(),
            scored: scored.collect(),
            warnings,
            ..EvalReport::default()
        })
    }
}
