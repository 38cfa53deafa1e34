//! The one error type of the library.
//!
//! Every variant carries the place (path, line, tensor, key or flag) and says what to do, so that
//! the command line only has to print it. Nothing here knows of terminals or exit codes.

use std::path::PathBuf;

/// What can go wrong in `albert`, with where it went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: "read", "create", "rename", ...
        action: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A file exists but is not what its name or its place promises.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A key of `config.json` has a value that cannot be used.
    #[error("{}: key \"{key}\": {problem}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The offending key.
        key: String,
        /// What is wrong with its value, and what would be right.
        problem: String,
    },
    /// The tensors of a checkpoint do not fit the model.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The checkpoint directory or file.
        path: PathBuf,
        /// Which tensors, and the nearest names found.
        problem: String,
    },
    /// No checkpoint could be found under the name given.
    #[error("model \"{model}\": {problem}")]
    Model {
        /// What the user named.
        model: String,
        /// What was looked for where, and what to do.
        problem: String,
    },
    /// The model hub could not deliver a file.
    #[error("model \"{model}\": {url}: {problem}")]
    Hub {
        /// The hub id.
        model: String,
        /// The address asked.
        url: String,
        /// What the hub answered, and what to do.
        problem: String,
    },
    /// One input record cannot be processed.
    #[error("{}:{line}: {problem}", source_name)]
    Record {
        /// The file's name, or `<stdin>`, or `<argument>`.
        source_name: String,
        /// Line number, from 1.
        line: u64,
        /// What is wrong with the record.
        problem: String,
    },
    /// Input text that the task cannot use (no place known yet).
    #[error("{0}")]
    Input(String),
    /// A flag or an environment variable has a value that cannot be used.
    #[error("{flag}: {problem}")]
    Usage {
        /// The flag or the variable, as typed.
        flag: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The device asked for is not there or failed.
    #[error("device \"{device}\": {problem}")]
    Device {
        /// The device, as named on the command line.
        device: String,
        /// What was found instead.
        problem: String,
    },
    /// A training run cannot go on.
    #[error("step {step}: {problem}")]
    Training {
        /// The step, counted from 1.
        step: u64,
        /// What happened, and what may help.
        problem: String,
    },
    /// The output could not be written.
    #[error("{name}: cannot write: {source}")]
    Output {
        /// The file's name or `<stdout>`.
        name: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Io`] maker for `map_err`.
    pub fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// An [`Error::BadFile`].
    pub fn bad_file(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::BadFile { path: path.into(), problem: problem.into() }
    }

    /// True when the reader of our output went away (`| head`): a quiet success for a filter.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
