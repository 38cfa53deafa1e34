//! `albert finetune`: prepares the labelled data of each task for a run.

mod plan;
mod results;
mod run;
mod setup;

use std::collections::HashMap;

use albert::checkpoint::Architecture;
use albert::data::{
    self, LabelSet, Loaded, QuestionExample, Target, TargetKind, TextExample, TokenExample, hold_out,
};
use albert::eval::{
    self, ChoiceEvaluation, QuestionEvaluation, QuestionRules, TaskEvaluation, TextEvaluation,
    TokenEvaluation,
};
use albert::model::Head;
use albert::tasks::{Choose, ChooseOptions, Classify, ClassifyOptions, Qa};
use albert::training::Communicator;
use albert::training::finetune::{TaskLoss, balanced, encode};
use albert::{Error, Result};

use crate::cli::args::finetune::{
    CommonArgs, FinetuneArgs, FinetuneChooseArgs, FinetuneClassifyArgs, FinetuneNerArgs, FinetuneQaArgs,
    FinetuneTask,
};
use crate::cli::commands::pretrain;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::processes;
use setup::{Prepared, Setup};

/// Default maximum length for question answering, as for SQuAD.
const QA_LENGTH: usize = 384;

pub(super) fn run(args: FinetuneArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    match args.task {
        FinetuneTask::Classify(args) => processes::run(reporter, |world, to| classify(&args, world, to)),
        FinetuneTask::Ner(args) => processes::run(reporter, |world, to| ner(&args, world, to)),
        FinetuneTask::Qa(args) => processes::run(reporter, |world, to| qa(&args, world, to)),
        FinetuneTask::Choose(args) => processes::run(reporter, |world, to| choose(&args, world, to)),
        FinetuneTask::Pretraining(args) if args.init_from.is_none() => Err(Error::Usage {
            flag: "--init-from".to_owned(),
            problem: "is required to continue a model; use albert pretrain to start a new one".to_owned(),
        }
        .into()),
        FinetuneTask::Pretraining(args) => pretrain::run(*args, reporter),
    }
}

fn classify(
    args: &FinetuneClassifyArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "classify", world, reporter)?;
    let regression = setup.recipe.is_some_and(|recipe| recipe.name == "sts-b");
    let goal = match args.data.goal {
        Some(goal) => goal.into(),
        None if regression => TargetKind::Number,
        None => TargetKind::Label,
    };
    let options = args.data.options(goal);
    let (train, dev) = read(
        common,
        |path| data::read_texts(path, &options),
        |example| format!("{}\n{}", example.text, example.text_pair.as_deref().unwrap_or_default()),
        reporter,
    )?;
    let labels = match goal {
        TargetKind::Number => LabelSet::default(),
        _ => label_set(&args.labels, LabelSet::of_texts(&train), &setup.config.labels)?,
    };
    let mut config = setup.config.clone();
    match goal {
        TargetKind::Number => config.set_num_labels(1),
        _ => config.set_labels(labels.names().to_vec()),
    }
    config.set_extra("problem_type", eval::problem_type(goal).into());
    let head = Head::SequenceClassification;
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let task = Classify::new(&runtime, ClassifyOptions::default())?;
    let examples = encode::texts(&task, &labels, &train)?;
    let counts = label_counts(train.iter().flat_map(|example| example.target.labels()), &labels);
    let label_weights = match goal {
        TargetKind::Label => weights(&args.class_weights, &labels, &counts)?,
        _ if args.class_weights.is_empty() => Vec::new(),
        _ => return Err(no_weights().into()),
    };
    let majority = dev.as_ref().filter(|_| goal == TargetKind::Label).map(|dev| majority(dev, &labels));
    let evaluation = match dev {
        None => None,
        Some(dev) => {
            warn_of_missing(dev.iter().flat_map(|example| example.target.labels()), &labels, goal, reporter);
            Some(boxed(TextEvaluation::new(runtime, dev, goal, labels)?))
        }
    };
    let (loss, metrics): (_, &'static [&'static str]) = match goal {
        TargetKind::Label if config.num_labels == 2 => {
            (TaskLoss::Labels, &["accuracy", "f1", "f1_macro", "f1_weighted", "matthews", "loss"])
        }
        TargetKind::Label => (TaskLoss::Labels, &["accuracy", "f1_macro", "f1_weighted", "matthews", "loss"]),
        TargetKind::Labels => {
            (TaskLoss::MultiLabel, &["f1_micro", "f1_macro", "f1_weighted", "f1_samples", "accuracy", "loss"])
        }
        TargetKind::Number => (
            TaskLoss::Regression,
            &["spearman", "pearson", "mean_squared_error", "mean_absolute_error", "loss"],
        ),
    };
    let architecture = Architecture::SequenceClassification;
    let prepared =
        Prepared { head, architecture, config, examples, evaluation, loss, label_weights, metrics, majority };
    run::run(&setup, prepared)
}

