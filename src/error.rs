//! The error type of the library.
//!
//! Every variant names the location (path, line, tensor, key or option) and suggests a remedy, so that the command line
//! only has to print it. Errors know nothing of terminals, exit codes or the spelling of flags: messages name an option
//! in words, as in "option text_field" or, with a value, "option device=flex".

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
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem, and what to do about it.
        problem: String,
    },
    /// A key of `config.json` has an unusable value.
    #[error("{}: key \"{key}\": {problem}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The offending key.
        key: String,
        /// The problem with its value, and the expected values.
        problem: String,
    },
    /// The tensors of a checkpoint do not fit the model.
    #[error("{}: {problem}", path.display())]
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
    #[error("{}:{line}: {problem}", source_name)]
    Record {
        /// The file's name, or `<stdin>`, or `<argument>`.
        source_name: String,
        /// Line number, from 1.
        line: u64,
        /// The problem with the record.
        problem: String,
    },
    /// Input that a task cannot use. The caller adds the location.
    #[error("{0}")]
    Input(String),
    /// An option has an unusable value. The command line shows the name as a flag.
    #[error("{name}: {problem}")]
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
