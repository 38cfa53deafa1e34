//! Arguments for labelled data: formats and field names.

use clap::Args;
use clap::builder::ValueParser;

use albert::data::{
    ChoiceOptions, DataFormat, OnBadRecord, QuestionOptions, TargetKind, TextOptions, TokenOptions,
};
use albert::tasks::QaOptions;

use super::list::{self, List};
use super::values::one_of;

/// Returns the parser for the format of a task's data.
fn format(of_task: impl IntoIterator<Item = DataFormat>) -> ValueParser {
    let all: Vec<DataFormat> = std::iter::once(DataFormat::Auto).chain(of_task).collect();
    one_of(&all)
}

/// Arguments for the data of every task.
#[derive(Args, Debug)]
pub(crate) struct DataArgs {
    /// Field or column with the id of an example
    #[arg(long, value_name = "NAME", default_value = "id", hide_short_help = true, help_heading = "Data")]
    pub id_field: String,
    /// Stop at an invalid record, or skip it [default: stop, except in GLUE's own files]
    #[arg(long, value_name = "ACTION", hide_short_help = true, help_heading = "Data")]
    pub on_error: Option<OnBadRecord>,
}

/// Labelled texts.
#[derive(Args, Debug)]
pub(crate) struct TextDataArgs {
    /// Format of the data; auto detects it from the file's name and content
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format(TextOptions::FORMATS), help_heading = "Data")]
    pub data_format: DataFormat,
    #[command(flatten)]
    pub data: DataArgs,
    /// Kind of target: one label per text, any number of labels, or a number
    #[arg(long, visible_alias = "problem-type", value_name = "GOAL", help_heading = "Data")]
    pub goal: Option<TargetKind>,
    /// Field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Data")]
    pub text_field: String,
    /// Field or column with the second text of a pair
    #[arg(long, value_name = "NAME", default_value = "text_pair", help_heading = "Data")]
    pub pair_field: String,
    /// Field or column with the label or the list of labels; for numbers, the field score takes precedence
    #[arg(long, value_name = "NAME", default_value = "label", help_heading = "Data")]
    pub label_field: String,
    /// Separator of several labels in one column
    #[arg(long, value_name = "TEXT", default_value = "|", hide_short_help = true, help_heading = "Data")]
    pub label_separator: String,
    /// Columns of 0 and 1, one for each label (comma-separated)
    #[arg(long, value_name = "NAMES", hide_short_help = true, help_heading = "Data")]
    pub label_columns: Vec<List>,
}

impl TextDataArgs {
    /// The options for reading texts with targets of this kind.
    pub(crate) fn options(&self, kind: TargetKind) -> TextOptions {
        TextOptions {
            format: self.data_format,
            text: self.text_field.clone(),
            text_pair: self.pair_field.clone(),
            label: self.label_field.clone(),
            id: self.data.id_field.clone(),
            kind,
            separator: self.label_separator.clone(),
            label_columns: list::trimmed(&self.label_columns),
            on_error: self.data.on_error,
            ..TextOptions::default()
        }
    }
}

/// Labelled words.
#[derive(Args, Debug)]
pub(crate) struct TokenDataArgs {
    /// Format of the data; auto detects it from the file's name and content
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format(TokenOptions::FORMATS), help_heading = "Data")]
    pub data_format: DataFormat,
    #[command(flatten)]
    pub data: DataArgs,
    /// Field with the list of words
    #[arg(long, value_name = "NAME", default_value = "tokens", help_heading = "Data")]
    pub tokens_field: String,
    /// Field with the list of tags
    #[arg(long, value_name = "NAME", default_value = "tags", help_heading = "Data")]
    pub tags_field: String,
    /// CoNLL column with the word, from 1 [default: FORM of a header, else the first that does not count words]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true, help_heading = "Data")]
    pub word_column: Option<u16>,
    /// CoNLL column with the tag, from 1 [default: the last, or the only column of tags if words are numbered or the last column holds numbers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true, help_heading = "Data")]
    pub tag_column: Option<u16>,
}

