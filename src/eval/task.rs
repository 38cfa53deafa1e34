//! Evaluation as one call: a task, its labelled data and a checkpoint become a report.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::choices::ChoiceEvaluation;
use super::metrics::EntityScheme;
use super::questions::{QuestionEvaluation, QuestionRules};
use super::texts::{TextEvaluation, goal_of};
use super::tokens::TokenEvaluation;
use super::{EvalReport, TaskEvaluation};
use crate::checkpoint::{Checkpoint, EmbeddedTask, MlmBias};
use crate::data::{
    self, BadRecords, ChoiceExample, ChoiceOptions, LabelSet, Loaded, OnBadRecord, QuestionExample,
    QuestionOptions, Target, TargetKind, TextExample, TextOptions, TokenExample, TokenOptions,
};
use crate::device::{self, OpenDevice};
use crate::error::{Error, Result};
use crate::model::Head;
use crate::tasks::{LengthOptions, LoadOptions, OverflowStrategy, Pipeline, QaOptions, null_threshold};

/// A task, with the options of its data.
#[derive(Clone, Debug)]
pub enum EvalTask {
    /// Text classification or regression.
    Classify {
        /// How the data is read. `kind` is replaced by `goal`.
        data: TextOptions,
        /// The kind of target. `None`: the model's `problem_type`, otherwise numbers for a model with one output.
        goal: Option<TargetKind>,
    },
    /// Token classification.
    Ner {
        /// How the data is read. Numeric tags are indices into the labels of the model.
        data: TokenOptions,
        /// A scheme in strict mode; `None`: seqeval's default.
        scheme: Option<EntityScheme>,
    },
    /// Extractive question answering.
    Qa {
        /// How the data is read. Answers do not need positions.
        data: QuestionOptions,
        /// How long contexts are split, and the maximum length of answers.
        task: QaOptions,
        /// The rules of SQuAD. `None`: those of version 2.0 if some questions have no answer, otherwise those of 1.1.
        version: Option<SquadVersion>,
        /// Predict "no answer" if its score exceeds the best answer's by more than this. `None`: the model's threshold,
        /// otherwise 0.
        null_threshold: Option<f64>,
    },
    /// Multiple choice.
    Choose {
        /// How the data is read.
        data: ChoiceOptions,
    },
}

/// A version of SQuAD's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquadVersion {
    /// 1.1: every question has an answer.
    V1,
    /// 2.0: questions may have no answer.
    V2,
}

impl EvalTask {
    /// The task of the built-in model that corresponds to this one.
    pub fn embedded(&self) -> EmbeddedTask {
        match self {
            Self::Classify { .. } => EmbeddedTask::Sentiment,
            Self::Ner { .. } => EmbeddedTask::Entities,
            Self::Qa { .. } => EmbeddedTask::Answers,
            Self::Choose { .. } => EmbeddedTask::Choices,
        }
    }

    /// The head that the model needs.
    pub fn head(&self) -> Head {
        match self {
            Self::Classify { .. } => Head::SequenceClassification,
            Self::Ner { .. } => Head::TokenClassification,
            Self::Qa { .. } => Head::QuestionAnswering,
            Self::Choose { .. } => Head::MultipleChoice,
        }
    }

    /// The length options for rows of at most `max_length` tokens. Contexts of questions are read in overlapping windows.
    pub fn lengths(&self, max_length: Option<usize>) -> LengthOptions {
        let (default, long) = match self {
            Self::Qa { .. } => (QaOptions::LONGEST, OverflowStrategy::Window),
            _ => (usize::MAX, OverflowStrategy::Truncate),
        };
        LengthOptions { max_length, default, long, windows: true, own: None }
    }

