//! `albert eval`.

mod mlm;

use std::io::IsTerminal;
use std::path::Path;

use serde_json::{Value, json};

use albert::checkpoint::{Checkpoint, EmbeddedTask, MlmBias, Origin};
use albert::data::{self, LabelSet, Target, TargetKind, TextExample};
use albert::eval::{
    self, ChoiceEvaluation, EvalReport, Judged, QuestionEvaluation, QuestionRules, TaskEvaluation,
    TextEvaluation, TokenEvaluation,
};
use albert::io::{Format, OutputTarget};
use albert::model::Head;
use albert::{Error, Result};

use crate::cli::args::eval::{
    EvalArgs, EvalChooseArgs, EvalClassifyArgs, EvalCommonArgs, EvalNerArgs, EvalQaArgs, EvalTask, RulesArg,
};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::options::{self, Lengths, Ready};
use crate::cli::output::eval_table::table;
use crate::cli::output::report::Reporter;
use albert::tasks::null_threshold;

/// Default maximum length for question answering, as for SQuAD.
const QA_LENGTH: usize = 384;

pub(super) fn run(args: EvalArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    match args.task {
        EvalTask::Classify(args) => classify(&args, reporter),
        EvalTask::Ner(args) => ner(&args, reporter),
        EvalTask::Qa(args) => qa(&args, reporter),
        EvalTask::Choose(args) => choose(&args, reporter),
        EvalTask::Mlm(args) => mlm::run(&args, reporter),
    }
}

fn classify(args: &EvalClassifyArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    let outputs = Outputs::open(&args.common)?;
    let checkpoint = options::checkpoint_for(&args.common.model, Some(EmbeddedTask::Sentiment), reporter)?;
    let config = &checkpoint.config;
    let goal = match (args.data.goal, config.extra("problem_type").and_then(Value::as_str)) {
        (Some(goal), _) => goal,
        (None, Some(kind)) => eval::goal_of(kind).unwrap_or_default(),
        (None, None) if config.num_labels == 1 => TargetKind::Number,
        (None, None) => TargetKind::Label,
    };
    let mut examples = reporter.examples(data::read_texts(&args.common.data, &args.data.options(goal))?);
    let labels = labels_of(&checkpoint)?;
    as_the_model_writes(&mut examples, &labels, reporter);
    let ready = load(&checkpoint, Head::SequenceClassification, &args.common, usize::MAX, reporter)?;
    let evaluation = TextEvaluation::new(ready.runtime, examples, goal, labels)?;
    finish(&evaluation, ready.batch_tokens, outputs, &args.common)
}

fn ner(args: &EvalNerArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    let outputs = Outputs::open(&args.common)?;
    let checkpoint = options::checkpoint_for(&args.common.model, Some(EmbeddedTask::Entities), reporter)?;
    let labels = labels_of(&checkpoint)?;
    let options = args.data.options(labels.names());
    let examples = reporter.examples(data::read_tokens(&args.common.data, &options)?);
    let ready = load(&checkpoint, Head::TokenClassification, &args.common, usize::MAX, reporter)?;
    let evaluation = TokenEvaluation::new(ready.runtime, examples, labels, args.scheme.into())?;
    finish(&evaluation, ready.batch_tokens, outputs, &args.common)
}

fn qa(args: &EvalQaArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    let outputs = Outputs::open(&args.common)?;
    let checkpoint = options::checkpoint_for(&args.common.model, Some(EmbeddedTask::Answers), reporter)?;
    let config_file = if args.save_threshold { Some(own_config(&checkpoint)?) } else { None };
    let examples = reporter.examples(data::read_questions(&args.common.data, &args.data.options(false))?);
    let unanswerable = examples.iter().any(|example| example.is_impossible);
    let threshold = args.null_threshold.or(null_threshold::of(&checkpoint.config)).unwrap_or(0.0);
    let rules = match args.rules {
        RulesArg::V1 => QuestionRules::V1,
        RulesArg::Auto if !unanswerable => QuestionRules::V1,
        RulesArg::Auto | RulesArg::V2 => QuestionRules::V2 { null_threshold: threshold },
    };
    let ready = load(&checkpoint, Head::QuestionAnswering, &args.common, QA_LENGTH, reporter)?;
    let evaluation = QuestionEvaluation::new(ready.runtime, examples, rules, args.data.task())?;
    let report = evaluation.run(ready.batch_tokens).while_running()?;
    if let Some(path) = config_file {
        let best = report.figure("best_f1_threshold").ok_or_else(|| Error::InvalidOption {
            name: "save_threshold".to_owned(),
            problem: "there is a threshold where some questions have no answer (--rules v2)".to_owned(),
        })?;
        null_threshold::save(&path, best)?;
        reporter.note(&format!("stored the threshold {best:.4} in {}", path.display()));
    }
    outputs.write(&report, &args.common)
}

