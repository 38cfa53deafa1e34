//! The setup before the data of a fine-tuning run is read: the recipe, the configuration and the devices.

use super::observer::FineTuneObserver;
use super::options::FineTuneOptions;
use super::recipe::{self, PublishedRecipe};
use crate::checkpoint::Checkpoint;
use crate::device::OpenDevice;
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};
use crate::tasks::{LengthOptions, OverflowStrategy, Pipeline};
use crate::training::{Communicator, run_directory};

/// The values that are determined before the data is read.
pub(super) struct Setup<'a> {
    pub(super) options: &'a FineTuneOptions,
    /// The other processes.
    pub(super) world: &'a dyn Communicator,
    pub(super) recipe: Option<&'static PublishedRecipe>,
    pub(super) checkpoint: &'a Checkpoint,
    /// The checkpoint's configuration with the dropout rates of this run.
    pub(super) config: AlbertConfig,
    /// The devices; at least one.
    pub(super) devices: &'a [OpenDevice],
}

impl Setup<'_> {
    /// Creates a pipeline that encodes rows for a model of `config` with `head`. Its weights are set later.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a length that the model does not support; errors of the tokenizer.
    pub(super) fn pipeline(
        &self,
        config: &AlbertConfig,
        head: Head,
        default_length: usize,
        observer: &mut dyn FineTuneObserver,
    ) -> Result<Pipeline> {
        let device = self.devices[0].device.clone();
        let tokenizer = self.checkpoint.tokenizer()?;
        let lengths = LengthOptions {
            max_length: self.options.max_length,
            default: self.recipe.map_or(default_length, |recipe| recipe.max_length),
            long: overflow(head),
            windows: true,
            own: None,
        };
        let longest = lengths.longest(config.max_position_embeddings, &tokenizer)?;
        observer.limited(longest, tokenizer.truncation_side());
        Ok(Pipeline {
            model: Albert::new(config, &[head], &device),
            config: config.clone(),
            tokenizer,
            device,
            max_length: longest.tokens,
            long: lengths.long,
            pad_multiple: self.pad_multiple(),
        })
    }

    /// Returns true in the process that evaluates and writes.
    pub(super) fn is_main_process(&self) -> bool {
        self.world.is_main_process()
    }

    /// The multiple to which rows are padded.
    pub(super) fn pad_multiple(&self) -> usize {
        self.devices[0].pad_multiple()
    }
}

/// Contexts of questions are read in overlapping windows; other long rows are cut.
fn overflow(head: Head) -> OverflowStrategy {
    match head {
        Head::QuestionAnswering => OverflowStrategy::Window,
        _ => OverflowStrategy::Truncate,
    }
}

impl FineTuneOptions {
    /// Checks everything that can be checked without the model and the data: the values, the name of the recipe, and that
    /// the run starts in a new directory or resumes in its own.
    ///
    /// # Errors
    /// [`Error::InvalidOption`]; [`Error::BadFile`] for the output directory.
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        self.published_recipe()?;
        run_directory::check(&self.output, self.resume)
    }

    /// The published recipe that the options name.
    pub(super) fn published_recipe(&self) -> Result<Option<&'static PublishedRecipe>> {
        let Some(name) = &self.recipe else { return Ok(None) };
        let task = self.task.name();
        let usage = |problem: String| Error::InvalidOption { name: "recipe".to_owned(), problem };
        let known =
            || recipe::PUBLISHED.iter().filter(|r| r.task == task).map(|r| r.name).collect::<Vec<_>>();
        match recipe::published(name) {
            Some(recipe) if recipe.task == task => Ok(Some(recipe)),
            Some(recipe) => Err(usage(format!("{name} is for albert finetune {}", recipe.task))),
            None if known().is_empty() => Err(usage(format!("there is none for {task}"))),
            None => Err(usage(format!("\"{name}\" is not one of {}", known().join(", ")))),
        }
    }

    /// Returns `config` with the dropout rates of this run.
    pub(super) fn configured(&self, config: &AlbertConfig, recipe: Option<&PublishedRecipe>) -> AlbertConfig {
        let mut config = config.clone();
        let dropout = recipe.map(|recipe| recipe.dropout);
        if let Some(rate) = self.dropout.hidden.or(dropout) {
            config.hidden_dropout_prob = rate;
        }
        if let Some(rate) = self.dropout.attention.or(dropout) {
            config.attention_probs_dropout_prob = rate;
        }
        if let Some(rate) = self.dropout.classifier.or(recipe.map(|recipe| recipe.classifier_dropout)) {
            config.classifier_dropout_prob = Some(rate);
        }
        config
    }
}
