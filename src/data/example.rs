//! Labelled examples of each kind of task.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bad_records::BadRecords;
use super::examples::Examples;
use crate::error::{Error, Result, location};

/// Location of an example.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file's name or `<stdin>`; `FILE: question` if examples are counted instead of lines.
    #[serde(with = "shared_text")]
    pub source: Arc<str>,
    /// Line number, from 1.
    pub line: u64,
}

impl Place {
    /// Creates an [`Error::Record`] at this location.
    pub fn error(&self, problem: impl Into<String>) -> Error {
        Error::Record { source_name: self.source.to_string(), line: self.line, problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&location(&self.source, self.line))
    }
}

/// Target of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// There is no target.
    None,
    /// The correct label.
    Label(String),
    /// All correct labels; possibly none.
    Labels(Vec<String>),
    /// A score that is finite in f32.
    Number(f64),
}

impl Target {
    /// Returns the labels; none for a score.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Label(label) => std::slice::from_ref(label),
            Self::Labels(labels) => labels,
            Self::None | Self::Number(_) => &[],
        }
    }
}

/// A text or a pair of texts with a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextExample {
    /// Its location.
    pub place: Place,
    /// Its id as JSON text.
    pub id: Option<String>,
    /// The first segment.
    pub text: String,
    /// The second segment.
    pub text_pair: Option<String>,
    /// The target.
    pub target: Target,
}

/// A sentence as words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenExample {
    /// Its location.
    pub place: Place,
    /// The words; at least one.
    pub words: Vec<String>,
    /// One tag per word; empty if the data has none.
    pub tags: Vec<String>,
}

/// A correct answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldAnswer {
    /// Its words.
    pub text: String,
    /// Its offset in the context, in Unicode code points. If known, `text` occurs exactly there.
    pub start: Option<usize>,
}

/// A question about a context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionExample {
    /// Its location.
    pub place: Place,
    /// Its id, otherwise its line number.
    pub id: String,
    /// The question.
    pub question: String,
    /// The context. Consecutive questions share it.
    #[serde(with = "shared_text")]
    pub context: Arc<str>,
    /// The correct answers. Empty if there are none, or if none are known.
    pub answers: Vec<GoldAnswer>,
    /// True if the context is known not to answer the question.
    pub is_impossible: bool,
    /// The title of the article.
    pub title: Option<String>,
}

impl QuestionExample {
    /// Returns the range of the first answer in the context, in code points; `None` without an answer whose offset is
    /// known.
    pub fn place_of_answer(&self) -> Option<(usize, usize)> {
        let answer = self.answers.first()?;
        let start = answer.start?;
        Some((start, start + answer.text.chars().count()))
    }
}

/// A multiple-choice question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceExample {
    /// Its location.
    pub place: Place,
    /// Its id as JSON text, or the format's equivalent.
    pub id: Option<String>,
    /// The context.
    pub context: Option<String>,
    /// The question, or the text to continue.
    pub prompt: String,
    /// At least two.
    pub choices: Vec<String>,
    /// The index of the correct choice, from 0.
    pub label: Option<usize>,
    /// A part of the data with separate metrics (RACE: `middle`, `high`).
    pub group: Option<String>,
}

/// Serialization of texts that values share. Each deserialized value has its own copy.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// The examples of a file, and counts of changes made while reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<E> {
    /// The examples in file order, in a `Vec` or another collection.
    pub examples: E,
    /// Number of examples skipped because they have no label or no words.
    pub left_out: u64,
    /// Number of answers found near, but not at, their stated offset.
    pub moved: u64,
    /// Number of examples skipped because they repeat others.
    pub repeated: u64,
    /// Number of examples skipped because they are invalid.
    pub skipped: u64,
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
    /// Warnings for the user, one sentence each.
    pub warnings: Vec<String>,
}

impl<E> Loaded<E> {
    /// Creates the initial state. `examples` must be empty.
    pub(super) fn new(examples: E) -> Self {
        Self {
            examples,
            left_out: 0,
            moved: 0,
            repeated: 0,
            skipped: 0,
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns itself if there are examples, with a message about bad records. `why` says why others were skipped.
    pub(super) fn settled<T>(mut self, path: &Path, why: &str, bad: &BadRecords) -> Result<Self>
    where
        E: Examples<T>,
    {
        self.skipped = bad.count();
        let skipped = bad.message(path);
        if let (true, Some(skipped)) = (self.examples.count() == 0, &skipped) {
            return Err(Error::bad_file(path, format!("holds no examples; {skipped}")));
        }
        self.warnings.extend(skipped);
        self.finished(path, why)
    }

    /// Returns itself if there are examples. `why` says why others were skipped.
    fn finished<T>(mut self, path: &Path, why: &str) -> Result<Self>
    where
        E: Examples<T>,
    {
        let left_out = match self.left_out {
            0 => None,
            1 => Some(format!("1 example is left out: {why}")),
            count => Some(format!("{count} examples are left out: {why}")),
        };
        if self.examples.count() == 0 {
            let reason = left_out.map_or(String::new(), |reason| format!("; {reason}"));
            return Err(Error::bad_file(path, format!("holds no examples{reason}")));
        }
        self.notes.extend(left_out.map(|note| format!("{}: {note}", path.display())));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_messages() {
        let place = Place { source: "a.tsv".into(), line: 7 };
        assert_eq!(place.to_string(), "a.tsv:7");
        assert_eq!(place.error("is bad").to_string(), "a.tsv:7: is bad");
    }

    #[test]
    fn nothing_loaded_is_an_error_and_what_was_left_out_a_note() {
        let path = Path::new("a.tsv");
        let mut loaded: Loaded<Vec<u8>> = Loaded::new(Vec::new());
        assert_eq!(
            loaded.clone().finished(path, "x").err().map(|e| e.to_string()).as_deref(),
            Some("a.tsv holds no examples")
        );
        loaded.left_out = 2;
        assert_eq!(
            loaded.clone().finished(path, "x").err().map(|e| e.to_string()).as_deref(),
            Some("a.tsv holds no examples; 2 examples are left out: x")
        );
        loaded.examples.push(1);
        assert_eq!(
            loaded.finished(path, "x").expect("examples").notes,
            ["a.tsv: 2 examples are left out: x"]
        );
    }

    #[test]
    fn labels_of_a_target() {
        assert_eq!(Target::Label("a".to_owned()).labels(), ["a"]);
        assert_eq!(Target::Labels(vec!["a".to_owned(), "b".to_owned()]).labels(), ["a", "b"]);
        assert!(Target::Number(1.0).labels().is_empty() && Target::None.labels().is_empty());
    }
}
