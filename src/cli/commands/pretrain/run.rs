//! The training loop of `albert pretrain`.

use std::sync::atomic::AtomicBool;

use albert::checkpoint::{Architecture, TokenizerFiles};
use albert::model::AlbertConfig;
use albert::tokenizer::Tokenizer;
use albert::training::{
    Communicator, Ending, ModelFiles, Objective, Parameters, Replicas, Source, TrainOptions, Trainer,
};

use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::output::progress::TrainingProgress;
use crate::cli::output::report::Reporter;

/// The parts of a run that do not depend on its objective.
pub(super) struct Run<'a> {
    pub parameters: Parameters,
    pub replicas: Replicas,
    pub world: &'a dyn Communicator,
    pub options: TrainOptions,
    pub config: &'a AlbertConfig,
    pub tokenizer: (&'a TokenizerFiles, &'a Tokenizer),
    /// Titles and names of the values to draw.
    pub panels: &'a [(&'a str, &'a str)],
    pub resume: bool,
}

impl Run<'_> {
    /// Trains until all steps are done or `stop` is set.
    pub(super) fn train<O: Objective, S: Source<Example = O::Example>>(
        self,
        objective: &O,
        source: S,
        held_out: &[O::Example],
        stop: &AtomicBool,
        reporter: &Reporter,
    ) -> std::result::Result<ExitStatus, Failure> {
        let output = self.options.output.clone();
        let mut trainer = Trainer {
            objective,
            source,
            held_out,
            evaluation: None,
            parameters: self.parameters,
            replicas: self.replicas,
            communicator: self.world,
            options: self.options,
            files: ModelFiles {
                config: self.config,
                architecture: Architecture::PreTraining,
                tokenizer: self.tokenizer,
            },
        };
        let mut progress = TrainingProgress::new(reporter, &output, self.panels);
        let from = trainer.begin(self.resume, &mut progress)?;
        let (ending, _) = trainer.run(from, stop, &mut progress).while_running()?;
        drop(progress);
        Ok(match ending {
            Ending::Finished => {
                reporter.note(&format!("wrote the model to {}", output.display()));
                ExitStatus::Done
            }
            Ending::Interrupted => {
                reporter.note("interrupted after saving a checkpoint; use --resume to continue");
                ExitStatus::Interrupted
            }
        })
    }
}