fn ner(
    args: &FinetuneNerArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "ner", world, reporter)?;
    let options = args.data.options(&args.labels);
    let (train, dev): (Vec<TokenExample>, _) =
        read(common, |path| data::read_tokens(path, &options), |example| example.words.join(" "), reporter)?;
    // Tags that occur only in dev are included.
    let found = LabelSet::of_tokens(train.iter().chain(dev.iter().flatten()));
    let labels = label_set(&args.labels, found, &setup.config.labels)?;
    let mut config = setup.config.clone();
    config.set_labels(labels.names().to_vec());
    let head = Head::TokenClassification;
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let examples = encode::tokens(&runtime, &labels, &train)?;
    let counts = label_counts(train.iter().flat_map(|example| &example.tags), &labels);
    let label_weights = weights(&args.class_weights, &labels, &counts)?;
    let evaluation = match dev {
        None => None,
        Some(dev) => {
            let tags = dev.iter().flat_map(|example| &example.tags);
            warn_of_missing(tags, &labels, TargetKind::Label, reporter);
            Some(boxed(TokenEvaluation::new(runtime, dev, labels, None)?))
        }
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::TokenClassification,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Tokens,
        label_weights,
        metrics: &["f1", "precision", "recall", "f1_macro", "token_accuracy", "loss"],
        majority: None,
    };
    run::run(&setup, prepared)
}

fn qa(
    args: &FinetuneQaArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "qa", world, reporter)?;
    let options = args.data.options(true);
    let (train, dev) = read(
        common,
        |path| data::read_questions(path, &options),
        |example| example.context.to_string(),
        reporter,
    )?;
    let mut config = setup.config.clone();
    if config.num_labels != 2 {
        config.set_num_labels(2);
    }
    let head = Head::QuestionAnswering;
    let runtime = setup.runtime(&config, head, QA_LENGTH)?;
    let task = Qa::new(&runtime, args.data.task())?;
    let examples = encode::questions(&task, &train)?;
    drop(task);
    let unanswerable = |all: &[QuestionExample]| all.iter().any(|example| example.is_impossible);
    let second = unanswerable(&train) || dev.as_deref().is_some_and(unanswerable);
    let rules = if second { QuestionRules::V2 { null_threshold: 0.0 } } else { QuestionRules::V1 };
    let evaluation = match dev {
        None => None,
        Some(dev) => Some(boxed(QuestionEvaluation::new(runtime, dev, rules, args.data.task())?)),
    };
    let metrics: &'static [&'static str] = if second {
        &["best_f1", "best_exact", "f1", "exact_match", "has_answer_f1", "loss"]
    } else {
        &["f1", "exact_match", "loss"]
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::QuestionAnswering,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Spans,
        label_weights: Vec::new(),
        metrics,
        majority: None,
    };
    run::run(&setup, prepared)
}

fn choose(
    args: &FinetuneChooseArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "choose", world, reporter)?;
    let options = args.data.options();
    let (train, dev) = read(
        common,
        |path| data::read_choices(path, &options),
        |example| example.context.clone().unwrap_or_else(|| example.prompt.clone()),
        reporter,
    )?;
    let head = Head::MultipleChoice;
    let config = setup.config.clone();
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let task = Choose::new(&runtime, ChooseOptions::default());
    let examples = encode::choices(&task, &train)?;
    let evaluation = match dev {
        None => None,
        Some(dev) => Some(boxed(ChoiceEvaluation::new(runtime, dev)?)),
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::MultipleChoice,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Choices,
        label_weights: Vec::new(),
        metrics: &["accuracy", "loss"],
        majority: None,
    };
    run::run(&setup, prepared)
}

fn boxed(evaluation: impl TaskEvaluation + 'static) -> Box<dyn TaskEvaluation> {
    Box::new(evaluation)
}

