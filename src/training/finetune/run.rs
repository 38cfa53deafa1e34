//! A fine-tuning run: a checkpoint, examples and a seed become a model.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::epoch::Order;
use super::objective::FineTuning;
use super::source::ExampleSource;
use super::store::ExampleStore;
use crate::checkpoint::{Architecture, Checkpoint, TokenizerFiles};
use crate::error::{Result, count};
use crate::eval::{EvalReport, TaskEvaluation};
use crate::model::{Albert, AlbertConfig, Head};
use crate::ops::MatmulPrecision;
use crate::tokenizer::Tokenizer;
use crate::training::{
    Best, Communicator, Evaluation, Metrics, ModelFiles, Parameters, Replicas, StopReason, TrainObserver,
    TrainOptions, Trainer, label_rows, model_from,
};

/// The part of the model that is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Frozen {
    /// Nothing is frozen.
    #[default]
    #[cfg_attr(feature = "cli", value(help = "Train everything"))]
    Nothing,
    /// The embeddings are frozen.
    #[cfg_attr(feature = "cli", value(help = "Freeze word, position and segment embeddings"))]
    Embeddings,
    /// Embeddings and encoder are frozen; the pooler and the head are trained.
    #[cfg_attr(feature = "cli", value(help = "Freeze embeddings and encoder, train the pooler and the head"))]
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

/// Inputs of a fine-tuning run.
pub struct FineTuneRun<'a> {
    /// The initial model.
    pub checkpoint: &'a Checkpoint,
    /// The model's configuration with the labels and dropout rates of the task.
    pub config: &'a AlbertConfig,
    /// The task's head.
    pub head: Head,
    /// The class to save as.
    pub architecture: Architecture,
    /// The tokenizer's source files, and the tokenizer itself.
    pub tokenizer: (&'a TokenizerFiles, &'a Tokenizer),
    /// The training examples.
    pub examples: &'a ExampleStore,
    /// The loss.
    pub objective: &'a FineTuning,
    /// The devices.
    pub devices: &'a [Device],
    /// Precision of matrix multiplications on a CPU.
    pub matmul_precision: MatmulPrecision,
    /// Examples per forward and backward pass on a device.
    pub micro_batch: usize,
    /// Recompute memory-bound activations in the backward pass instead of saving them.
    pub gradient_checkpointing: bool,
    /// The order of the examples.
    pub order: Order,
    /// The frozen part of the model.
    pub frozen: Frozen,
    /// The other processes. Each has all examples and computes its share of every batch.
    pub communicator: &'a dyn Communicator,
}

/// Result of a fine-tuning run.
pub struct FineTuned {
    /// How the run ended.
    pub ending: StopReason,
    /// The best evaluation, if there was one.
    pub best: Option<Best>,
    /// The best weights, or the last ones without an evaluation.
    pub parameters: Parameters,
    /// The model of these weights, for inference.
    pub model: Option<Albert>,
    /// True if the head was newly initialized rather than loaded.
    pub new_head: bool,
}

impl FineTuneRun<'_> {
    /// Runs the fine-tuning. With `resume`, continues from the newest checkpoint in the output directory.
    ///
    /// # Errors
    /// [`crate::Error::Training`] if the loss becomes NaN or infinite; errors of the checkpoint, the device, the data and
    /// the files.
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
        let is_classifier = matches!(self.head, Head::SequenceClassification | Head::TokenClassification);
        if let Some(rows) = label_rows(&self.checkpoint.config, self.config)
            && is_classifier
            && missing.is_empty()
            && rows.contains(&None)
        {
            let known = rows.iter().flatten().count();
            observer.noted(&format!(
                "the classifier of {} knows {known} of the {}; the others start anew",
                self.checkpoint.name,
                count(rows.len(), "label")
            ));
        }
        let tuned = self.run_from((model, parameters), options, evaluation, resume, stop, observer)?;
        Ok(FineTuned { new_head: !missing.is_empty(), ..tuned })
    }

    /// Runs from a model other than the checkpoint's. See [`FineTuneRun::run`].
    ///
    /// # Errors
    /// Same as [`FineTuneRun::run`].
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
        model.set_matmul_precision(self.matmul_precision);
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
            communicator: self.communicator,
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

    /// Writes a model into `folder` again, with an extended configuration.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write_final_model(
        &self,
        folder: &Path,
        config: &AlbertConfig,
        parameters: &Parameters,
    ) -> Result<()> {
        self.files(config).write_final_model(folder, parameters)
    }
}

/// Evaluation of a run on labelled data.
pub struct DevEvaluation<'a> {
    /// The data.
    pub task: &'a mut dyn TaskEvaluation,
    /// The metric that selects the best checkpoint.
    pub metric: &'a str,
    /// True if lower is better.
    pub lower_is_better: bool,
    /// Padded tokens per forward pass.
    pub batch_tokens: usize,
}

impl DevEvaluation<'_> {
    /// Evaluates `model`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn report(&mut self, model: &Albert) -> Result<EvalReport> {
        self.task.pipeline_mut().model = model.clone();
        self.task.run(self.batch_tokens)
    }
}

impl Evaluation for DevEvaluation<'_> {
    fn evaluate(&mut self, model: &Albert) -> Result<Metrics> {
        let report = self.report(model)?;
        let metric = report.metric(self.metric).unwrap_or(f64::NAN);
        let score = if self.lower_is_better { -metric } else { metric };
        Ok(Metrics { values: report.metrics, score })
    }
}
