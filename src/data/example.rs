//! What a labelled example is, for each kind of task.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::bad_records::BadRecords;
use crate::error::{Error, Result};

/// Where an example comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file's name or `<stdin>`; `FILE, question` where examples are counted instead of lines.
    pub source: Arc<str>,
    /// From 1.
    pub line: u64,
}

impl Place {
    /// An [`Error::Record`] that names this place.
    pub fn error(&self, problem: impl Into<String>) -> Error {
        Error::Record { source_name: self.source.to_string(), line: self.line, problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.line)
    }
}

/// What a model should say of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Nothing is known.
    None,
    /// The one right label.
    Label(String),
    /// All right labels, perhaps none.
    Labels(Vec<String>),
    /// A score, finite also in 32 bits.
    Number(f64),
}

impl Target {
    /// The labels named, none for a score.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Label(label) => std::slice::from_ref(label),
            Self::Labels(labels) => labels,
            Self::None | Self::Number(_) => &[],
        }
    }
}

/// A text, or two that belong together, with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TextExample {
    /// Where it stands.
    pub place: Place,
    /// Its id as JSON text, or the cell of a table.
    pub id: Option<String>,
    /// The first segment.
    pub text: String,
    /// The second segment.
    pub text_pair: Option<String>,
    /// What a model should say.
    pub target: Target,
}

/// A sentence as words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenExample {
    /// Where it begins.
    pub place: Place,
    /// At least one.
    pub words: Vec<String>,
    /// A tag for each word; empty where the data has none.
    pub tags: Vec<String>,
}

/// A right answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldAnswer {
    /// Its words.
    pub text: String,
    /// Where it begins in the context, in Unicode code points. If known, `text` stands exactly there.
    pub start: Option<usize>,
}

/// A question about a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionExample {
    /// Where it stands.
    pub place: Place,
    /// Its id, or the number of its line where it has none.
    pub id: String,
    /// The question.
    pub question: String,
    /// The context; questions of one context that follow each other share it.
    pub context: Arc<str>,
    /// The right answers; empty if there is none, or none is known.
    pub answers: Vec<GoldAnswer>,
    /// True if it is known that the context does not answer the question.
    pub is_impossible: bool,
    /// The title of the article.
    pub title: Option<String>,
}

impl QuestionExample {
    /// Where the first answer stands in the context, in code points: from the first to after the last. `None` without an
    /// answer whose place is known.
    pub fn place_of_answer(&self) -> Option<(usize, usize)> {
        let answer = self.answers.first()?;
        let start = answer.start?;
        Some((start, start + answer.text.chars().count()))
    }
}

/// A question with choices to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceExample {
    /// Where it stands.
    pub place: Place,
    /// Its id as JSON text, or what the format has for one.
    pub id: Option<String>,
    /// What the question is about.
    pub context: Option<String>,
    /// The question, or the text to go on with.
    pub prompt: String,
    /// At least two.
    pub choices: Vec<String>,
    /// The right one, from 0.
    pub label: Option<usize>,
    /// A part of the data that is worth a figure of its own (RACE: `middle`, `high`).
    pub group: Option<String>,
}

/// Examples in the order of their files, and what was done to get them.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<T> {
    /// At least one.
    pub examples: Vec<T>,
    /// How many were left out because the data says that they have no label, or no words.
    pub left_out: u64,
    /// How many answers did not stand exactly where the data says, but close by.
    pub moved: u64,
    /// How many were left out because they repeat others.
    pub repeated: u64,
    /// How many were left out because they cannot be right.
    pub skipped: u64,
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
    /// Warnings for the user, one sentence each.
    pub warnings: Vec<String>,
}

impl<T> Loaded<T> {
    pub(super) fn new() -> Self {
        Self {
            examples: Vec::new(),
            left_out: 0,
            moved: 0,
            repeated: 0,
            skipped: 0,
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Itself, if there are examples, with what was done about bad records. `why` says why others were left out.
    pub(super) fn settled(mut self, path: &Path, why: &str, bad: &BadRecords) -> Result<Self> {
        self.skipped = bad.count();
        let skipped = bad.message(path);
        if let (true, Some(skipped)) = (self.examples.is_empty(), &skipped) {
            return Err(Error::bad_file(path, format!("holds no examples; {skipped}")));
        }
        self.warnings.extend(skipped);
        self.finished(path, why)
    }

    /// Itself, if there are examples. `why` says why others were left out.
    pub(super) fn finished(mut self, path: &Path, why: &str) -> Result<Self> {
        let left_out = match self.left_out {
            0 => None,
            1 => Some(format!("1 example is left out: {why}")),
            count => Some(format!("{count} examples are left out: {why}")),
        };
        if self.examples.is_empty() {
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
        let mut loaded: Loaded<u8> = Loaded::new();
        assert_eq!(
            loaded.clone().finished(path, "x").err().map(|e| e.to_string()).as_deref(),
            Some("a.tsv: holds no examples")
        );
        loaded.left_out = 2;
        assert_eq!(
            loaded.clone().finished(path, "x").err().map(|e| e.to_string()).as_deref(),
            Some("a.tsv: holds no examples; 2 examples are left out: x")
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
