//! A row of a table with types.

use std::sync::Arc;

use arrow_array::RecordBatch;

/// A row, which keeps the batch alive that it is part of.
#[derive(Clone, Debug)]
pub(in crate::io) struct TypedRow {
    /// The batch.
    pub(in crate::io) batch: Arc<RecordBatch>,
    /// The number of the row in the batch.
    pub(in crate::io) row: usize,
}
