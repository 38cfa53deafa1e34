//! The subcommands, one module each.

mod choose;
mod classify;
mod completions;
mod convert;
mod devices;
mod embed;
mod eval;
mod fill_mask;
mod finetune;
mod info;
mod man;
mod ner;
mod pretrain;
mod qa;
mod text_task;
mod tokenize;
mod train_tokenizer;
mod zero_shot;

use super::args::Command;
use super::exit::{ExitStatus, Failure};
use super::output::report::Reporter;

/// Runs a subcommand.
pub(super) fn run(command: Command, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    match command {
        Command::FillMask(args) => fill_mask::run(args, reporter),
        Command::Classify(args) => classify::run(args, reporter),
        Command::Ner(args) => ner::run(args, reporter),
        Command::Qa(args) => qa::run(args, reporter),
        Command::Choose(args) => choose::run(args, reporter),
        Command::Embed(args) => embed::run(args, reporter),
        Command::ZeroShot(args) => zero_shot::run(args, reporter),
        Command::TextTask(command) => text_task::run(command, reporter),
        Command::Tokenize(args) => tokenize::run(args, reporter),
        Command::Pretrain(args) => pretrain::run(*args, reporter),
        Command::Finetune(args) => finetune::run(args, reporter),
        Command::Eval(args) => eval::run(args, reporter),
        Command::TrainTokenizer(args) => train_tokenizer::run(args, reporter),
        Command::Convert(args) => convert::run(args, reporter),
        Command::Info(args) => info::run(args, reporter),
        Command::Devices(args) => devices::run(args, reporter),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
