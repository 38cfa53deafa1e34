//! Answers questions from a context.

use super::builder::{Builder, Predictor, constructors};
use super::{predict_items, predict_one, prepared};
use crate::checkpoint::{Checkpoint, EmbeddedTask};
use crate::error::Result;
use crate::model::Head;
use crate::tasks::{self, Answers, LoadedPipeline, OverflowStrategy, QaOptions, null_threshold};

/// Answers questions with spans of a context, like transformers' question-answering pipeline.
pub struct Qa {
    loaded: LoadedPipeline,
    options: QaOptions,
}

constructors!(Qa);

impl Predictor for Qa {
    type Options = QaOptions;

    const TASK: Option<EmbeddedTask> = Some(EmbeddedTask::Answers);

    const LONGEST: usize = QaOptions::LONGEST;

    const WINDOWS: bool = true;

    const OVERFLOW: OverflowStrategy = OverflowStrategy::Window;

    fn defaults(checkpoint: &Checkpoint) -> Result<QaOptions> {
        // A model trained to predict "no answer" stores its threshold.
        let null_threshold = null_threshold::of(&checkpoint.config).map(|threshold| threshold as f32);
        Ok(QaOptions { null_threshold, ..QaOptions::default() })
    }

    fn heads(_options: &QaOptions) -> Vec<Head> {
        vec![Head::QuestionAnswering]
    }

    fn assemble(loaded: LoadedPipeline, options: QaOptions) -> Result<Self> {
        tasks::Qa::new(&loaded.pipeline, options.clone())?;
        Ok(Self { loaded, options })
    }
}

impl Qa {
    /// Returns the answers to a question in a context, best first. A long context is read in overlapping windows.
    ///
    /// # Errors
    /// Errors from the tokenizer and the device.
    pub fn predict(&self, question: &str, context: &str) -> Result<Answers> {
        let task = tasks::Qa::new(&self.loaded.pipeline, self.options.clone())?;
        predict_one(&task, task.prepare(question.to_owned(), context), self.loaded.batch_tokens)
    }

    /// Like [`Self::predict`], for several questions, each with its context, in order.
    ///
    /// # Errors
    /// Those of [`Self::predict`], with the index of the question.
    pub fn predict_all(&self, questions: &[(&str, &str)]) -> Result<Vec<Answers>> {
        let task = tasks::Qa::new(&self.loaded.pipeline, self.options.clone())?;
        let items = prepared(questions, |(question, context)| task.prepare((*question).to_owned(), context))?;
        predict_items(&task, &items, self.loaded.batch_tokens)
    }
}
