//! The tasks of the built-in model and their data.

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
use albert::tasks::{OverflowStrategy, Pipeline, QaOptions};

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Texts,
    Tokens,
    Questions,
    Choices,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Its name in the files of `assets/`.
    pub name: &'static str,
    pub kind: Kind,
    /// Names of the data sets that it is evaluated on.
    pub data: &'static [&'static str],
    pub labels: &'static [&'static str],
}

/// All tasks of `assets/tasks.json`.
pub(crate) const TASKS: [Task; 5] = [
    Task { name: "sentiment", kind: Kind::Texts, data: &["sentiment"], labels: &["negative", "positive"] },
    Task {
        name: "entities",
        kind: Kind::Tokens,
        data: &["ner"],
        labels: &["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"],
    },
    Task { name: "answers", kind: Kind::Questions, data: &["qa", "qa_fairytale"], labels: &[] },
    Task {
        name: "choices",
        kind: Kind::Choices,
        data: &["choice", "choice4", "choice_reading"],
        labels: &[],
    },
    Task {
        name: "entailment",
        kind: Kind::Texts,
        data: &["pair"],
        labels: &["contradiction", "entailment", "neutral"],
    },
];

/// The maximum length of a question with its context, in tokens.
const QUESTION_LENGTH: usize = 384;

/// Labelled data of a task.
pub(crate) enum Examples {
    Texts(Vec<TextExample>),
    Tokens(Vec<TokenExample>),
    Questions(Vec<QuestionExample>),
    Choices(Vec<ChoiceExample>),
}

impl Task {
    pub(crate) fn head(&self) -> Head {
        match self.kind {
            Kind::Texts => Head::SequenceClassification,
            Kind::Tokens => Head::TokenClassification,
            Kind::Questions => Head::QuestionAnswering,
            Kind::Choices => Head::MultipleChoice,
        }
    }

    pub(crate) fn label_set(&self) -> LabelSet {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        LabelSet::given(labels).unwrap_or_default()
    }

    /// The shared configuration with this task's labels.
    pub(crate) fn config(&self, shared: &AlbertConfig) -> AlbertConfig {
        let mut config = shared.clone();
        if !self.labels.is_empty() {
            config.set_labels(self.labels.iter().map(|label| (*label).to_owned()).collect());
        }
        config
    }

    pub(crate) fn read(&self, data: &Path, name: &str, split: &str) -> Result<Examples> {
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

    /// An evaluation on one data set.
    pub(crate) fn evaluation(
        &self,
        examples: Examples,
        mut pipeline: Pipeline,
    ) -> Result<Box<dyn TaskEvaluation>> {
        Ok(match examples {
            Examples::Texts(all) => {
                Box::new(TextEvaluation::new(pipeline, all, TargetKind::Label, self.label_set())?)
            }
            Examples::Tokens(all) => Box::new(TokenEvaluation::new(pipeline, all, self.label_set(), None)?),
            Examples::Questions(all) => {
                pipeline.max_length = pipeline.max_length.min(QUESTION_LENGTH);
                pipeline.long = OverflowStrategy::Window;
                let options = QaOptions { max_answer_len: 30, ..QaOptions::default() };
                Box::new(QuestionEvaluation::new(pipeline, all, QuestionRules::V1, options)?)
            }
            Examples::Choices(all) => Box::new(ChoiceEvaluation::new(pipeline, all)?),
        })
    }
}

/// A runtime for `model`, with the tokenizer of `checkpoint`.
pub(crate) fn pipeline(
    model: Albert,
    config: &AlbertConfig,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<Pipeline> {
    Ok(Pipeline {
        model,
        config: config.clone(),
        tokenizer: checkpoint.tokenizer()?,
        device: device.clone(),
        max_length: config.max_position_embeddings,
        long: OverflowStrategy::Truncate,
        pad_multiple: 1,
    })
}