/// Reads `--train` and `--dev`, or splits `--train`. Examples with the same `key` stay together.
fn read<T>(
    common: &CommonArgs,
    reader: impl Fn(&std::path::Path) -> Result<Loaded<T>>,
    key: impl Fn(&T) -> String,
    reporter: &Reporter,
) -> Result<(Vec<T>, Option<Vec<T>>)> {
    let load = |path: &std::path::Path| -> Result<Vec<T>> {
        let loaded = reader(path)?;
        loaded.notes.iter().for_each(|note| reporter.note(note));
        loaded.warnings.iter().for_each(|warning| reporter.warn(warning));
        Ok(loaded.examples)
    };
    let train = load(&common.train)?;
    if let Some(path) = &common.dev {
        return Ok((train, Some(load(path)?)));
    }
    let Some(share) = common.dev_fraction else { return Ok((train, None)) };
    let (train, dev) = hold_out(train, share, key);
    if dev.is_empty() || train.is_empty() {
        return Err(Error::Usage {
            flag: "--dev-fraction".to_owned(),
            problem: format!("{share} of {} examples leaves none for one side", train.len() + dev.len()),
        });
    }
    reporter.note(&format!("holding out {} of {} examples", dev.len(), train.len() + dev.len()));
    Ok((train, Some(dev)))
}

/// The labels: given on the command line, else collected from the data, in the model's order if it has the same labels.
fn label_set(given: &[String], found: LabelSet, of_model: &[String]) -> Result<LabelSet> {
    let set = |names: &[String], flag: &str| {
        LabelSet::given(names.to_vec()).map_err(|problem| Error::Usage { flag: flag.to_owned(), problem })
    };
    if !given.is_empty() {
        return set(given, "--labels");
    }
    if found.len() < 2 {
        return Err(Error::Usage {
            flag: "--train".to_owned(),
            problem: format!(
                "has only one label ({}), so there is nothing to learn",
                found.names().join(", ")
            ),
        });
    }
    let same = found.len() == of_model.len() && of_model.iter().all(|name| found.id(name).is_some());
    if same { set(of_model, "--model") } else { Ok(found) }
}

fn label_counts<'a>(found: impl Iterator<Item = &'a String>, labels: &LabelSet) -> Vec<u64> {
    let mut counts = vec![0; labels.len()];
    for id in found.filter_map(|name| labels.id(name)) {
        counts[id] += 1;
    }
    counts
}

/// `--class-weights`.
fn weights(given: &[String], labels: &LabelSet, counts: &[u64]) -> Result<Vec<f32>> {
    let usage = |problem: String| Error::Usage { flag: "--class-weights".to_owned(), problem };
    match given {
        [] => Ok(Vec::new()),
        [word] if word == "balanced" => Ok(balanced(counts)),
        pairs => {
            let mut weights = vec![1.0; labels.len()];
            for pair in pairs {
                let (name, weight) = pair
                    .rsplit_once('=')
                    .ok_or_else(|| usage(format!("\"{pair}\" is neither balanced nor label=weight")))?;
                let id = labels.id(name).ok_or_else(|| {
                    usage(format!("\"{name}\" is none of the labels {}", labels.names().join(", ")))
                })?;
                let weight: f32 =
                    weight.parse().map_err(|_| usage(format!("\"{weight}\" is not a number")))?;
                if !weight.is_finite() || weight < 0.0 {
                    return Err(usage(format!("{weight} is not a weight; expected a number from 0")));
                }
                weights[id] = weight;
            }
            Ok(weights)
        }
    }
}

fn no_weights() -> Error {
    Error::Usage {
        flag: "--class-weights".to_owned(),
        problem: "class weights are only for single-label classification".to_owned(),
    }
}

/// The fraction of the most frequent label.
fn majority(examples: &[TextExample], labels: &LabelSet) -> f64 {
    let counts = label_counts(examples.iter().flat_map(|example| example.target.labels()), labels);
    let labelled = examples.iter().filter(|example| example.target != Target::None).count();
    counts.iter().max().copied().unwrap_or(0) as f64 / labelled.max(1) as f64
}

/// Warns about labels that do not occur in dev.
fn warn_of_missing<'a>(
    found: impl Iterator<Item = &'a String>,
    labels: &LabelSet,
    goal: TargetKind,
    reporter: &Reporter,
) {
    let seen: HashMap<&String, ()> = found.map(|name| (name, ())).collect();
    let missing: Vec<&str> =
        labels.names().iter().filter(|name| !seen.contains_key(name)).map(String::as_str).collect();
    if !missing.is_empty() && goal != TargetKind::Number {
        reporter.warn(&format!("dev has no example of {}, so it is not evaluated", missing.join(", ")));
    }
}
