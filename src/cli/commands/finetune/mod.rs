//! `albert finetune`: prepares the labelled data of each task for a run.

mod choose;
mod classify;
mod examples;
mod labels;
mod ner;
mod plan;
mod qa;
mod results;
mod run;
mod setup;

use albert::Error;

use crate::cli::args::finetune::{FinetuneArgs, FinetuneTask};
use crate::cli::commands::pretrain;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::processes;

pub(super) fn run(args: FinetuneArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    match args.task {
        FinetuneTask::Classify(args) => processes::run(reporter, |world, to| classify::run(&args, world, to)),
        FinetuneTask::Ner(args) => processes::run(reporter, |world, to| ner::run(&args, world, to)),
        FinetuneTask::Qa(args) => processes::run(reporter, |world, to| qa::run(&args, world, to)),
        FinetuneTask::Choose(args) => processes::run(reporter, |world, to| choose::run(&args, world, to)),
        FinetuneTask::Pretraining(args) if args.init_from.is_none() => Err(Error::InvalidOption {
            name: "init_from".to_owned(),
            problem: "is required to continue a model; use albert pretrain to start a new one".to_owned(),
        }
        .into()),
        FinetuneTask::Pretraining(args) => pretrain::run(*args, reporter),
    }
}
