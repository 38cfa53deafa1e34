//! Pretraining in one call: from text to a model.

mod observer;
mod options;
mod plan;
mod prepared;
mod rows;
mod start;
mod teacher;

pub use observer::{PretrainObserver, PretrainPhase};
pub use options::{PretrainOptions, Start, TeacherOptions};
pub use plan::PretrainPlan;
pub use prepared::PreparedPretrain;
pub use rows::PretrainRows;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::device;
use crate::error::{Error, Result};
use crate::training::{Communicator, SingleProcess, StopReason, all_ok, rank_zero_first};

/// Pretrains a model on text, as `albert pretrain` does.
///
/// ```no_run
/// use albert::training::{Duration, Pretrain, PretrainOptions, Size, Start};
///
/// # fn main() -> albert::Result<()> {
/// let mut options = PretrainOptions::new(Start::Size(Size::Mini), vec!["texts".into()], "my-albert");
/// options.duration = Duration::Steps(20_000);
/// Pretrain::new(options).run(&mut ())?;
/// # Ok(())
/// # }
/// ```
///
/// The three steps of [`Pretrain::run`] can also be called separately: [`Pretrain::rows`], [`PretrainRows::prepare`],
/// [`PreparedPretrain::run`].
///
/// Dropout before the heads uses burn's random generator, which all runs of a process share per device: concurrent runs
/// in one process are not reproducible.
pub struct Pretrain<'a> {
    options: PretrainOptions,
    world: &'a dyn Communicator,
}

impl<'a> Pretrain<'a> {
    /// Creates a pretraining run in this process.
    pub fn new(options: PretrainOptions) -> Self {
        Self { options, world: &SingleProcess }
    }

    /// Shares the work with other processes. Each must make the same calls with the same options.
    pub fn communicator(mut self, world: &'a dyn Communicator) -> Self {
        self.world = world;
        self
    }

    /// Prepares the rows: finds or trains the tokenizer, and encodes the corpus into the cache. Returns `None` if `stop`
    /// was set in the meantime.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options that do not fit each other; errors of the corpus, the tokenizer, the teacher and
    /// the output directory.
    pub fn rows(
        self,
        stop: &AtomicBool,
        observer: &mut dyn PretrainObserver,
    ) -> Result<Option<PretrainRows<'a>>> {
        device::keep_freed_memory();
        let Self { options, world } = self;
        // Every process checks the directory before any process writes into it.
        all_ok(world, options.check())?;
        let observer = if world.is_main_process() { observer } else { &mut () };
        let Some((files, tokenizer)) = rank_zero_first(world, || start::tokenizer(&options, stop, observer))?
        else {
            return Ok(None);
        };
        let config = start::configuration(&options, &tokenizer)?;
        let length = options.row_length(&config);
        if let Some(teacher) = &options.teacher {
            teacher.check(&tokenizer, length)?;
        }
        let Some(cache) = rank_zero_first(world, || rows::token_cache(&options, &tokenizer, stop, observer))?
        else {
            return Ok(None);
        };
        let tokenizer = (files, Arc::new(tokenizer));
        PretrainRows::new((options, world), tokenizer, config, Arc::new(cache)).map(Some)
    }

    /// Prepares the rows and trains to the end, on the CPU.
    ///
    /// # Errors
    /// Errors of the three steps.
    pub fn run(self, observer: &mut dyn PretrainObserver) -> Result<()> {
        let stop = AtomicBool::new(false);
        let interrupted = || Error::Input("pretraining was interrupted".to_owned());
        let precision = self.options.precision;
        let rows = self.rows(&stop, observer)?.ok_or_else(interrupted)?;
        let open = device::open_cpu(precision)?;
        match rows.prepare(&[open], observer)?.run(&stop, observer)? {
            StopReason::Finished => Ok(()),
            StopReason::Interrupted => Err(interrupted()),
        }
    }
}
