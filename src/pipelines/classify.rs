//! Classifies texts and pairs of texts.

use super::builder::{Builder, Predictor, constructors};
use super::fill_mask::single;
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, ClassifyOptions, LabelScore, LoadedPipeline, TextPair};

/// Classifies texts and pairs of texts, like transformers' text-classification pipeline.
pub struct Classify {
    loaded: LoadedPipeline,
    options: ClassifyOptions,
}

constructors!(Classify);

impl Predictor for Classify {
    type Options = ClassifyOptions;

    const TASK: Option<EmbeddedTask> = Some(EmbeddedTask::Sentiment);

    const WINDOWS: bool = true;

    fn defaults(_checkpoint: &Checkpoint) -> Result<ClassifyOptions> {
        Ok(ClassifyOptions { top_k: Some(1), ..ClassifyOptions::default() })
    }

    fn heads(options: &ClassifyOptions) -> Vec<Head> {
        vec![options.mode.head()]
    }

    fn assemble(loaded: LoadedPipeline, options: ClassifyOptions) -> Result<Self> {
        tasks::Classify::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl Classify {
    /// Returns the labels of a text, best first. The default options return one label.
    ///
    /// # Errors
    /// Errors from the tokenizer and the device.
    pub fn predict(&self, text: &str) -> Result<Vec<LabelScore>> {
        self.predict_text(single(text))
    }

    /// Returns the labels of a pair of texts.
    ///
    /// # Errors
    /// Those of [`Self::predict`].
    pub fn predict_pair(&self, text: &str, second: &str) -> Result<Vec<LabelScore>> {
        self.predict_text(TextPair { text: text.to_owned(), text_pair: Some(second.to_owned()) })
    }

    fn predict_text(&self, text: TextPair) -> Result<Vec<LabelScore>> {
        let task = tasks::Classify::new(&self.loaded.pipeline, self.options.clone())?;
        predict_one(&task, task.prepare(text), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for several texts, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the text.
    pub fn predict_all(&self, texts: &[&str]) -> Result<Vec<Vec<LabelScore>>> {
        let task = tasks::Classify::new(&self.loaded.pipeline, self.options.clone())?;
        let items = prepared(texts, |text| task.prepare(single(text)))?;
        predict_items(&task, &items, self.loaded.batch_tokens)
    }
}
