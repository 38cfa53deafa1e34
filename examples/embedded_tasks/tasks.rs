//! The tasks, their data and their places in the shared classifier.

use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;

use albert::Result;
use albert::checkpoint::Checkpoint;
use albert::data::{
    self, ChoiceExample, ChoiceOptions, LabelSet, QuestionExample, QuestionOptions, TargetKind, TextExample,
    TextOptions, TokenExample, TokenOptions,
};
use albert::eval::{
    ChoiceEvaluation, QuestionEvaluation, QuestionRules, TaskEvaluation, TextEvaluation, TokenEvaluation,
};
use albert::model::{Albert, AlbertConfig, Head};
use albert::tasks::{Choose, ChooseOptions, Classify, ClassifyOptions, Long, Qa, QaOptions, Runtime};
use albert::training::finetune::{TaskLoss, TrainingExample, encode};

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Texts,
    Tokens,
    Questions,
    Choices,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name in the files of `assets/`.
    pub name: &'static str,
    pub kind: Kind,
    /// Names of the data to learn from.
    pub train: &'static [&'static str],
    /// Names of the data with a dev, and a test split, to be judged by.
    pub judged: &'static [&'static str],
    pub labels: &'static [&'static str],
    /// How often a batch is of this task, in proportion to others.
    pub share: f64,
    pub batch_size: usize,
    /// Bytes of what it may change in the encoder: all together fit in what `assets/` may take, 8 MB.
    pub difference: usize,
}

/// All of them. Shares grow with the number of examples, less than in proportion.
pub const TASKS: [Task; 5] = [
    Task {
        name: "sentiment",
        kind: Kind::Texts,
        train: &["sentiment"],
        judged: &["sentiment"],
        labels: &["negative", "positive"],
        share: 1.0,
        batch_size: 32,
        difference: 900_000,
    },
    Task {
        name: "entities",
        kind: Kind::Tokens,
        train: &["ner"],
        judged: &["ner"],
        labels: &["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"],
        share: 1.0,
        batch_size: 32,
        difference: 900_000,
    },
    Task {
        name: "answers",
        kind: Kind::Questions,
        train: &["qa"],
        judged: &["qa", "qa_fairytale"],
        labels: &[],
        share: 2.0,
        batch_size: 16,
        difference: 600_000,
    },
    Task {
        name: "choices",
        kind: Kind::Choices,
        train: &["choice", "choice4", "choice_reading"],
        judged: &["choice", "choice4", "choice_reading"],
        labels: &[],
        share: 1.5,
        batch_size: 16,
        difference: 700_000,
    },
    Task {
        name: "entailment",
        kind: Kind::Texts,
        train: &["pair"],
        judged: &["pair"],
        labels: &["contradiction", "entailment", "neutral"],
        share: 1.5,
        batch_size: 32,
        difference: 150_000,
    },
];

/// The heads of the shared model.
pub const ALL_HEADS: [Head; 5] = [
    Head::Pooler,
    Head::MaskedLm,
    Head::SentenceOrder,
    Head::SequenceClassification,
    Head::QuestionAnswering,
];

/// Longest row of a question with its context.
const QUESTION_LENGTH: usize = 384;

/// Labelled data of a task.
pub enum Examples {
    Texts(Vec<TextExample>),
    Tokens(Vec<TokenExample>),
    Questions(Vec<QuestionExample>),
    Choices(Vec<ChoiceExample>),
}

impl Task {
    pub fn head(&self) -> Head {
        match self.kind {
            Kind::Texts => Head::SequenceClassification,
            Kind::Tokens => Head::TokenClassification,
            Kind::Questions => Head::QuestionAnswering,
            Kind::Choices => Head::MultipleChoice,
        }
    }

    pub fn loss(&self) -> TaskLoss {
        match self.kind {
            Kind::Texts => TaskLoss::Labels,
            Kind::Tokens => TaskLoss::Tokens,
            Kind::Questions => TaskLoss::Spans,
            Kind::Choices => TaskLoss::Choices,
        }
    }

