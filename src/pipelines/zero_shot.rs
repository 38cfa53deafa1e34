//! Classifies texts into labels that the model was not trained for.

use super::builder::{Builder, Predictor, constructors};
use super::predict_one;
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, LabelScore, LoadedPipeline, ZeroShotOptions};

/// Classifies texts into arbitrary labels with an entailment model, like transformers' zero-shot-classification pipeline.
pub struct ZeroShot {
    loaded: LoadedPipeline,
    options: ZeroShotOptions,
}

constructors!(ZeroShot);

impl Predictor for ZeroShot {
    type Options = ZeroShotOptions;

    const TASK: Option<EmbeddedTask> = Some(EmbeddedTask::Entailment);

    fn defaults(_checkpoint: &Checkpoint) -> Result<ZeroShotOptions> {
        Ok(ZeroShotOptions::default())
    }

    fn heads(_options: &ZeroShotOptions) -> Vec<Head> {
        vec![Head::SequenceClassification]
    }

    fn assemble(loaded: LoadedPipeline, options: ZeroShotOptions) -> Result<Self> {
        tasks::ZeroShot::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl ZeroShot {
    /// Returns the labels with their probabilities, best first.
    ///
    /// # Errors
    /// [`crate::Error::Input`] without labels; errors from the tokenizer and the device.
    pub fn predict(&self, text: &str, labels: &[&str]) -> Result<Vec<LabelScore>> {
        let task = tasks::ZeroShot::new(&self.loaded.pipeline, self.options.clone())?;
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        predict_one(&task, task.prepare(text.to_owned(), labels), self.loaded.batch_tokens)
    }
}
