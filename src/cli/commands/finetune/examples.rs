//! The labelled data of a run: read, divided and encoded.

use std::path::Path;

use albert::data::{Examples, Loaded, Spool, Stored, hold_out};
use albert::training::finetune::{ExampleStore, TrainingExample};
use albert::{Error, Result};

use super::setup::Setup;

/// Reads `--train` and `--dev`, or splits `--train`. Examples with the same `key` stay together.
///
/// # Errors
/// Errors of the reader; [`Error::InvalidOption`] if one side of a split is empty.
pub(super) fn read<T: Stored + Clone>(
    setup: &Setup,
    reader: impl Fn(Spool<T>, &Path) -> Result<Loaded<Spool<T>>>,
    key: impl Fn(&T) -> String,
) -> Result<(Spool<T>, Option<Vec<T>>)> {
    let (common, reporter) = (setup.common, setup.reporter);
    let directory = common.output.as_path();
    let load =
        |path: &Path| -> Result<Spool<T>> { Ok(reporter.examples(reader(Spool::new(directory), path)?)) };
    let train = load(&common.train)?;
    if let Some(path) = &common.dev {
        let dev = load(path)?.iter().collect::<Result<_>>()?;
        return Ok((train, Some(dev)));
    }
    let Some(share) = common.dev_fraction else { return Ok((train, None)) };
    let all = train.count();
    let (train, dev) = hold_out(&train, directory, share, key)?;
    if dev.is_empty() || train.count() == 0 {
        return Err(Error::InvalidOption {
            name: "dev_fraction".to_owned(),
            problem: format!("{share} of {all} examples leaves none for one side"),
        });
    }
    reporter.note(&format!("holding out {} of {all} examples", dev.len()));
    Ok((train, Some(dev)))
}

/// Encodes the training examples into a temporary file in the output directory.
///
/// # Errors
/// Errors of `encode` and of the file.
pub(super) fn encoded<T: Stored + Clone>(
    setup: &Setup,
    examples: &Spool<T>,
    encode: impl Fn(&[T]) -> Result<Vec<TrainingExample>>,
) -> Result<ExampleStore> {
    ExampleStore::encoded(&setup.common.output, examples.iter(), encode)
}