    /// Outputs of the classifier that it needs.
    fn width(&self) -> usize {
        match self.kind {
            Kind::Questions => 0,
            Kind::Choices => 1,
            Kind::Texts | Kind::Tokens => self.labels.len(),
        }
    }

    pub fn label_set(&self) -> LabelSet {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        LabelSet::given(labels).unwrap_or_default()
    }

    /// The shared configuration with this task's labels.
    pub fn config(&self, shared: &AlbertConfig) -> AlbertConfig {
        let mut config = shared.clone();
        if !self.labels.is_empty() {
            config.set_labels(self.labels.iter().map(|label| (*label).to_owned()).collect());
        }
        config
    }

    pub fn read(&self, data: &Path, name: &str, split: &str) -> Result<Examples> {
        let path = data.join(format!("{name}.{split}.jsonl"));
        Ok(match self.kind {
            Kind::Texts => {
                let options = TextOptions { kind: TargetKind::Label, ..TextOptions::default() };
                Examples::Texts(data::read_texts(&path, &options)?.examples)
            }
            Kind::Tokens => Examples::Tokens(data::read_tokens(&path, &TokenOptions::default())?.examples),
            Kind::Questions => {
                Examples::Questions(data::read_questions(&path, &QuestionOptions::default())?.examples)
            }
            Kind::Choices => {
                Examples::Choices(data::read_choices(&path, &ChoiceOptions::default())?.examples)
            }
        })
    }

    /// The rows to learn from, of all data of this task.
    pub fn rows(&self, data: &Path, runtime: &mut Runtime) -> Result<Vec<TrainingExample>> {
        let longest = runtime.max_length;
        if self.kind == Kind::Questions {
            runtime.max_length = longest.min(QUESTION_LENGTH);
        }
        let mut rows = Vec::new();
        for name in self.train {
            rows.extend(match self.read(data, name, "train")? {
                Examples::Texts(all) => {
                    let task = Classify::new(runtime, ClassifyOptions::default())?;
                    encode::texts(&task, &self.label_set(), &all)?
                }
                Examples::Tokens(all) => encode::tokens(runtime, &self.label_set(), &all)?,
                Examples::Questions(all) => {
                    encode::questions(&Qa::new(runtime, QaOptions::default())?, &all)?
                }
                Examples::Choices(all) => {
                    encode::choices(&Choose::new(runtime, ChooseOptions::default()), &all)?
                }
            });
        }
        runtime.max_length = longest;
        Ok(rows)
    }

    /// A judge by one data set.
    pub fn judge(&self, examples: Examples, mut runtime: Runtime) -> Result<Box<dyn TaskEvaluation>> {
        Ok(match examples {
            Examples::Texts(all) => {
                Box::new(TextEvaluation::new(runtime, all, TargetKind::Label, self.label_set())?)
            }
            Examples::Tokens(all) => Box::new(TokenEvaluation::new(runtime, all, self.label_set(), None)?),
            Examples::Questions(all) => {
                runtime.max_length = runtime.max_length.min(QUESTION_LENGTH);
                let options = QaOptions { max_answer_len: 30, ..QaOptions::default() };
                Box::new(QuestionEvaluation::new(runtime, all, QuestionRules::V1, options)?)
            }
            Examples::Choices(all) => Box::new(ChoiceEvaluation::new(runtime, all)?),
        })
    }
}

/// A runtime for `model`, with the tokenizer of `checkpoint`.
pub fn runtime(
    model: Albert,
    config: &AlbertConfig,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<Runtime> {
    Ok(Runtime {
        model,
        config: config.clone(),
        tokenizer: checkpoint.tokenizer()?,
        device: device.clone(),
        max_length: config.max_position_embeddings,
        long: Long::Truncate,
        pad_multiple: 1,
    })
}

/// The outputs of each task in the shared classifier, in the order of [`TASKS`].
pub fn outputs() -> Vec<Range<usize>> {
    let mut start = 0;
    TASKS
        .iter()
        .map(|task| {
            let own = start..start + task.width();
            start = own.end;
            own
        })
        .collect()
}

/// Outputs of all tasks together.
pub fn all_outputs() -> usize {
    outputs().last().map_or(0, |last| last.end)
}
