//! Chooses among continuations or answers.

use super::builder::{Builder, Predictor, constructors};
use super::predict_one;
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, ChoiceScore, ChooseOptions, LoadedPipeline};

/// Chooses the best of several continuations or answers, with a multiple-choice head.
pub struct Choose {
    loaded: LoadedPipeline,
    options: ChooseOptions,
}

constructors!(Choose);

impl Predictor for Choose {
    type Options = ChooseOptions;

    const TASK: Option<EmbeddedTask> = Some(EmbeddedTask::Choices);

    fn defaults(_checkpoint: &Checkpoint) -> Result<ChooseOptions> {
        Ok(ChooseOptions::default())
    }

    fn heads(_options: &ChooseOptions) -> Vec<Head> {
        vec![Head::MultipleChoice]
    }

    fn assemble(loaded: LoadedPipeline, options: ChooseOptions) -> Result<Self> {
        Ok(Self { loaded, options })
    }
}

impl Choose {
    /// Returns the choices for a prompt with their probabilities, best first. With a context, the prompt is a question
    /// about it.
    ///
    /// # Errors
    /// [`crate::Error::Input`] without choices; errors from the tokenizer and the device.
    pub fn predict(&self, prompt: &str, choices: &[&str], context: Option<&str>) -> Result<Vec<ChoiceScore>> {
        let task = tasks::Choose::new(&self.loaded.pipeline, self.options.clone());
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        predict_one(&task, task.prepare(prompt.to_owned(), choices, context), self.loaded.batch_tokens)
    }
}
