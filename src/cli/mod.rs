//! The command line: parses arguments, calls the library and writes results.

mod args;
mod choose;
mod classify;
mod completions;
mod convert;
mod corpus_report;
mod data_args;
mod devices;
mod embed;
mod eval;
mod eval_args;
mod eval_mlm;
mod eval_table;
mod exit;
mod fill_mask;
mod finetune;
mod finetune_args;
mod finetune_plan;
mod finetune_results;
mod finetune_run;
mod info;
mod interrupt;
mod man;
mod ner;
mod null_threshold;
mod options;
mod pretrain;
mod pretrain_args;
mod pretrain_plan;
mod pretrain_run;
mod pretrain_teacher;
mod qa;
mod record_format;
mod report;
mod streaming;
mod task_args;
mod teacher_args;
mod tokenize;
mod train_tokenizer;
mod training_args;
mod training_progress;
mod zero_shot;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::{ExitStatus, Failure};
use report::Reporter;

/// Parses the arguments, runs the subcommand and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let reporter = Reporter::new(&cli.global);
    let result =
        albert::ops::check_isa_limit().map_err(Failure::from).and_then(|()| run(cli.command, &reporter));
    match result {
        Ok(status) => status.into(),
        Err(Failure { error, .. }) if error.is_broken_pipe() => ExitStatus::Done.into(),
        Err(Failure { error, status }) => {
            reporter.error(&error);
            status.into()
        }
    }
}

fn run(command: Command, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    match command {
        Command::FillMask(args) => fill_mask::run(args, reporter),
        Command::Classify(args) => classify::run(args, reporter),
        Command::Ner(args) => ner::run(args, reporter),
        Command::Qa(args) => qa::run(args, reporter),
        Command::Choose(args) => choose::run(args, reporter),
        Command::Embed(args) => embed::run(args, reporter),
        Command::ZeroShot(args) => zero_shot::run(args, reporter),
        Command::Tokenize(args) => tokenize::run(args, reporter),
        Command::Pretrain(args) => pretrain::run(*args, reporter),
        Command::Finetune(args) => finetune::run(args, reporter),
        Command::Eval(args) => eval::run(args, reporter),
        Command::TrainTokenizer(args) => train_tokenizer::run(args, reporter),
        Command::Convert(args) => convert::run(args, reporter),
        Command::Info(args) => info::run(args, reporter),
        Command::Devices(args) => devices::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
