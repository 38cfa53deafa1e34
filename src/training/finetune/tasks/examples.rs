//! The labelled data of a run: reading, splitting and encoding.

use std::path::Path;

use serde::Serialize;

use crate::data::{BadRecords, Examples, Loaded, OnBadRecord, Spool, Stored, hold_out};
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

/// Returns a fingerprint of examples that does not depend on their locations.
pub(super) fn digest<T: Serialize>(examples: &[T]) -> u32 {
    examples.iter().fold(0, |before, example| {
        let mut value = serde_json::to_value(example).unwrap_or_default();
        value.as_object_mut().map(|fields| fields.remove("place"));
        crc32c::crc32c_append(before, value.to_string().as_bytes())
    })
}

/// Encodes the training examples into a temporary file in the output directory.
///
/// # Errors
/// Errors of `examples`, of `encode` and of the file.
pub(super) fn encoded<T>(
    setup: &Setup,
    examples: impl IntoIterator<Item = Result<T>>,
    encode: impl Fn(&[T]) -> Result<Vec<TrainingExample>>,
) -> Result<ExampleStore> {
    ExampleStore::encoded(&setup.options.output, examples, encode)
}

/// Examples whose labels are known. With option `on_error`, others are skipped.
pub(super) struct Known<C> {
    /// Checks the labels of an example.
    check: C,
    on_error: Option<OnBadRecord>,
}

impl<C> Known<C> {
    pub(super) fn new(on_error: Option<OnBadRecord>, check: C) -> Self {
        Self { check, on_error }
    }

    /// Encodes the training examples with known labels, as [`encoded`] does.
    ///
    /// # Errors
    /// Errors of [`encoded`]; the error of an unknown label; [`Error::BadFile`] if every example is skipped.
    pub(super) fn encoded<T: Stored + Clone>(
        &self,
        setup: &Setup,
        train: &Spool<T>,
        encode: impl Fn(&[T]) -> Result<Vec<TrainingExample>>,
        observer: &mut dyn FineTuneObserver,
    ) -> Result<ExampleStore>
    where
        C: Fn(&T) -> Result<()>,
    {
        let mut bad = BadRecords::new(self.on_error);
        let examples = encoded(setup, bad.filter(train.iter(), &self.check), encode)?;
        report(&bad, &setup.options.train, examples.len(), observer)?;
        Ok(examples)
    }

    /// Returns the dev examples with known labels.
    ///
    /// # Errors
    /// The error of an unknown label; [`Error::BadFile`] if every example is skipped.
    pub(super) fn dev<T>(
        &self,
        setup: &Setup,
        dev: Vec<T>,
        observer: &mut dyn FineTuneObserver,
    ) -> Result<Vec<T>>
    where
        C: Fn(&T) -> Result<()>,
    {
        let mut bad = BadRecords::new(self.on_error);
        let known: Vec<T> = bad.filter(dev.into_iter().map(Ok), &self.check).collect::<Result<_>>()?;
        let path = match &setup.options.dev {
            Dev::File(path) => path,
            Dev::None | Dev::Fraction(_) => &setup.options.train,
        };
        report(&bad, path, known.len(), observer)?;
        Ok(known)
    }
}

/// Reports skipped examples.
///
/// # Errors
/// [`Error::BadFile`] if no example is left.
fn report(bad: &BadRecords, path: &Path, left: usize, observer: &mut dyn FineTuneObserver) -> Result<()> {
    let Some(message) = bad.message(path) else { return Ok(()) };
    observer.warned(&message);
    match left {
        0 => Err(Error::bad_file(path, "has no example with a known label")),
        _ => Ok(()),
    }
}
