//! Fills masks in texts.

use super::builder::{Builder, Predictor, constructors};
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, FieldNames, FillMaskOptions, LoadedPipeline, MaskPredictions, TextPair};

/// Fills `[MASK]` in texts, like transformers' fill-mask pipeline.
pub struct FillMask {
    loaded: LoadedPipeline,
    options: FillMaskOptions,
}

constructors!(FillMask);

impl Predictor for FillMask {
    type Options = FillMaskOptions;

    const TASK: Option<EmbeddedTask> = None;

    fn defaults(_checkpoint: &Checkpoint) -> Result<FillMaskOptions> {
        Ok(FillMaskOptions { top_k: 5, targets: Vec::new(), fields: FieldNames::default() })
    }

    fn heads(_options: &FillMaskOptions) -> Vec<Head> {
        vec![Head::MaskedLm]
    }

    fn assemble(loaded: LoadedPipeline, options: FillMaskOptions) -> Result<Self> {
        tasks::FillMask::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl FillMask {
    /// Returns the most likely words for each `[MASK]` of a text, best first: one list per mask.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a text without a mask; errors from the device.
    pub fn predict(&self, text: &str) -> Result<MaskPredictions> {
        let task = tasks::FillMask::new(&self.loaded.pipeline, self.options.clone())?;
        predict_one(&task, task.prepare(single(text)), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for several texts, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the text.
    pub fn predict_all(&self, texts: &[&str]) -> Result<Vec<MaskPredictions>> {
        let task = tasks::FillMask::new(&self.loaded.pipeline, self.options.clone())?;
        let items = prepared(texts, |text| task.prepare(single(text)))?;
        predict_items(&task, &items, self.loaded.batch_tokens)
    }
}

/// Creates a text without a second one.
pub(super) fn single(text: &str) -> TextPair {
    TextPair { text: text.to_owned(), text_pair: None }
}
