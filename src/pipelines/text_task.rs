//! Tasks on texts that are defined in one file.

use super::builder::{Builder, Predictor, constructors};
use super::fill_mask::single;
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask, MlmBias};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{FieldNames, LoadedPipeline, OnTexts, TextPair, TextTask};

/// A [`TextTask`] with its own model.
pub struct TextPipeline<T: TextTask> {
    loaded: LoadedPipeline,
    options: T::Options,
}

constructors!(TextPipeline<T: TextTask>);

impl<T: TextTask> Predictor for TextPipeline<T> {
    type Options = T::Options;

    const TASK: Option<EmbeddedTask> = T::BUILT_IN;

    fn defaults(_checkpoint: &Checkpoint) -> Result<T::Options> {
        Ok(T::Options::default())
    }

    fn heads(_options: &T::Options) -> Vec<Head> {
        vec![T::HEAD]
    }

    fn mlm_bias(options: &T::Options) -> MlmBias {
        T::mlm_bias(options)
    }

    fn assemble(loaded: LoadedPipeline, options: T::Options) -> Result<Self> {
        T::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl<T: TextTask> TextPipeline<T> {
    /// Returns the prediction for a text. `None` if nothing is left of the text, for example because it is empty.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a text that the task cannot process; errors from the device.
    pub fn predict(&self, text: &str) -> Result<Option<T::Prediction>> {
        let task = self.task()?;
        predict_one(&task, task.prepare(single(text)), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for a pair of texts.
    ///
    /// # Errors
    /// Those of [`Self::predict`].
    pub fn predict_pair(&self, text: &str, text_pair: &str) -> Result<Option<T::Prediction>> {
        let task = self.task()?;
        let pair = TextPair { text: text.to_owned(), text_pair: Some(text_pair.to_owned()) };
        predict_one(&task, task.prepare(pair), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for several texts, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the text.
    pub fn predict_all(&self, texts: &[&str]) -> Result<Vec<Option<T::Prediction>>> {
        let task = self.task()?;
        let items = prepared(texts, |text| task.prepare(single(text)))?;
        predict_items(&task, &items, self.loaded.batch_tokens)
    }

    fn task(&self) -> Result<OnTexts<'_, T>> {
        OnTexts::new(&self.loaded.pipeline, self.options.clone(), FieldNames::default())
    }
}
