//! Embeds texts.

use super::builder::{Builder, Predictor, constructors};
use super::fill_mask::single;
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask, SentenceModules};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, EmbedOptions, Embedding, LoadedPipeline, OwnLimit};

/// Computes embeddings of texts, using the model's sentence-transformers modules if it has any.
pub struct Embed {
    loaded: LoadedPipeline,
    options: EmbedOptions,
}

constructors!(Embed);

impl Predictor for Embed {
    type Options = EmbedOptions;

    const TASK: Option<EmbeddedTask> = None;

    const WINDOWS: bool = true;

    fn defaults(checkpoint: &Checkpoint) -> Result<EmbedOptions> {
        let modules = checkpoint.modules.as_deref().map(SentenceModules::read).transpose()?;
        Ok(modules.map_or_else(EmbedOptions::default, |modules| EmbedOptions::of_modules(&modules)))
    }

    fn heads(options: &EmbedOptions) -> Vec<Head> {
        options.heads().to_vec()
    }

    fn own_length(checkpoint: &Checkpoint) -> Result<Option<OwnLimit>> {
        let modules = checkpoint.modules.as_deref().map(SentenceModules::read).transpose()?;
        Ok(modules.as_ref().and_then(OwnLimit::of_modules))
    }

    fn assemble(loaded: LoadedPipeline, options: EmbedOptions) -> Result<Self> {
        tasks::Embed::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl Embed {
    /// Returns the embedding of a text.
    ///
    /// # Errors
    /// Errors from the tokenizer and the device.
    pub fn predict(&self, text: &str) -> Result<Vec<f32>> {
        let task = tasks::Embed::new(&self.loaded.pipeline, self.options.clone())?;
        let found = predict_one(&task, task.prepare(single(text)), self.loaded.batch_tokens)?;
        Ok(found.values().collect())
    }

    /// Returns the embeddings of several texts, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the text.
    pub fn predict_all(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let task = tasks::Embed::new(&self.loaded.pipeline, self.options.clone())?;
        let items = prepared(texts, |text| task.prepare(single(text)))?;
        let found: Vec<Embedding> = predict_items(&task, &items, self.loaded.batch_tokens)?;
        Ok(found.iter().map(|vector| vector.values().collect()).collect())
    }
}
