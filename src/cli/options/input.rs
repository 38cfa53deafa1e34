//! The source of records.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use albert::io::{Needed, Source};
use albert::tasks::FieldNames;
use albert::{Error, Result};

use crate::cli::args::common::InputArgs;

/// Returns the source of records: `arguments`, otherwise `--input`, otherwise standard input unless it is a terminal.
/// `what` names the arguments in messages.
///
/// # Errors
/// [`Error::InvalidOption`] if there is no input.
pub(crate) fn source(arguments: &[String], input: &[PathBuf], what: &str) -> Result<Source> {
    if !arguments.is_empty() {
        return Ok(Source::Arguments(arguments.to_vec()));
    }
    match &*expanded(input)? {
        [path] if path == Path::new("-") => Ok(Source::Stdin),
        [path] => Ok(Source::File(path.to_owned())),
        [] if std::io::stdin().is_terminal() => Err(Error::InvalidOption {
            name: what.to_owned(),
            problem: "no input: pass it as arguments, with --input FILE, or through a pipe".to_owned(),
        }),
        [] => Ok(Source::Stdin),
        paths => Ok(Source::Files(paths.to_vec())),
    }
}

/// Checks that texts on the command line come with what only JSON records could contain otherwise.
///
/// # Errors
/// [`Error::InvalidOption`] with this name and problem if they do not.
pub(crate) fn check_complete(texts: &[String], is_complete: bool, name: &str, problem: &str) -> Result<()> {
    if is_complete || texts.is_empty() {
        return Ok(());
    }
    Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
}

/// Expands names and patterns to files, for shells that do not expand patterns.
///
/// # Errors
/// [`Error::InvalidOption`] for a pattern without matches, and if standard input is given twice.
fn expanded(input: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let usage = |problem: String| Error::InvalidOption { name: "input".to_owned(), problem };
    let mut paths = Vec::new();
    for path in input {
        let pattern = path.to_str().filter(|name| name.contains(['*', '?', '[']) && !path.exists());
        let Some(pattern) = pattern else {
            paths.push(path.clone());
            continue;
        };
        let found = glob::glob(pattern).map_err(|e| usage(format!("{pattern}: {e}")))?;
        let before = paths.len();
        for path in found {
            let path = path.map_err(|e| Error::io(e.path().to_owned(), "read")(e.into()))?;
            paths.push(path);
        }
        if paths.len() == before {
            return Err(usage(format!("no file matches {pattern}")));
        }
    }
    if paths.iter().filter(|path| path.as_path() == Path::new("-")).count() > 1 {
        return Err(usage("standard input (-) can be read once only".to_owned()));
    }
    Ok(paths)
}

impl InputArgs {
    /// Returns the source of records.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is no input.
    pub(crate) fn source(&self) -> Result<Source> {
        source(&self.texts, &self.records.input, "TEXT")
    }

    /// Returns the columns that a table must have.
    pub(crate) fn needed(&self) -> Vec<Needed> {
        let mut needed = vec![Needed::new(&self.text_field, "text_field")];
        // A second text is optional, unless the user names its column.
        if self.pair_field != FieldNames::default().text_pair {
            needed.push(Needed::new(&self.pair_field, "pair_field"));
        }
        needed
    }

    /// Returns the names of the JSON fields.
    pub(crate) fn fields(&self) -> FieldNames {
        FieldNames { text: self.text_field.clone(), text_pair: self.pair_field.clone() }
    }
}

/// Returns the context given on the command line: from a file, from standard input, or as text.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if it is not UTF-8; [`Error::InvalidOption`] if both the context and the records
/// would be read from standard input.
pub(crate) fn context(file: Option<&Path>, text: Option<&str>, source: &Source) -> Result<Option<String>> {
    let Some(path) = file else { return Ok(text.map(str::to_owned)) };
    let from_stdin = path == Path::new("-");
    let takes_stdin = match source {
        Source::Stdin => true,
        Source::Files(paths) => paths.iter().any(|path| path == Path::new("-")),
        Source::File(_) | Source::Arguments(_) => false,
    };
    if from_stdin && takes_stdin {
        return Err(Error::InvalidOption {
            name: "context".to_owned(),
            problem:
                "- takes the context from standard input: pass the questions as arguments or with --input"
                    .to_owned(),
        });
    }
    albert::io::read_text(path).map(Some)
}
