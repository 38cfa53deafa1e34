//! Reads rows of a Parquet file as records. Tasks receive the values of a row as JSON; the row itself is kept for Parquet
//! output.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::writer::{EncoderOptions, make_encoder};
use arrow_schema::{FieldRef, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::plain;
use crate::guard::caught;
use crate::io::fields::{Fields, JsonText};
use crate::io::part::Shard;
use crate::io::tables::typed_row::TypedRow;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 256;

/// The problem with files that the library fails to decode.
const DAMAGED: &str = "is damaged: its data cannot be decoded";

/// A Parquet file whose schema has been read.
pub(in crate::io::tables) struct ParquetInput {
    reader: ParquetRecordBatchReader,
    pub(in crate::io::tables) schema: SchemaRef,
    /// Number of rows before the first one that is read.
    before: u64,
}

impl ParquetInput {
    /// Opens a file, or the row groups of a shard: those that start in its share of the rows. Pages are read on demand.
    ///
    /// # Errors
    /// The problem with the file.
    pub(in crate::io::tables) fn open(file: File, shard: Option<Shard>) -> Result<Self, String> {
        guarded(|| {
            let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
                .map_err(|e| format!("is not a Parquet file that can be read: {}", plain(e)))?;
            let schema = builder.schema().clone();
            let mut before = 0;
            if let Some(shard) = shard {
                let rows = builder.metadata().row_groups().iter().map(|group| group.num_rows().max(0) as u64);
                let (groups, first) = groups_of(shard, &rows.collect::<Vec<_>>());
                builder = builder.with_row_groups(groups);
                before = first;
            }
            let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(plain)?;
            Ok(Self { reader, schema, before })
        })
    }

    /// Returns the names of the columns.
    pub(in crate::io::tables) fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Calls `record` with each row and its number, counted from 1, until it returns false.
    ///
    /// # Errors
    /// The problem with the file.
    pub(in crate::io::tables) fn read(
        mut self,
        names: &[String],
        record: &mut dyn FnMut(u64, Fields) -> bool,
    ) -> Result<(), String> {
        let mut number = self.before;
        loop {
            let decoded = guarded(|| match self.reader.next() {
                None => Ok(None),
                Some(Err(e)) => Err(format!("after row {number}: {}", plain(e))),
                Some(Ok(batch)) => json_rows(&batch).map(|rows| Some((Arc::new(batch), rows))),
            })?;
            let Some((batch, rows)) = decoded else { return Ok(()) };
            for (row, values) in rows.into_iter().enumerate() {
                number += 1;
                let typed = TypedRow { batch: batch.clone(), row };
                if !record(number, Fields::of_typed(names, values, typed)) {
                    return Ok(());
                }
            }
        }
    }
}

/// Returns the row groups of a shard, given the number of rows in each group, and the number of rows before them.
fn groups_of(shard: Shard, rows: &[u64]) -> (Vec<usize>, u64) {
    let within = shard.bounds(rows.iter().sum());
    let starts: Vec<u64> = rows
        .iter()
        .scan(0, |next, rows| {
            *next += rows;
            Some(*next - rows)
        })
        .collect();
    let groups: Vec<usize> = (0..rows.len()).filter(|i| within.contains(&starts[*i])).collect();
    let before = groups.first().map_or(0, |first| starts[*first]);
    (groups, before)
}

/// Runs a part of the library, which may panic on damaged files.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    caught(work).unwrap_or_else(|| Err(DAMAGED.to_owned()))
}

/// Returns the values of each row as JSON. Non-finite numbers become null.
fn json_rows(batch: &RecordBatch) -> Result<Vec<Vec<JsonText>>, String> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let mut rows: Vec<Vec<JsonText>> =
        (0..batch.num_rows()).map(|_| Vec::with_capacity(batch.num_columns())).collect();
    for (field, column) in columns {
        let field: &FieldRef = field;
        let mut encoder = make_encoder(field, column.as_ref(), &options)
            .map_err(|e| format!("column \"{}\": {}", field.name(), plain(e)))?;
        for (i, row) in rows.iter_mut().enumerate() {
            let mut text = Vec::new();
            if encoder.is_null(i) {
                text.extend_from_slice(b"null");
            } else {
                encoder.encode(i, &mut text);
            }
            let text = String::from_utf8(text).map_err(|e| format!("column \"{}\": {e}", field.name()))?;
            row.push(JsonText::new(text));
        }
    }
    Ok(rows)
}

/// Checks that two files have the same types.
pub(in crate::io::tables) fn check_same(
    first: Option<&SchemaRef>,
    first_path: &Path,
    other: Option<&SchemaRef>,
) -> Result<(), String> {
    let (first, other) = match (first, other) {
        (Some(first), Some(other)) => (first, other),
        (None, None) => return Ok(()),
        _ => return Err(format!("and {} differ in kind; read Parquet and text apart", first_path.display())),
    };
    for (a, b) in first.fields().iter().zip(other.fields()) {
        if a.data_type() != b.data_type() {
            return Err(format!(
                "column \"{}\" has the type {}, but in {} the type {}; files that are read together have the same types",
                b.name(),
                b.data_type(),
                first_path.display(),
                a.data_type()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_row_group_once() {
        for rows in [&[][..], &[5], &[5, 0, 3], &[1, 100, 1, 1], &[10; 7]] {
            for count in 1..12 {
                let shards = (1..=count).map(|index| groups_of(Shard { index, count }, rows));
                let mut all = Vec::new();
                for (groups, before) in shards {
                    if let Some(first) = groups.first() {
                        assert_eq!(before, rows[..*first].iter().sum::<u64>());
                    }
                    all.extend(groups);
                }
                assert_eq!(all, (0..rows.len()).collect::<Vec<_>>(), "{rows:?} in {count}");
            }
        }
    }
}
