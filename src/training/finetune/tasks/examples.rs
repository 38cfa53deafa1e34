//! The labelled data of a run: reading, splitting and encoding.

use std::path::Path;

use crate::data::{Examples, Loaded, Spool, Stored, hold_out};
use crate::error::{Error, Result, count};
use crate::training::finetune::objective::TrainingExample;
use crate::training::finetune::observer::FineTuneObserver;
use crate::training::finetune::options::Dev;
use crate::training::finetune::setup::Setup;
use crate::training::finetune::store::ExampleStore;

/// Reads the training examples, and dev from its file or by splitting them. Examples with the same `key` stay together.
///
/// # Errors
/// Errors of the reader; [`Error::InvalidOption`] if one side of a split is empty.
pub(super) fn read<T: Stored + Clone>(
    setup: &Setup,
    reader: impl Fn(Spool<T>, &Path) -> Result<Loaded<Spool<T>>>,
    key: impl Fn(&T) -> String,
    observer: &mut dyn FineTuneObserver,
) -> Result<(Spool<T>, Option<Vec<T>>)> {
    let options = setup.options;
    let directory = options.output.as_path();
    let mut load = |path: &Path| -> Result<Spool<T>> {
        let loaded = reader(Spool::new(directory), path)?;
        loaded.notes.iter().for_each(|note| observer.noted(note));
        loaded.warnings.iter().for_each(|warning| observer.warned(warning));
        Ok(loaded.examples)
    };
    let train = load(&options.train)?;
    let share = match &options.dev {
        Dev::None => return Ok((train, None)),
        Dev::File(path) => {
            let dev = load(path)?.iter().collect::<Result<_>>()?;
            return Ok((train, Some(dev)));
        }
        Dev::Fraction(share) => *share,
    };
    let all = train.count();
    let (train, dev) = hold_out(&train, directory, share, key)?;
    if dev.is_empty() || train.count() == 0 {
        let side = if dev.is_empty() { "dev" } else { "training" };
        return Err(Error::InvalidOption {
            name: "dev_fraction".to_owned(),
            problem: format!("{share} of {} leaves no {side} example", count(all, "example")),
        });
    }
    observer.held_out(dev.len(), all);
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
    ExampleStore::encoded(&setup.options.output, examples.iter(), encode)
}
