//! Running the rows of many items through the model, batched by length.

use super::Task;
use crate::batch::batches;
use crate::error::Result;

/// Callback for a finished item: its index and the outputs of its rows.
pub type Done<'a, T> = dyn FnMut(usize, Vec<<T as Task>::Output>) -> Result<()> + 'a;

/// Runs the rows of all items, grouped by length, with at most `batch_tokens` padded tokens per forward pass. Items without
/// rows are finished first. `after_batch` is called after each forward pass.
///
/// # Errors
/// Errors of [`Task::forward`] and of `done`.
pub fn run_rows<T: Task>(
    task: &T,
    items: &[&T::Item],
    batch_tokens: usize,
    done: &mut Done<'_, T>,
    after_batch: &mut dyn FnMut(),
) -> Result<()> {
    let mut places = Vec::new();
    let mut lengths = Vec::new();
    let mut pending: Vec<Pending<T::Output>> = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let rows = task.rows(item);
        places.extend((0..rows.len()).map(|row| (i, row)));
        lengths.extend(rows.iter().map(|row| row.as_ref().ids.len()));
        pending.push(Pending::new(rows.len()));
    }
    for (i, pending) in pending.iter_mut().enumerate() {
        if let Some(outputs) = pending.complete() {
            done(i, outputs)?;
        }
    }
    for batch in batches(&lengths, batch_tokens) {
        let members: Vec<&T::Row> = batch
            .iter()
            .map(|&b| {
                let (i, row) = places[b];
                &task.rows(items[i])[row]
            })
            .collect();
        let outputs = task.forward(&members)?;
        for (&b, output) in batch.iter().zip(outputs) {
            let (i, row) = places[b];
            pending[i].put(row, output);
            if let Some(outputs) = pending[i].complete() {
                done(i, outputs)?;
            }
        }
        after_batch();
    }
    Ok(())
}

/// Collects the outputs of an item's rows.
struct Pending<O> {
    outputs: Vec<Option<O>>,
    missing: usize,
    done: bool,
}

impl<O> Pending<O> {
    fn new(rows: usize) -> Self {
        Self { outputs: (0..rows).map(|_| None).collect(), missing: rows, done: false }
    }

    fn put(&mut self, row: usize, output: O) {
        self.missing -= usize::from(self.outputs[row].replace(output).is_none());
    }

    /// Returns all outputs once none is missing.
    fn complete(&mut self) -> Option<Vec<O>> {
        (self.missing == 0 && !std::mem::replace(&mut self.done, true))
            .then(|| std::mem::take(&mut self.outputs).into_iter().flatten().collect())
    }
}