    /// Reads the labelled data at `path` for the model of `checkpoint`.
    ///
    /// # Errors
    /// Errors of the data, with their locations; errors of the model's labels.
    pub fn read(&self, path: &Path, checkpoint: &Checkpoint) -> Result<Labelled> {
        match self {
            Self::Classify { data, goal } => read_texts(path, checkpoint, data, *goal),
            Self::Ner { data, scheme } => {
                let labels = labels_of(checkpoint)?;
                let mut options = data.clone();
                if options.tag_names.is_empty() {
                    options.tag_names = labels.names().to_vec();
                }
                let mut loaded = data::read_tokens(path, &options)?;
                keep_known(&mut loaded, path, data.on_error, |example| {
                    example.tags.iter().try_for_each(|tag| labels.require(&example.place, tag).map(drop))
                })?;
                Ok(Labelled::new(loaded, |examples| Examples::Tokens { examples, labels, scheme: *scheme }))
            }
            Self::Qa { data, task, version, null_threshold } => {
                let options = QuestionOptions { need_start: false, ..data.clone() };
                let loaded = data::read_questions(path, &options)?;
                let unanswerable = loaded.examples.iter().any(|example| example.is_impossible);
                let threshold = null_threshold.or(null_threshold::of(&checkpoint.config)).unwrap_or_default();
                let rules = match version {
                    Some(SquadVersion::V1) => QuestionRules::V1,
                    None if !unanswerable => QuestionRules::V1,
                    None | Some(SquadVersion::V2) => QuestionRules::V2 { null_threshold: threshold },
                };
                let task = task.clone();
                Ok(Labelled::new(loaded, |examples| Examples::Questions { examples, rules, task }))
            }
            Self::Choose { data } => {
                Ok(Labelled::new(data::read_choices(path, data)?, |examples| Examples::Choices { examples }))
            }
        }
    }
}

/// Labelled data that was read for a model.
pub struct Labelled {
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
    /// Warnings for the user, one sentence each.
    pub warnings: Vec<String>,
    examples: Examples,
}

enum Examples {
    Texts { examples: Vec<TextExample>, goal: TargetKind, labels: LabelSet },
    Tokens { examples: Vec<TokenExample>, labels: LabelSet, scheme: Option<EntityScheme> },
    Questions { examples: Vec<QuestionExample>, rules: QuestionRules, task: QaOptions },
    Choices { examples: Vec<ChoiceExample> },
}

impl Labelled {
    fn new<T>(loaded: Loaded<Vec<T>>, examples: impl FnOnce(Vec<T>) -> Examples) -> Self {
        Self { notes: loaded.notes, warnings: loaded.warnings, examples: examples(loaded.examples) }
    }

    /// Returns true if the targets are numbers.
    pub fn is_regression(&self) -> bool {
        matches!(self.examples, Examples::Texts { goal: TargetKind::Number, .. })
    }

    /// Encodes the examples for `pipeline`, whose model has the task's head.
    ///
    /// # Errors
    /// Names the location of an example that cannot be encoded, or whose label the model does not have.
    pub fn evaluation(self, pipeline: Pipeline) -> Result<Box<dyn TaskEvaluation>> {
        Ok(match self.examples {
            Examples::Texts { examples, goal, labels } => {
                Box::new(TextEvaluation::new(pipeline, examples, goal, labels)?)
            }
            Examples::Tokens { examples, labels, scheme } => {
                Box::new(TokenEvaluation::new(pipeline, examples, labels, scheme)?)
            }
            Examples::Questions { examples, rules, task } => {
                Box::new(QuestionEvaluation::new(pipeline, examples, rules, task)?)
            }
            Examples::Choices { examples } => Box::new(ChoiceEvaluation::new(pipeline, examples)?),
        })
    }
}

fn read_texts(
    path: &Path,
    checkpoint: &Checkpoint,
    options: &TextOptions,
    goal: Option<TargetKind>,
) -> Result<Labelled> {
    let config = &checkpoint.config;
    let goal = match (goal, config.extra("problem_type").and_then(Value::as_str)) {
        (Some(goal), _) => goal,
        (None, Some(kind)) => goal_of(kind).unwrap_or_default(),
        (None, None) if config.num_labels == 1 => TargetKind::Number,
        (None, None) => TargetKind::Label,
    };
    if goal == TargetKind::Number && config.num_labels != 1 {
        return Err(Error::InvalidOption {
            name: "goal".to_owned(),
            problem: format!("numbers need a model with one output; this one has {}", config.num_labels),
        });
    }
    let mut loaded = data::read_texts(path, &TextOptions { kind: goal, ..options.clone() })?;
    let labels = labels_of(checkpoint)?;
    loaded.notes.extend(align_label_names(&mut loaded.examples, &labels));
    keep_known(&mut loaded, path, options.on_error, |example| {
        let mut names = example.target.labels().iter();
        names.try_for_each(|name| labels.require(&example.place, name).map(drop))
    })?;
    Ok(Labelled::new(loaded, |examples| Examples::Texts { examples, goal, labels }))
}

