//! The training of a pretraining run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::observer::PretrainObserver;
use super::options::PretrainOptions;
use super::plan::PretrainPlan;
use super::rows::PretrainRows;
use super::{start, teacher};
use crate::checkpoint::{Architecture, TokenizerFiles};
use crate::device::{self, OpenDevice};
use crate::error::{Error, Result};
use crate::io::create_directory;
use crate::ops::MatmulPrecision;
use crate::tokenizer::Tokenizer;
use crate::training::distillation::{
    DISTILLATION_PANELS, DistillExample, DistillSource, Distillation, SentenceReader, Signal, Teacher,
};
use crate::training::instances::{Instance, Pairing};
use crate::training::log::LoggedRun;
use crate::training::trainer::StartOnly;
use crate::training::{
    Communicator, ModelFiles, Objective, PRETRAINING_PANELS, Parameters, Pretraining, PretrainingSource,
    Replicas, Source, StopReason, TrainOptions, Trainer,
};

/// A run that is ready to train.
pub struct PreparedPretrain<'a> {
    base: Base<'a>,
    kind: TrainingKind,
}

/// The parts that do not depend on the loss.
struct Base<'a> {
    options: PretrainOptions,
    world: &'a dyn Communicator,
    files: TokenizerFiles,
    tokenizer: Arc<Tokenizer>,
    plan: PretrainPlan,
    train: TrainOptions,
    parameters: Parameters,
    replicas: Replicas,
}

/// The loss, the rows and the held-out rows.
enum TrainingKind {
    Text(Pretraining, Box<PretrainingSource>, Vec<Instance>),
    Distilled(Box<Distillation>, Box<DistillSource>, Vec<DistillExample>),
}

impl<'a> PretrainRows<'a> {
    /// Prepares the model and its teacher on `devices`, which must not be empty.
    ///
    /// # Errors
    /// Errors of the checkpoints, the devices and the held-out rows; [`Error::InvalidOption`] if a prefix to freeze
    /// matches no parameter.
    pub fn prepare(
        self,
        devices: &[OpenDevice],
        observer: &mut dyn PretrainObserver,
    ) -> Result<PreparedPretrain<'a>> {
        let observer = if self.world.is_main_process() { observer } else { &mut () };
        let Some(first) = devices.first() else {
            return Err(Error::InvalidOption {
                name: "device".to_owned(),
                problem: "expected at least one".to_owned(),
            });
        };
        let (options, config) = (&self.options, &self.config);
        let handles: Vec<Device> = devices.iter().map(|open| open.device.clone()).collect();
        let (mut model, mut parameters) = start::model(options, config, &first.device, observer)?;
        start::freeze(&options.freeze, &mut parameters)?;
        let matmul_precision = device::common_matmul_precision(devices);
        model.set_matmul_precision(matmul_precision);
        let plan = PretrainPlan::new(options, config, devices, self.tokens, parameters.count());
        observer.planned(&plan);
        let text = Pretraining {
            pad_id: config.pad_token_id.unwrap_or(0) as u32,
            pad_multiple: first.pad_multiple(),
            longest: config.max_position_embeddings,
            sentence_order: options.pairing != Pairing::Unlabelled,
            sentence_order_weight: options.sentence_order_weight,
        };
        let replicas =
            Replicas::new(&model, &parameters, &handles, plan.micro_batch, options.gradient_checkpointing);
        let mut train = plan.options(options);
        train.identity.fact("digest of the corpus", &self.digest);
        let loaded = match &options.teacher {
            None => None,
            Some(_) => Some(self.distillation(text, (&handles, matmul_precision), observer)?),
        };
        let kind = match loaded {
            None => {
                let held_out = self.stream.held_out(options.eval_rows)?;
                TrainingKind::Text(text, Box::new(PretrainingSource::new(self.stream)), held_out)
            }
            Some((objective, sentences)) => {
                teacher::identify(&objective, &mut train.identity);
                let held_out = self.stream.held_out_plans(options.eval_rows)?;
                let source = DistillSource::new(PretrainingSource::new(self.stream), sentences);
                let held_out = source.materialize(&source.with_sentences(held_out))?;
                TrainingKind::Distilled(Box::new(objective), Box::new(source), held_out)
            }
        };
        let base = Base {
            options: self.options,
            world: self.world,
            files: self.files,
            tokenizer: self.tokenizer,
            plan,
            train,
            parameters,
            replicas,
        };
        Ok(PreparedPretrain { base, kind })
    }

    /// Loads the teacher. Also returns the reader of sentences if the teacher gives sentence vectors.
    fn distillation(
        &self,
        text: Pretraining,
        (devices, matmul_precision): (&[Device], MatmulPrecision),
        observer: &mut dyn PretrainObserver,
    ) -> Result<(Distillation, Option<SentenceReader>)> {
        let Some(options) = &self.options.teacher else {
            return Err(Error::Input("there is no teacher".to_owned()));
        };
        let (signal, weight) = (options.signal, options.weight);
        let (teacher, notes) =
            Teacher::load(&options.checkpoint, signal, devices, matmul_precision, text.pad_multiple)?;
        for note in notes {
            observer.warned(&format!("{}: {note}", teacher.name));
        }
        let objective = Distillation { text, teacher, signal, weight, vocabulary: self.tokenizer.id_bound() };
        observer.teacher_loaded(&objective, self.config.hidden_size);
        let sentences = match signal {
            Signal::Logits => None,
            Signal::Vectors => Some(SentenceReader::new(
                self.stream.materializer(),
                self.tokenizer.clone(),
                self.special,
                self.options.row_length(&self.config),
                (&objective.teacher.name, &objective.teacher.config, options.checkpoint.tokenizer()?),
            )?),
        };
        Ok((objective, sentences))
    }
}

