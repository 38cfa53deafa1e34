//! Writes rows to a Parquet file.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::infer::JsonType;
use super::{arrays, plain};
use crate::io::tables::typed_row::TypedRow;
use crate::io::tables::{Cell, Column, TableRow};

/// Number of rows that are converted to arrays at a time.
const BATCH_ROWS: usize = 1024;

/// Maximum size of the text in these rows, in bytes.
const BATCH_BYTES: usize = 8 << 20;

/// Limits of a row group, which stays in memory until it is complete.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_BYTES: usize = 32 << 20;

/// The columns of the file.
pub(in crate::io::tables) struct Plan<'a> {
    /// The names of the input columns, followed by those of the predictions and that of the errors.
    pub(in crate::io::tables) names: &'a [String],
    /// The number of input columns.
    pub(in crate::io::tables) inputs: usize,
    /// The types of the input columns, if the input is Parquet.
    pub(in crate::io::tables) schema: Option<&'a SchemaRef>,
    /// Rows from which the types are inferred otherwise.
    pub(in crate::io::tables) samples: &'a [TableRow],
    pub(in crate::io::tables) predictions: &'a [Column],
    pub(in crate::io::tables) with_errors: bool,
}

/// Columns of the input.
enum Inputs {
    /// Rows of Parquet files.
    Typed,
    /// JSON values, or cells of text.
    Json(Vec<(String, JsonType)>),
}

/// Converts rows to the bytes of a Parquet file.
pub(in crate::io::tables) struct ParquetWriter {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
    inputs: Inputs,
    predictions: Vec<Column>,
    with_errors: bool,
    rows: Vec<TableRow>,
    bytes: usize,
    /// Number of rows before these.
    written: u64,
}

impl ParquetWriter {
    /// Creates a file with these columns.
    ///
    /// # Errors
    /// A message for a type that Parquet does not have.
    pub(in crate::io::tables) fn new(plan: &Plan<'_>) -> Result<Self, String> {
        let (own, added) = plan.names.split_at(plan.inputs.min(plan.names.len()));
        let (inputs, mut fields, metadata) = match plan.schema {
            Some(schema) => {
                let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
                (Inputs::Typed, fields, schema.metadata().clone())
            }
            None => {
                let kinds: Vec<(String, JsonType)> =
                    own.iter().map(|name| (name.clone(), kind_of(name, plan.samples))).collect();
                let fields =
                    kinds.iter().map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect();
                (Inputs::Json(kinds), fields, Default::default())
            }
        };
        let kinds = plan.predictions.iter().map(|column| arrays::data_type(&column.kind));
        let kinds = kinds.chain(plan.with_errors.then_some(DataType::Utf8));
        fields.extend(added.iter().zip(kinds).map(|(name, kind)| Field::new(name, kind, true)));
        let schema: SchemaRef = Arc::new(Schema::new_with_metadata(fields, metadata));
        Ok(Self {
            writer: file(&schema)?,
            schema,
            inputs,
            predictions: plan.predictions.to_vec(),
            with_errors: plan.with_errors,
            rows: Vec::new(),
            bytes: 0,
            written: 0,
        })
    }

    /// Starts another file with the same columns, after the end of this one.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(in crate::io::tables) fn again(&mut self) -> Result<(), String> {
        self.writer = file(&self.schema)?;
        Ok(())
    }

    /// Adds a row. Appends the finished part of the file to `out`.
    ///
    /// # Errors
    /// A message for a value that does not fit its column.
    pub(in crate::io::tables) fn row(&mut self, row: TableRow, out: &mut Vec<u8>) -> Result<(), String> {
        self.bytes += row.fields.size();
        self.rows.push(row);
        if self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.write_rows()?;
            self.take(out)?;
        }
        Ok(())
    }

    /// Appends the rest of the file to `out`.
    ///
    /// # Errors
    /// Those of [`Self::row`].
    pub(in crate::io::tables) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let result = self.write_rows();
        self.writer.finish().map_err(plain)?;
        out.append(self.writer.inner_mut());
        result
    }

    fn take(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        self.writer.sync().map_err(|e| e.to_string())?;
        out.append(self.writer.inner_mut());
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), String> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let mut columns = match &self.inputs {
            Inputs::Typed => typed_columns(&rows)?,
            Inputs::Json(kinds) => json_columns(kinds, &rows, self.written)?,
        };
        for (i, column) in self.predictions.iter().enumerate() {
            let cells: Vec<&Cell> = rows
                .iter()
                .map(|row| row.cells.as_ref().ok().and_then(|cells| cells.get(i)).unwrap_or(&Cell::Null))
                .collect();
            columns.push(arrays::array(&column.kind, &cells)?);
        }
        if self.with_errors {
            let errors = rows.iter().map(|row| row.cells.as_ref().err());
            columns.push(Arc::new(errors.collect::<StringArray>()));
        }
        self.written += rows.len() as u64;
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(plain)?;
        self.writer.write(&batch).map_err(plain)
    }
}

/// Creates a file in memory.
fn file(schema: &SchemaRef) -> Result<ArrowWriter<Vec<u8>>, String> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("albert {}", env!("CARGO_PKG_VERSION")))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .build();
    ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(plain)
}

/// Returns the type of all values of a field in the rows. Cells of text are text.
fn kind_of(name: &str, rows: &[TableRow]) -> JsonType {
    let values = rows.iter().filter_map(|row| row.fields.raw(name));
    values.map(|value| JsonType::of(&json(value.get()))).fold(JsonType::Null, JsonType::with)
}

/// Parses a JSON text; returns it as a string if it is not strict JSON.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Returns the arrays of the input columns.
fn typed_columns(rows: &[TableRow]) -> Result<Vec<ArrayRef>, String> {
    let mut batches: Vec<&RecordBatch> = Vec::new();
    let mut places = Vec::with_capacity(rows.len());
    let mut last: Option<&Arc<RecordBatch>> = None;
    for row in rows {
        let Some(TypedRow { batch, row }) = row.fields.typed() else {
            return Err("rows of Parquet files cannot be joined with other records".to_owned());
        };
        if !last.is_some_and(|last| Arc::ptr_eq(last, batch)) {
            batches.push(batch);
            last = Some(batch);
        }
        places.push((batches.len() - 1, *row));
    }
    Ok(interleave_record_batch(&batches, &places).map_err(plain)?.columns().to_vec())
}

fn json_columns(
    kinds: &[(String, JsonType)],
    rows: &[TableRow],
    before: u64,
) -> Result<Vec<ArrayRef>, String> {
    kinds
        .iter()
        .map(|(name, kind)| {
            let values: Vec<Option<Value>> =
                rows.iter().map(|row| row.fields.raw(name).map(|value| json(value.get()))).collect();
            let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
            kind.array(&values).map_err(|(i, problem)| {
                format!(
                    "record {}: field \"{name}\" {problem}: types come from the first records (1000 at most); option format=jsonl \
                     takes any values",
                    before + i as u64 + 1
                )
            })
        })
        .collect()
}
