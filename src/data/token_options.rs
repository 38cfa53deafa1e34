//! Options for reading labelled words.

use super::bad_records::OnBadRecord;
use super::format::DataFormat;

/// Options for reading words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOptions {
    /// The format of the data.
    pub format: DataFormat,
    /// Name of the field with the words.
    pub tokens: String,
    /// Name of the field with the tags. If it has its default value, `ner_tags` is accepted, too.
    pub tags: String,
    /// Name of the field with the id, in JSON lines.
    pub id: String,
    /// Tag names for numeric tags, in order.
    pub tag_names: Vec<String>,
    /// Column of the word, counted from 1. `None`: found by name or content.
    pub word_column: Option<usize>,
    /// Column of the tag, counted from 1. `None`: found by name or content.
    pub tag_column: Option<usize>,
    /// True if sentences without tags are accepted.
    pub unlabelled: bool,
    /// How to handle invalid records; in CoNLL columns, a record is a sentence. `None`: they are errors.
    pub on_error: Option<OnBadRecord>,
}

impl TokenOptions {
    /// The formats of labelled words.
    pub const FORMATS: [DataFormat; 2] = [DataFormat::Jsonl, DataFormat::Conll];
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            tokens: "tokens".to_owned(),
            tags: "tags".to_owned(),
            id: "id".to_owned(),
            tag_names: Vec::new(),
            word_column: None,
            tag_column: None,
            unlabelled: false,
            on_error: None,
        }
    }
}