impl PreparedPretrain<'_> {
    /// The plan of the run.
    pub fn plan(&self) -> &PretrainPlan {
        &self.base.plan
    }

    /// Trains until all steps are done or `stop` is set, and writes the model, checkpoints and logs into the output
    /// directory. An interrupted run saves a checkpoint and can be resumed.
    ///
    /// # Errors
    /// [`Error::Training`] if the loss becomes NaN or infinite; errors of the devices, the corpus and the files; an error
    /// if the run to resume had different options. Existing checkpoints are kept.
    pub fn run(self, stop: &AtomicBool, observer: &mut dyn PretrainObserver) -> Result<StopReason> {
        let mut follower;
        let observer: &mut dyn PretrainObserver = if self.base.world.is_main_process() {
            observer
        } else {
            follower = StartOnly(observer);
            &mut follower
        };
        match self.kind {
            TrainingKind::Text(objective, source, held_out) => {
                self.base.train(&objective, *source, &held_out, &PRETRAINING_PANELS, stop, observer)
            }
            TrainingKind::Distilled(objective, source, held_out) => {
                let objective = objective.as_ref();
                self.base.train(objective, *source, &held_out, &DISTILLATION_PANELS, stop, observer)
            }
        }
    }
}

impl Base<'_> {
    fn train<O: Objective, S: Source<Example = O::Example>>(
        self,
        objective: &O,
        source: S,
        held_out: &[O::Example],
        panels: &[(&str, &str)],
        stop: &AtomicBool,
        observer: &mut dyn PretrainObserver,
    ) -> Result<StopReason> {
        let output = self.options.output;
        create_directory(&output)?;
        let is_main_process = self.world.is_main_process();
        let mut trainer = Trainer {
            objective,
            source,
            held_out,
            evaluation: None,
            parameters: self.parameters,
            replicas: self.replicas,
            communicator: self.world,
            options: self.train,
            files: ModelFiles {
                config: &self.plan.config,
                architecture: Architecture::PreTraining,
                tokenizer: (&self.files, &self.tokenizer),
            },
        };
        let panels = panels.iter().map(|(title, name)| ((*title).to_owned(), (*name).to_owned()));
        let mut logged = LoggedRun::new(is_main_process.then_some(&output), panels.collect(), &mut *observer);
        let from = trainer.begin(self.options.resume, &mut logged)?;
        let (ending, _) = trainer.run(from, stop, &mut logged)?;
        if ending == StopReason::Finished {
            observer.wrote_model(&output);
        }
        Ok(ending)
    }
}