/// Skips examples with labels that the model does not have, if `on_error` says so.
///
/// # Errors
/// The first of them otherwise; [`Error::BadFile`] if no example is left.
fn keep_known<T>(
    loaded: &mut Loaded<Vec<T>>,
    path: &Path,
    on_error: Option<OnBadRecord>,
    check: impl Fn(&T) -> Result<()>,
) -> Result<()> {
    let mut bad = BadRecords::new(on_error);
    let examples = std::mem::take(&mut loaded.examples);
    loaded.examples = bad.filter(examples.into_iter().map(Ok), check).collect::<Result<_>>()?;
    loaded.warnings.extend(bad.message(path));
    match loaded.examples.is_empty() {
        true => Err(Error::bad_file(path, "has no example with a label of the model")),
        false => Ok(()),
    }
}

/// The labels of a model, including unnamed ones.
fn labels_of(checkpoint: &Checkpoint) -> Result<LabelSet> {
    let config = &checkpoint.config;
    LabelSet::given((0..config.num_labels).map(|id| config.label(id)).collect())
        .map_err(|problem| Error::Model { model: checkpoint.name.clone(), problem })
}

/// Renames labels of the data whose spelling differs from the model's. Returns a note about it.
fn align_label_names(examples: &mut [TextExample], labels: &LabelSet) -> Option<String> {
    let matched =
        labels.match_data(&LabelSet::of_texts(examples.iter().flat_map(|example| example.target.labels())));
    let note = matched.note.clone()?;
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
    Some(note)
}

/// Evaluates a model on labelled data, as `albert eval` does.
///
/// ```no_run
/// use albert::checkpoint::Checkpoint;
/// use albert::data::TextOptions;
/// use albert::eval::{EvalTask, Evaluate};
///
/// # fn main() -> albert::Result<()> {
/// let task = EvalTask::Classify { data: TextOptions::default(), goal: None };
/// let report = Evaluate::new(task, "dev.jsonl").run(&Checkpoint::local("my-model".as_ref())?)?;
/// println!("accuracy {:?}", report.metric("accuracy"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Evaluate {
    task: EvalTask,
    data: PathBuf,
    max_length: Option<usize>,
    device: Option<OpenDevice>,
}

impl Evaluate {
    /// Creates an evaluation of `task` on the labelled data at this path, in f32 on the CPU.
    pub fn new(task: EvalTask, data: impl Into<PathBuf>) -> Self {
        Self { task, data: data.into(), max_length: None, device: None }
    }

    /// Sets the maximum row length in tokens, including special tokens. The default is the tokenizer's
    /// `model_max_length`, limited by the positions of the model and, for question answering, by 384.
    pub fn max_length(mut self, tokens: usize) -> Self {
        self.max_length = Some(tokens);
        self
    }

    /// Sets the device and its precision.
    pub fn device(mut self, device: OpenDevice) -> Self {
        self.device = Some(device);
        self
    }

    /// Reads the data, loads the model and evaluates it.
    ///
    /// # Errors
    /// Errors of the data, with their locations; errors of the checkpoint and of the device.
    pub fn run(self, checkpoint: &Checkpoint) -> Result<EvalReport> {
        let labelled = self.task.read(&self.data, checkpoint)?;
        let heads = [self.task.head()];
        let lengths = self.task.lengths(self.max_length);
        let parts = LoadOptions { heads: &heads, mlm_bias: MlmBias::default(), lengths };
        let loaded = Pipeline::load(checkpoint, &parts, || match self.device {
            Some(open) => Ok(open),
            None => device::open_cpu(device::Precision::F32),
        })?;
        labelled.evaluation(loaded.pipeline)?.run(loaded.batch_tokens)
    }
}
