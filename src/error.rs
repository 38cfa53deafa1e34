//! The error type of the library.
//!
//! Every variant names the location (path, line, tensor, key or option) and suggests a remedy, so that the command line
//! only has to print it. Errors know nothing of terminals, exit codes or the spelling of flags: messages name an option
//! in words, as in "option text_field" or, with a value, "option device=flex".

use std::fmt::Display;
use std::path::PathBuf;

/// An error, with its location.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The attempted operation: "read", "create", "rename", ...
        action: &'static str,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file exists, but its content is not what its name or location promises.
    #[error("{}", stated(path.display(), problem))]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem, and what to do about it.
        problem: String,
    },
    /// A key of `config.json` has an unusable value.
    #[error("{}: {}", path.display(), stated(format_args!("key \"{key}\""), problem))]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The offending key.
        key: String,
        /// The problem with its value, and the expected values.
        problem: String,
    },
    /// The tensors of a checkpoint do not fit the model.
    #[error("{}", stated(path.display(), problem))]
    Weights {
        /// The checkpoint directory or file.
        path: PathBuf,
        /// The tensors concerned, and the most similar names in the file.
        problem: String,
    },
    /// No usable checkpoint was found under the given name.
    #[error("model \"{model}\": {problem}")]
    Model {
        /// The name given by the user.
        model: String,
        /// The places searched, and what to do.
        problem: String,
    },
    /// The model hub could not deliver a file.
    #[error("model \"{model}\": {url}: {problem}")]
    Hub {
        /// The hub id.
        model: String,
        /// The requested address.
        url: String,
        /// The hub's answer, and what to do.
        problem: String,
    },
    /// One input record cannot be processed.
    #[error("{}: {problem}", location(source_name, *line))]
    Record {
        /// The file's name, or `<stdin>`, or `<argument>`. It ends with what is counted, as in `a.json: record`, if
        /// that is not the lines of the file.
        source_name: String,
        /// Line number, from 1, or the number of the record.
        line: u64,
        /// The problem with the record.
        problem: String,
    },
    /// Input that a task cannot use. The caller adds the location.
    #[error("{0}")]
    Input(String),
    /// An option has an unusable value. The command line shows the name as a flag.
    #[error("{}", stated(name, problem))]
    InvalidOption {
        /// The option's name in snake case: `max_length`.
        name: String,
        /// The problem, and the expected values.
        problem: String,
    },
    /// An environment variable has an unusable value.
    #[error("{name}: {problem}")]
    Variable {
        /// The variable.
        name: String,
        /// The problem, and the expected values.
        problem: String,
    },
    /// The requested device does not exist or failed.
    #[error("device \"{device}\": {problem}")]
    Device {
        /// The name of the device.
        device: String,
        /// The problem.
        problem: String,
    },
    /// A training run cannot continue.
    #[error("step {step}: {problem}")]
    Training {
        /// The step, counted from 1.
        step: u64,
        /// The problem, and what may help.
        problem: String,
    },
    /// The output could not be written.
    #[error("{name}: cannot write: {source}")]
    Output {
        /// The file's name or `<stdout>`.
        name: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// Joins a subject and the problem with it: with a colon, unless the problem is the rest of a sentence that starts with the
/// subject, such as "is empty".
pub fn stated(subject: impl Display, problem: &str) -> String {
    const VERBS: [&str; 8] = ["is", "has", "holds", "exists", "contains", "begins", "keeps", "claims"];
    let continues = problem.split_whitespace().next().is_some_and(|word| VERBS.contains(&word));
    format!("{subject}{} {problem}", if continues { "" } else { ":" })
}

/// Returns the location of a record: `a.jsonl:3`, or `a.json: record 3` for the source `a.json: record`.
pub fn location(source: &str, line: u64) -> String {
    let names_what = counted(source).is_some() || source.ends_with(", line");
    format!("{source}{}{line}", if names_what { ' ' } else { ':' })
}

/// Returns what the number of a record in this source counts, if not the lines of a file: `record` for the source
/// `a.json: record`.
pub(crate) fn counted(source: &str) -> Option<&'static str> {
    ["record", "question", "row"]
        .into_iter()
        .find(|what| source.strip_suffix(what).is_some_and(|rest| rest.ends_with(": ")))
}

/// Lists names, separated by commas. A name that contains a comma is in double quotes, as in the options that take lists.
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = |name: &str| match name.contains(',') {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    };
    names.into_iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Returns a number with its noun, which gets an "s" unless the number is 1: "1 file", "2 files".
pub fn count(number: impl Into<Number>, noun: &str) -> String {
    let Number(number) = number.into();
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A number of things.
#[derive(Clone, Copy, Debug)]
pub struct Number(u64);

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self(number as u64)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

/// Result type of the library.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an [`Error::Io`], for `map_err`.
    pub fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// Creates an [`Error::BadFile`].
    pub fn bad_file(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::BadFile { path: path.into(), problem: problem.into() }
    }

    /// Returns true if the reader of the output has closed it (`| head`), which counts as success for a filter.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_no_colon_after_its_subject() {
        assert_eq!(Error::bad_file("a.csv", "is empty").to_string(), "a.csv is empty");
        assert_eq!(Error::bad_file("a.csv", "isolated").to_string(), "a.csv: isolated");
        assert_eq!(Error::bad_file("a.csv", "no header").to_string(), "a.csv: no header");
        let key = Error::Config { path: "c.json".into(), key: "k".to_owned(), problem: "is 0".to_owned() };
        assert_eq!(key.to_string(), "c.json: key \"k\" is 0");
    }

    #[test]
    fn locations_count_lines_or_records() {
        assert_eq!(location("a.jsonl", 3), "a.jsonl:3");
        assert_eq!(location("a.json: record", 3), "a.json: record 3");
        assert_eq!(location("record", 3), "record:3");
    }

    #[test]
    fn names_with_commas_are_listed_in_quotes() {
        let labels = ["sport", "food, drink", "say \"a, b\""];
        assert_eq!(listed(labels), "sport, \"food, drink\", \"say \"\"a, b\"\"\"");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0usize, 1, 2].map(|n| count(n, "file")), ["0 files", "1 file", "2 files"]);
    }
}