fn choose(args: &EvalChooseArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    let outputs = Outputs::open(&args.common)?;
    let checkpoint = options::checkpoint_for(&args.common.model, Some(EmbeddedTask::Choices), reporter)?;
    let examples = reporter.examples(data::read_choices(&args.common.data, &args.data.options())?);
    let ready = load(&checkpoint, Head::MultipleChoice, &args.common, usize::MAX, reporter)?;
    let evaluation = ChoiceEvaluation::new(ready.runtime, examples)?;
    finish(&evaluation, ready.batch_tokens, outputs, &args.common)
}

/// The labels of a model, including unnamed ones.
fn labels_of(checkpoint: &Checkpoint) -> Result<LabelSet> {
    let config = &checkpoint.config;
    LabelSet::given((0..config.num_labels).map(|id| config.label(id)).collect())
        .map_err(|problem| Error::Model { model: checkpoint.name.clone(), problem })
}

/// Renames labels of the data whose spelling differs from the model's.
fn as_the_model_writes(examples: &mut [TextExample], labels: &LabelSet, reporter: &Reporter) {
    let matched =
        labels.match_data(&LabelSet::of_texts(examples.iter().flat_map(|example| example.target.labels())));
    let Some(note) = &matched.note else { return };
    reporter.note(note);
    let rename = |name: &mut String| {
        if let Some(own) = matched.id(name).and_then(|id| labels.name(id)) {
            own.clone_into(name);
        }
    };
    for example in examples {
        match &mut example.target {
            Target::Label(name) => rename(name),
            Target::Labels(names) => names.iter_mut().for_each(rename),
            Target::None | Target::Number(_) => {}
        }
    }
}

fn load(
    checkpoint: &Checkpoint,
    head: Head,
    common: &EvalCommonArgs,
    default: usize,
    reporter: &Reporter,
) -> Result<Ready> {
    let lengths = Lengths {
        max_length: common.max_length.map(|n| n as usize),
        default,
        long: albert::tasks::Long::Truncate,
        windows: true,
        own: None,
    };
    options::load(
        checkpoint,
        &[head],
        MlmBias::default(),
        &common.device.for_input(std::slice::from_ref(&common.data), &[]),
        lengths,
        reporter,
    )
}

/// The configuration file of a local model.
fn own_config(checkpoint: &Checkpoint) -> Result<std::path::PathBuf> {
    match &checkpoint.origin {
        Origin::Directory { directory, .. }
            if checkpoint.adapter.is_none() && directory.join("config.json").is_file() =>
        {
            let path = directory.join("config.json");
            null_threshold::check(&path)?;
            Ok(path)
        }
        _ => Err(Error::InvalidOption {
            name: "save_threshold".to_owned(),
            problem: "the model has no directory with a config.json".to_owned(),
        }),
    }
}

fn finish(
    evaluation: &dyn TaskEvaluation,
    batch_tokens: usize,
    outputs: Outputs,
    common: &EvalCommonArgs,
) -> std::result::Result<ExitStatus, Failure> {
    let report = evaluation.run(batch_tokens).while_running()?;
    outputs.write(&report, common)
}

/// The output files. They are opened before any work, so that a bad path fails immediately.
struct Outputs {
    report: OutputTarget,
    format: Format,
    predictions: Option<OutputTarget>,
    errors: Option<OutputTarget>,
}

impl Outputs {
    fn open(common: &EvalCommonArgs) -> Result<Self> {
        let other = |path: &Option<std::path::PathBuf>| match path {
            None => Ok(None),
            Some(path) => OutputTarget::open(Some(path)).map(Some),
        };
        let terminal = common.output.output.is_none() && std::io::stdout().is_terminal();
        Ok(Self {
            report: OutputTarget::open(common.output.output.as_deref())?,
            format: common.output.format.resolve(terminal),
            predictions: other(&common.predictions)?,
            errors: other(&common.errors)?,
        })
    }

    fn write(self, report: &EvalReport, common: &EvalCommonArgs) -> std::result::Result<ExitStatus, Failure> {
        self.write_all(report, &common.data).while_running()?;
        Ok(ExitStatus::Done)
    }

    fn write_all(mut self, report: &EvalReport, data: &Path) -> Result<()> {
        if let Some(out) = self.predictions {
            write_judged(out, report.judged.iter())?;
        }
        if let Some(out) = self.errors {
            write_judged(out, report.judged.iter().filter(|judged| !judged.correct))?;
        }
        let text = match self.format {
            Format::Text => table(&data.display().to_string(), report),
            _ => format!("{}\n", report.json()),
        };
        self.report.write(text.as_bytes())?;
        self.report.finish()?;
        Ok(())
    }
}

fn write_judged<'a>(mut out: OutputTarget, judged: impl Iterator<Item = &'a Judged>) -> Result<()> {
    for Judged { place, fields, correct } in judged {
        let mut fields = fields.clone();
        fields.insert("correct".to_owned(), json!(correct));
        fields.insert("place".to_owned(), json!(place));
        out.write(format!("{}\n", Value::Object(fields)).as_bytes())?;
    }
    out.finish()?;
    Ok(())
}
