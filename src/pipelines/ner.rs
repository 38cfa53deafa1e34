//! Finds entities in texts.

use super::builder::{Builder, Predictor, constructors};
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, Entity, LoadedPipeline, NerOptions};

/// Finds persons, places, organizations and any other types that a model was trained for, like transformers'
/// token-classification pipeline.
pub struct Ner {
    loaded: LoadedPipeline,
    options: NerOptions,
}

constructors!(Ner);

impl Predictor for Ner {
    type Options = NerOptions;

    const TASK: Option<EmbeddedTask> = Some(EmbeddedTask::Entities);

    const WINDOWS: bool = true;

    fn defaults(_checkpoint: &Checkpoint) -> Result<NerOptions> {
        Ok(NerOptions::default())
    }

    fn heads(_options: &NerOptions) -> Vec<Head> {
        vec![Head::TokenClassification]
    }

    fn assemble(loaded: LoadedPipeline, options: NerOptions) -> Result<Self> {
        tasks::Ner::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl Ner {
    /// Returns the entities of a text, in order. Offsets count code points.
    ///
    /// # Errors
    /// Errors from the tokenizer and the device.
    pub fn predict(&self, text: &str) -> Result<Vec<Entity>> {
        let task = tasks::Ner::new(&self.loaded.pipeline, self.options.clone())?;
        predict_one(&task, task.prepare(text.to_owned()), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for several texts, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the text.
    pub fn predict_all(&self, texts: &[&str]) -> Result<Vec<Vec<Entity>>> {
        let task = tasks::Ner::new(&self.loaded.pipeline, self.options.clone())?;
        let items = prepared(texts, |text| task.prepare((*text).to_owned()))?;
        predict_items(&task, &items, self.loaded.batch_tokens)
    }
}
