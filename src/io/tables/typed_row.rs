//! Rows of typed tables.

use std::sync::Arc;

use arrow_array::RecordBatch;

/// A row. It keeps its batch alive.
#[derive(Clone, Debug)]
pub(in crate::io) struct TypedRow {
    /// The batch.
    pub(in crate::io) batch: Arc<RecordBatch>,
    /// The index of the row in the batch.
    pub(in crate::io) row: usize,
}
