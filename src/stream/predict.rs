//! Running a task without a stream.

use super::{Finite, NOT_FINITE, Task, run_rows};
use crate::error::{Error, Result};

/// The problem of a task that returns no prediction.
const NO_OUTPUT: &str = "the model gave no output";

/// Runs a task on one item, without a stream.
///
/// # Errors
/// Errors of [`Task::forward`] and [`Task::decode`].
pub fn predict<T: Task>(task: &T, item: &T::Item, batch_tokens: usize) -> Result<T::Prediction> {
    let mut predictions = predict_all(task, &[item], batch_tokens)?;
    predictions.pop().ok_or_else(|| Error::Input(NO_OUTPUT.to_owned()))
}

/// Runs a task on several items, without a stream. Rows of similar length share batches. Predictions are in the order of
/// the items.
///
/// # Errors
/// Same as [`predict`].
pub fn predict_all<T: Task>(task: &T, items: &[&T::Item], batch_tokens: usize) -> Result<Vec<T::Prediction>> {
    let mut predictions: Vec<Option<T::Prediction>> = items.iter().map(|_| None).collect();
    run_rows(
        task,
        items,
        batch_tokens,
        &mut |i, outputs| {
            if !outputs.iter().all(Finite::is_finite) {
                return Err(Error::Input(NOT_FINITE.to_owned()));
            }
            predictions[i] = Some(task.decode(items[i], outputs)?);
            Ok(())
        },
        &mut || (),
    )?;
    let found = predictions.into_iter();
    found.map(|prediction| prediction.ok_or_else(|| Error::Input(NO_OUTPUT.to_owned()))).collect()
}
