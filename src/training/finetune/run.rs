//! One fine-tuning: a checkpoint, examples and a seed become a model.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::objective::{FineTuning, TrainingExample};
use super::source::{ExampleSource, Order};
use crate::checkpoint::{Architecture, Checkpoint, TokenizerFiles};
use crate::error::Result;
use crate::eval::{EvalReport, TaskEvaluation};
use crate::model::{Albert, AlbertConfig, Head};
use crate::ops::Numbers;
use crate::tokenizer::Tokenizer;
use crate::training::{
    Alone, Best, Ending, Evaluation, Figures, ModelFiles, Parameters, Replicas, TrainObserver, TrainOptions,
    Trainer, model_from,
};

/// Which part of the model does not learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frozen {
    /// All of it learns.
    #[default]
    Nothing,
    /// The embeddings stay.
    Embeddings,
    /// Embeddings and encoder stay; pooler and head learn.
    Encoder,
}

impl Frozen {
    fn holds(self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Embeddings => name.starts_with("albert.embeddings."),
            Self::Encoder => name.starts_with("albert.embeddings.") || name.starts_with("albert.encoder."),
        }
    }
}

/// What is fine-tuned, on what.
pub struct FineTuneRun<'a> {
    /// The model to begin with.
    pub checkpoint: &'a Checkpoint,
    /// Its configuration with the task's labels and dropouts.
    pub config: &'a AlbertConfig,
    /// The task's head.
    pub head: Head,
    /// The class to save as.
    pub architecture: Architecture,
    /// The tokenizer's files, and the tokenizer.
    pub tokenizer: (&'a TokenizerFiles, &'a Tokenizer),
    /// What to learn from.
    pub examples: &'a [TrainingExample],
    /// The loss.
    pub objective: &'a FineTuning,
    /// Where to compute.
    pub devices: &'a [Device],
    /// What products multiply, on a CPU.
    pub numbers: Numbers,
    /// Examples that a device computes at once.
    pub micro_batch: usize,
    /// Compute memory-bound results again in the backward pass instead of keeping them.
    pub gradient_checkpointing: bool,
    /// In which order examples are seen.
    pub order: Order,
    /// What does not learn.
    pub frozen: Frozen,
}

/// How a fine-tuning ended.
pub struct FineTuned {
    /// Whether all steps were made.
    pub ending: Ending,
    /// The best evaluation, where there was one.
    pub best: Option<Best>,
    /// The best weights, or the last.
    pub parameters: Parameters,
    /// The model of these weights, for inference.
    pub model: Option<Albert>,
    /// True if the head was new, and not the checkpoint's.
    pub new_head: bool,
}

impl FineTuneRun<'_> {
    /// Runs, or with `resume` goes on from the newest checkpoint in the options' output.
    ///
    /// # Errors
    /// Those of the checkpoint, the device, the data and the files; [`crate::Error::Training`] when the loss is not a
    /// number any more.
    pub fn run<'b>(
        &'b self,
        options: TrainOptions,
        evaluation: Option<&'b mut dyn Evaluation>,
        resume: bool,
        stop: &AtomicBool,
        observer: &mut dyn TrainObserver,
    ) -> Result<FineTuned> {
        let (model, parameters, missing) =
            model_from(self.checkpoint, self.config, &[self.head], options.seed, &self.devices[0])?;
        let tuned = self.run_from((model, parameters), options, evaluation, resume, stop, observer)?;
        Ok(FineTuned { new_head: !missing.is_empty(), ..tuned })
    }

    /// Runs from a model that is not the checkpoint's; see [`FineTuneRun::run`].
    ///
    /// # Errors
    /// As [`FineTuneRun::run`].
    pub fn run_from<'b>(
        &'b self,
        start: (Albert, Parameters),
        options: TrainOptions,
        evaluation: Option<&'b mut dyn Evaluation>,
        resume: bool,
        stop: &AtomicBool,
        observer: &mut dyn TrainObserver,
    ) -> Result<FineTuned> {
        let seed = options.seed;
        let (mut model, mut parameters) = start;
        model.set_numbers(self.numbers);
        parameters.freeze(|name| self.frozen.holds(name));
        let replicas =
            Replicas::new(&model, &parameters, self.devices, self.micro_batch, self.gradient_checkpointing);
        let source = ExampleSource::new(self.examples, options.batch_size, self.order, seed)?;
        let mut trainer = Trainer {
            objective: self.objective,
            source,
            held_out: &[],
            evaluation,
            parameters,
            replicas,
            communicator: &Alone,
            options,
            files: self.files(self.config),
        };
        let progress = trainer.begin(resume, observer)?;
        let (ending, best) = trainer.run(progress, stop, observer)?;
        let model = trainer.replicas.valid();
        Ok(FineTuned { ending, best, parameters: trainer.parameters, model, new_head: false })
    }

    fn files<'b>(&'b self, config: &'b AlbertConfig) -> ModelFiles<'b> {
        ModelFiles { config, architecture: self.architecture, tokenizer: self.tokenizer }
    }

    /// Writes a model into `folder` again, with a configuration that knows more.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn publish(&self, folder: &Path, config: &AlbertConfig, parameters: &Parameters) -> Result<()> {
        self.files(config).publish(folder, parameters)
    }
}

/// Labelled data as the judge of a run.
pub struct DevEvaluation<'a> {
    /// The data.
    pub task: &'a mut dyn TaskEvaluation,
    /// The figure that chooses.
    pub metric: &'a str,
    /// Whether less of it is better.
    pub less_is_better: bool,
    /// Padded tokens of a forward pass.
    pub batch_tokens: usize,
}

impl DevEvaluation<'_> {
    /// Judges `model`.
    ///
    /// # Errors
    /// The device's.
    pub fn report(&mut self, model: &Albert) -> Result<EvalReport> {
        self.task.runtime_mut().model = model.clone();
        self.task.run(self.batch_tokens)
    }
}

impl Evaluation for DevEvaluation<'_> {
    fn evaluate(&mut self, model: &Albert) -> Result<Figures> {
        let report = self.report(model)?;
        let figure = report.figure(self.metric).unwrap_or(f64::NAN);
        let score = if self.less_is_better { -figure } else { figure };
        Ok(Figures { values: report.figures, score })
    }
}
