//! The command line as parsed by clap: one file per subcommand, and the argument groups that they share.

pub(super) mod choose;
pub(super) mod classify;
pub(super) mod common;
pub(super) mod completions;
pub(super) mod convert;
pub(super) mod corpus;
pub(super) mod data;
pub(super) mod device;
pub(super) mod devices;
pub(super) mod embed;
pub(super) mod eval;
pub(super) mod fill_mask;
pub(super) mod finetune;
pub(super) mod formats;
pub(super) mod info;
pub(super) mod list;
pub(super) mod man;
pub(super) mod ner;
pub(super) mod part;
pub(super) mod pretrain;
pub(super) mod qa;
pub(super) mod teacher;
pub(super) mod text_task;
pub(super) mod tokenize;
pub(super) mod train_tokenizer;
pub(super) mod training;
pub(super) mod values;
pub(super) mod zero_shot;

use clap::{Parser, Subcommand};

use common::GlobalArgs;

/// Run, train and convert ALBERT language models, on CPU or GPU, without Python.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, max_term_width = 100, after_long_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 some input failed, 2 wrong usage or set-up, 128 + signal interrupted (130: Ctrl-C; continue \
with --resume).

Environment: ALBERT_MODEL, ALBERT_DEVICE, ALBERT_DEVICE_CHECK, ALBERT_CACHE; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, \
HF_TOKEN and HF_HUB_OFFLINE, as in Hugging Face's tools; NO_COLOR.";

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    FillMask(fill_mask::FillMaskArgs),
    Classify(classify::ClassifyArgs),
    Ner(ner::NerArgs),
    Qa(qa::QaArgs),
    Choose(choose::ChooseArgs),
    Embed(embed::EmbedArgs),
    ZeroShot(zero_shot::ZeroShotArgs),
    #[command(flatten)]
    TextTask(text_task::TextTaskCommand),
    Tokenize(tokenize::TokenizeArgs),
    Pretrain(Box<pretrain::PretrainArgs>),
    Finetune(finetune::FinetuneArgs),
    Eval(eval::EvalArgs),
    TrainTokenizer(train_tokenizer::TrainTokenizerArgs),
    Convert(convert::ConvertArgs),
    Info(info::InfoArgs),
    Devices(devices::DevicesArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Calls `check` with every subcommand.
    fn each_command(command: &clap::Command, check: &mut dyn FnMut(&clap::Command)) {
        check(command);
        command.get_subcommands().for_each(|command| each_command(command, check));
    }

    /// clap's own assertions are compiled only into debug builds.
    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
        let mut root = Cli::command();
        root.build();
        each_command(&root, &mut |command| {
            let mut names = std::collections::HashSet::new();
            for argument in command.get_arguments() {
                let long = argument.get_long_and_visible_aliases().unwrap_or_default();
                let short = argument.get_short_and_visible_aliases().unwrap_or_default();
                let all = long.into_iter().map(str::to_owned).chain(short.into_iter().map(|c| c.to_string()));
                for name in all.chain([format!("id {}", argument.get_id())]) {
                    assert!(names.insert(name.clone()), "{}: {name} is defined twice", command.get_name());
                }
            }
        });
    }

    #[test]
    fn every_option_of_a_task_has_a_heading() {
        let mut root = Cli::command();
        root.build();
        let mut tasks = 0;
        each_command(&root, &mut |command| {
            if !command.get_arguments().any(|argument| argument.get_id() == "on_error") {
                return;
            }
            tasks += 1;
            for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let id = argument.get_id().as_str();
                let has_heading = argument.get_help_heading().is_some() || ["help", "version"].contains(&id);
                assert!(has_heading, "{}: {id}", command.get_name());
            }
        });
        assert!(tasks > 8, "{tasks}");
    }

    /// The parsed arguments with all their values.
    fn parsed(words: &str) -> String {
        let words = format!("albert {words}");
        format!("{:?}", Cli::try_parse_from(words.split(' ')).expect("parses"))
    }

    #[test]
    fn an_alias_means_the_same() {
        for (rest, name, alias) in [
            ("finetune classify --train t -o o", "--goal label", "--problem-type single-label"),
            (
                "finetune classify --train t -o o",
                "--goal label",
                "--problem-type single_label_classification",
            ),
            ("finetune classify --train t -o o", "--goal labels", "--problem-type multi-label"),
            (
                "finetune classify --train t -o o",
                "--goal labels",
                "--problem-type multi_label_classification",
            ),
            ("eval classify --data d", "--goal number", "--problem-type regression"),
            ("classify", "--order", "--sentence-order"),
            ("qa", "--impossible", "--allow-no-answer"),
            ("qa", "--long error", "--overflow error"),
            ("ner", "--long window", "--overflow window"),
            ("embed", "--long error", "--overflow error"),
            ("finetune ner --train t -o o", "--keep 4", "--keep-checkpoints 4"),
            ("pretrain --corpus c -o o", "--keep 4", "--keep-checkpoints 4"),
            ("finetune qa --train t -o o", "--clip-norm 4", "--max-grad-norm 4"),
            ("pretrain --corpus c -o o", "--clip-norm 4", "--max-grad-norm 4"),
            ("zero-shot", "--hypothesis {}!", "--hypothesis-template {}!"),
            ("eval qa --data d", "--rules v1", "--squad-version 1.1"),
            ("eval qa --data d", "--rules v2", "--squad-version 2.0"),
        ] {
            let meaning = parsed(&format!("{rest} {name}"));
            assert_eq!(parsed(&format!("{rest} {alias}")), meaning, "{alias}");
            assert_ne!(parsed(rest), meaning, "{name} has an effect");
        }
    }
}
