//! The set-up of a fine-tuning run: model, devices and data.

use albert::checkpoint::{Architecture, Checkpoint};
use albert::device::{self, OpenDevice};
use albert::eval::TaskEvaluation;
use albert::io::create_directory;
use albert::model::{Albert, AlbertConfig, Head};
use albert::tasks::{Long, Runtime};
use albert::training::finetune::recipe::{self, PublishedRecipe};
use albert::training::finetune::{ExampleStore, TaskLoss};
use albert::training::{Checkpoints, Communicator};
use albert::{Error, Result};

use crate::cli::args::finetune::CommonArgs;
use crate::cli::options;
use crate::cli::options::Lengths;
use crate::cli::output::report::Reporter;
use crate::cli::processes;

/// Everything that is set up before the data is read.
pub(super) struct Setup<'a> {
    pub common: &'a CommonArgs,
    /// The other processes.
    pub world: &'a dyn Communicator,
    pub reporter: &'a Reporter,
    pub recipe: Option<&'static PublishedRecipe>,
    pub checkpoint: Checkpoint,
    /// The checkpoint's configuration with the dropout rates of this run.
    pub config: AlbertConfig,
    /// At least one.
    pub devices: Vec<OpenDevice>,
}

/// The data prepared by a task.
pub(super) struct Prepared {
    pub head: Head,
    pub architecture: Architecture,
    pub config: AlbertConfig,
    pub examples: ExampleStore,
    pub evaluation: Option<Box<dyn TaskEvaluation>>,
    pub loss: TaskLoss,
    pub label_weights: Vec<f32>,
    /// Metrics that can select the best checkpoint, the default first.
    pub metrics: &'static [&'static str],
    /// The fraction of the most frequent label on dev, which a model should beat.
    pub majority: Option<f64>,
}

impl<'a> Setup<'a> {
    /// Checks the output directory, finds the model and opens the devices.
    ///
    /// # Errors
    /// Errors of each part.
    pub(super) fn new(
        common: &'a CommonArgs,
        task: &str,
        world: &'a dyn Communicator,
        reporter: &'a Reporter,
    ) -> Result<Self> {
        let recipe = match &common.recipe {
            None => None,
            Some(name) => Some(named_recipe(name, task)?),
        };
        device::keep_freed_memory();
        if let Some(threads) = common.threads {
            device::set_threads(usize::from(threads))?;
        }
        check_output(common)?;
        // One process downloads a model.
        let found = processes::first_alone(world, || options::checkpoint(&common.model, reporter).map(Some))?;
        let Some(checkpoint) = found else {
            return Err(Error::Input("another process could not read the model".to_owned()));
        };
        let mut config = checkpoint.config.clone();
        let dropout = recipe.map(|recipe| recipe.dropout);
        if let Some(rate) = common.hidden_dropout.or(dropout) {
            config.hidden_dropout_prob = rate;
        }
        if let Some(rate) = common.attention_dropout.or(dropout) {
            config.attention_probs_dropout_prob = rate;
        }
        if let Some(rate) = common.classifier_dropout.or(recipe.map(|recipe| recipe.classifier_dropout)) {
            config.classifier_dropout_prob = Some(rate);
        }
        let devices = processes::open_devices(
            &common.device,
            common.precision.into(),
            common.check.device_check,
            world,
            reporter,
        )?;
        options::warn_if_not_faster("--precision", device::common_numbers(&devices), reporter);
        Ok(Self { common, world, reporter, recipe, checkpoint, config, devices })
    }

    /// A pipeline that encodes rows for a model of `config` with `head`. Its weights are set later.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a length that the model does not support; errors of the tokenizer.
    pub(super) fn runtime(
        &self,
        config: &AlbertConfig,
        head: Head,
        default_length: usize,
    ) -> Result<Runtime> {
        let device = self.devices[0].device.clone();
        let positions = config.max_position_embeddings;
        let tokenizer = self.checkpoint.tokenizer()?;
        let lengths = Lengths {
            max_length: self.common.max_length.map(|n| n as usize),
            default: self.recipe.map_or(default_length, |recipe| recipe.max_length),
            long: Long::Truncate,
            windows: true,
            own: None,
        };
        let max_length = lengths.longest(positions, &tokenizer, self.reporter)?;
        Ok(Runtime {
            model: Albert::new(config, &[head], &device),
            config: config.clone(),
            tokenizer,
            device,
            max_length,
            long: Long::Truncate,
            pad_multiple: self.pad_multiple(),
        })
    }

    /// True for the process that evaluates and writes.
    pub(super) fn leads(&self) -> bool {
        self.world.rank() == 0
    }

    /// Rows are padded to a multiple of this.
    pub(super) fn pad_multiple(&self) -> usize {
        self.devices[0].pad_multiple()
    }
}

fn named_recipe(name: &str, task: &str) -> Result<&'static PublishedRecipe> {
    let usage = |problem: String| Error::InvalidOption { name: "recipe".to_owned(), problem };
    let known = || recipe::PUBLISHED.iter().filter(|r| r.task == task).map(|r| r.name).collect::<Vec<_>>();
    match recipe::published(name) {
        Some(recipe) if recipe.task == task => Ok(recipe),
        Some(recipe) => Err(usage(format!("{name} is for albert finetune {}", recipe.task))),
        None if known().is_empty() => Err(usage(format!("there is none for {task}"))),
        None => Err(usage(format!("\"{name}\" is not one of {}", known().join(", ")))),
    }
}

/// Checks that a run starts in a new directory or resumes in its own.
fn check_output(common: &CommonArgs) -> Result<()> {
    let output = &common.output;
    if output.is_file() {
        return Err(Error::bad_file(output, "is a file; --output takes a directory"));
    }
    let taken = output.join("model.safetensors").exists()
        || !Checkpoints::new(output, 1).steps().is_empty()
        || output.join("seeds").exists();
    if taken && !common.resume {
        return Err(Error::bad_file(
            output,
            "contains a model or a run: use --resume to continue it, or another --output to start a new one",
        ));
    }
    create_directory(output)
}
