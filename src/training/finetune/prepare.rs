//! Fine-tuning as one call: options, a checkpoint and devices become a prepared run.

use std::sync::atomic::AtomicBool;

use super::observer::FineTuneObserver;
use super::options::FineTuneOptions;
use super::plan::FineTunePlan;
use super::planning::plan;
use super::results::FineTuneResults;
use super::setup::Setup;
use super::tasks::Prepared;
use crate::checkpoint::Checkpoint;
use crate::device::{self, OpenDevice};
use crate::error::{Error, Result};
use crate::training::run_directory::RunDirectory;
use crate::training::{Communicator, SingleProcess, all_ok};

/// Fine-tunes a model on labelled data, as `albert finetune` does.
///
/// ```no_run
/// use albert::checkpoint::Checkpoint;
/// use albert::data::TextOptions;
/// use albert::training::finetune::{ClassWeights, Dev, FineTune, FineTuneOptions, FineTuneTask};
///
/// # fn main() -> albert::Result<()> {
/// let task = FineTuneTask::Classify {
///     data: TextOptions::default(),
///     goal: None,
///     labels: Vec::new(),
///     class_weights: ClassWeights::Equal,
/// };
/// let mut options = FineTuneOptions::new(task, "reviews.jsonl", "my-model");
/// options.dev = Dev::Fraction(0.1);
/// let results = FineTune::new(Checkpoint::embedded()?, options).run(&mut ())?;
/// println!("{} {:?}", results.metric, results.runs[0].metric);
/// let classify = albert::Classify::open("my-model")?;
/// # Ok(())
/// # }
/// ```
///
/// Dropout before the heads uses burn's random generator, which all runs of a process share per device: concurrent runs
/// in one process are not reproducible.
pub struct FineTune<'a> {
    checkpoint: Checkpoint,
    options: FineTuneOptions,
    devices: Vec<OpenDevice>,
    world: &'a dyn Communicator,
}

impl<'a> FineTune<'a> {
    /// Creates a fine-tuning run of `checkpoint` in this process, on the CPU.
    pub fn new(checkpoint: Checkpoint, options: FineTuneOptions) -> Self {
        Self { checkpoint, options, devices: Vec::new(), world: &SingleProcess }
    }

    /// Sets the devices, each of which takes a part of every batch.
    pub fn devices(mut self, devices: Vec<OpenDevice>) -> Self {
        self.devices = devices;
        self
    }

    /// Shares the work with other processes. Each must make the same calls with the same options.
    pub fn communicator(mut self, world: &'a dyn Communicator) -> Self {
        self.world = world;
        self
    }

    /// Reads and encodes the data, and plans the run.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options that do not fit each other, the model or the data; errors of the data, with
    /// their locations; errors of the output directory.
    pub fn prepare(self, observer: &mut dyn FineTuneObserver) -> Result<PreparedFineTune<'a>> {
        device::keep_freed_memory();
        let Self { checkpoint, options, mut devices, world } = self;
        // Every process checks the directory before any process writes into it.
        all_ok(world, options.check())?;
        let directory = RunDirectory::create(&options.output)?;
        if devices.is_empty() {
            devices.push(device::open_cpu(options.precision)?);
        }
        let recipe = options.published_recipe()?;
        let setup = Setup {
            config: options.configured(&checkpoint.config, recipe),
            options: &options,
            world,
            recipe,
            checkpoint: &checkpoint,
            devices: &devices,
        };
        let observer = if setup.is_main_process() { observer } else { &mut () };
        let prepared = options.task.prepare(&setup, observer)?;
        let plan = plan(&setup, &prepared)?;
        observer.planned(&plan);
        Ok(PreparedFineTune { checkpoint, options, devices, world, prepared, plan, _directory: directory })
    }

    /// Prepares the run and trains to the end.
    ///
    /// # Errors
    /// Errors of [`FineTune::prepare`] and of [`PreparedFineTune::run`].
    pub fn run(self, observer: &mut dyn FineTuneObserver) -> Result<FineTuneResults> {
        let ended = self.prepare(observer)?.run(&AtomicBool::new(false), observer)?;
        ended.ok_or_else(|| Error::Input("fine-tuning was interrupted".to_owned()))
    }
}

/// A run that is ready to train.
pub struct PreparedFineTune<'a> {
    pub(super) checkpoint: Checkpoint,
    pub(super) options: FineTuneOptions,
    pub(super) devices: Vec<OpenDevice>,
    pub(super) world: &'a dyn Communicator,
    pub(super) prepared: Prepared,
    pub(super) plan: FineTunePlan,
    /// Removes the output directory if nothing is written to it.
    pub(super) _directory: RunDirectory,
}

impl PreparedFineTune<'_> {
    /// The plan of the run.
    pub fn plan(&self) -> &FineTunePlan {
        &self.plan
    }
}