impl TokenDataArgs {
    /// The options for reading sentences. Numeric tags are indices into `tag_names`.
    pub(crate) fn options(&self, tag_names: &[String]) -> TokenOptions {
        TokenOptions {
            format: self.data_format,
            tokens: self.tokens_field.clone(),
            tags: self.tags_field.clone(),
            id: self.data.id_field.clone(),
            tag_names: tag_names.to_vec(),
            on_error: self.data.on_error,
            word_column: self.word_column.map(usize::from),
            tag_column: self.tag_column.map(usize::from),
            ..TokenOptions::default()
        }
    }
}

/// Questions on contexts.
#[derive(Args, Debug)]
pub(crate) struct QuestionDataArgs {
    /// Format of the data; auto detects it from the file's name and content
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format(QuestionOptions::FORMATS), help_heading = "Data")]
    pub data_format: DataFormat,
    #[command(flatten)]
    pub data: DataArgs,
    /// Field with the question
    #[arg(long, value_name = "NAME", default_value = "question", help_heading = "Data")]
    pub question_field: String,
    /// Field with the context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Data")]
    pub context_field: String,
    /// Field with the answers
    #[arg(long, value_name = "NAME", default_value = "answers", help_heading = "Data")]
    pub answers_field: String,
    /// Tokens that adjacent windows of a long context share [default: 128, or half of a shorter window]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Data")]
    pub doc_stride: Option<u32>,
    /// Longest question in tokens; the rest is cut off
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Data")]
    pub max_question_len: u32,
    /// Longest answer in tokens
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Data")]
    pub max_answer_len: u32,
}

impl QuestionDataArgs {
    /// How questions are read; an evaluation needs no places of answers.
    pub(crate) fn options(&self, need_start: bool) -> QuestionOptions {
        QuestionOptions {
            format: self.data_format,
            question: self.question_field.clone(),
            context: self.context_field.clone(),
            answers: self.answers_field.clone(),
            id: self.data.id_field.clone(),
            need_start,
            on_error: self.data.on_error,
            ..QuestionOptions::default()
        }
    }

    /// How the task reads and answers them.
    pub(crate) fn task(&self) -> QaOptions {
        QaOptions {
            doc_stride: self.doc_stride.map(|n| n as usize),
            max_question_len: self.max_question_len as usize,
            max_answer_len: self.max_answer_len as usize,
            ..QaOptions::default()
        }
    }
}

/// Prompts with choices.
#[derive(Args, Debug)]
pub(crate) struct ChoiceDataArgs {
    /// Format of the data; auto detects it from the file's name and content
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format(ChoiceOptions::FORMATS), help_heading = "Data")]
    pub data_format: DataFormat,
    #[command(flatten)]
    pub data: DataArgs,
    /// Field with the prompt
    #[arg(long, value_name = "NAME", default_value = "prompt", help_heading = "Data")]
    pub prompt_field: String,
    /// Field with the list of choices
    #[arg(long, value_name = "NAME", default_value = "choices", help_heading = "Data")]
    pub choices_field: String,
    /// Field with the context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Data")]
    pub context_field: String,
    /// Field with the right choice: its number from 0, or its letter
    #[arg(long, value_name = "NAME", default_value = "label", help_heading = "Data")]
    pub label_field: String,
}

impl ChoiceDataArgs {
    /// How prompts are read.
    pub(crate) fn options(&self) -> ChoiceOptions {
        ChoiceOptions {
            format: self.data_format,
            prompt: self.prompt_field.clone(),
            choices: self.choices_field.clone(),
            context: self.context_field.clone(),
            label: self.label_field.clone(),
            id: self.data.id_field.clone(),
            on_error: self.data.on_error,
            ..ChoiceOptions::default()
        }
    }
}
