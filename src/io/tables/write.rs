//! Writes a table: the header, then the rows.

use std::borrow::Cow;
use std::sync::Arc;

use super::delimited::{is_unfit, plain, push_row};
use super::layout::{HEADER_RECORDS, add_names, determines_columns};
#[cfg(feature = "parquet")]
use super::parquet::{ParquetWriter, Plan};
use super::{Cell, Delimited, ERROR, PREFIX, TableColumns, TableLayout, TableRow};
use crate::io::fields::{Fields, JsonText};

/// Converts rows to the bytes of a table.
pub(in crate::io) struct TableWriter {
    layout: TableLayout,
    state: State,
    rows: u64,
}

enum State {
    /// The input columns are not known yet: the waiting rows, and their size.
    Open(Vec<TableRow>, usize),
    /// The input columns are known.
    Begun(Arc<[String]>, Encoder),
}

enum Encoder {
    Text(Delimited),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetWriter>),
}

impl TableWriter {
    /// Creates a table. Appends the header to `out` if all columns are known.
    ///
    /// # Errors
    /// A message for a name that the table cannot contain, and for a kind that this build cannot write.
    pub(in crate::io) fn new(mut layout: TableLayout, out: &mut Vec<u8>) -> Result<Self, String> {
        let input = layout.input.take();
        let mut table = Self { layout, state: State::Open(Vec::new(), 0), rows: 0 };
        if let Some(columns) = input {
            table.begin(columns, &[], out)?;
        }
        Ok(table)
    }

    /// Creates the continuation of a table that has `rows` rows under `header`.
    ///
    /// # Errors
    /// A message if this table would have a different header.
    pub(in crate::io) fn continued(
        mut layout: TableLayout,
        header: &[String],
        rows: u64,
    ) -> Result<Self, String> {
        let own = layout.predictions.len() + usize::from(layout.with_errors);
        let inputs: Arc<[String]> = match layout.input.take() {
            Some(columns) => columns.names,
            None => header[..header.len().saturating_sub(own)].into(),
        };
        let expected = all_names(&inputs, &layout);
        let (Some(kind), true) = (layout.kind.delimited(), expected == header) else {
            return Err(format!(
                "the interrupted run wrote the columns {}, and this run would write {}",
                header.join(", "),
                expected.join(", ")
            ));
        };
        Ok(Self { layout, state: State::Begun(inputs, Encoder::Text(kind)), rows })
    }

    /// Starts another table with the same columns, after the end of this one.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(in crate::io) fn again(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        match &mut self.state {
            State::Open(..) => Ok(()),
            State::Begun(columns, Encoder::Text(kind)) => {
                let names = all_names(columns, &self.layout);
                push_row(*kind, names.iter().map(|name| Cow::Borrowed(name.as_str())), out);
                Ok(())
            }
            #[cfg(feature = "parquet")]
            State::Begun(_, Encoder::Parquet(writer)) => writer.again(),
        }
    }

    /// Appends a row to `out`, or keeps it until the header is known.
    ///
    /// # Errors
    /// A message for a field that is not among the columns.
    pub(in crate::io) fn row(&mut self, row: TableRow, out: &mut Vec<u8>) -> Result<(), String> {
        let State::Open(waiting, bytes) = &mut self.state else { return self.encode(row, out) };
        let known = determines_columns(&row, waiting.len(), bytes);
        waiting.push(row);
        if known { self.settle(out) } else { Ok(()) }
    }

    /// Appends the rest of the table to `out`.
    ///
    /// # Errors
    /// A message for a name that the table cannot contain, and for a value that does not fit its column.
    pub(in crate::io) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        if matches!(self.state, State::Open(..)) {
            self.settle(out)?;
        }
        match &mut self.state {
            #[cfg(feature = "parquet")]
            State::Begun(_, Encoder::Parquet(writer)) => writer.end(out),
            State::Begun(_, Encoder::Text(_)) | State::Open(..) => Ok(()),
        }
    }

    /// Creates the header from the waiting rows, in order of the first appearance of their fields.
    fn settle(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let State::Open(waiting, _) = &mut self.state else { return Ok(()) };
        let waiting = std::mem::take(waiting);
        let mut names = Vec::new();
        waiting.iter().for_each(|row| add_names(row, &mut names));
        self.begin(TableColumns::of_text(names), &waiting, out)?;
        waiting.into_iter().try_for_each(|row| self.encode(row, out))
    }

    /// Starts the table. If the input has no types, they are inferred from `samples`.
    fn begin(
        &mut self,
        columns: TableColumns,
        samples: &[TableRow],
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let names = all_names(&columns.names, &self.layout);
        let encoder = match self.layout.kind.delimited() {
            Some(kind) => {
                if kind == Delimited::Tsv
                    && let Some(name) = names.iter().find(|name| is_unfit(name))
                {
                    return Err(format!(
                        "the name of column {name:?} has a tab or a line break, which TSV cannot hold; option format=csv \
                         can"
                    ));
                }
                push_row(kind, names.iter().map(|name| Cow::Borrowed(name.as_str())), out);
                Encoder::Text(kind)
            }
            None => self.typed_encoder(&names, &columns, samples)?,
        };
        self.state = State::Begun(columns.names, encoder);
        Ok(())
    }

    #[cfg(feature = "parquet")]
    fn typed_encoder(
        &self,
        names: &[String],
        columns: &TableColumns,
        samples: &[TableRow],
    ) -> Result<Encoder, String> {
        let plan = Plan {
            names,
            inputs: columns.names.len(),
            schema: columns.schema.as_ref(),
            samples,
            predictions: &self.layout.predictions,
            with_errors: self.layout.with_errors,
        };
        Ok(Encoder::Parquet(Box::new(ParquetWriter::new(&plan)?)))
    }

    #[cfg(not(feature = "parquet"))]
    fn typed_encoder(&self, _: &[String], _: &TableColumns, _: &[TableRow]) -> Result<Encoder, String> {
        Err("this albert was built without the feature parquet".to_owned())
    }

    fn encode(&mut self, row: TableRow, out: &mut Vec<u8>) -> Result<(), String> {
        let State::Begun(columns, encoder) = &mut self.state else { return Ok(()) };
        self.rows += 1;
        let values = values(columns, &row.fields).map_err(|name| {
            format!(
                "record {}: field \"{name}\" has no column: the header was made from the first records ({HEADER_RECORDS} \
                 at most), which do not have it; option format=jsonl takes any fields",
                self.rows
            )
        })?;
        match encoder {
            Encoder::Text(kind) => encode_text(&self.layout, *kind, &values, &row.cells, out),
            #[cfg(feature = "parquet")]
            Encoder::Parquet(writer) => writer.row(row, out),
        }
    }
}

/// Appends a row of text to `out`.
fn encode_text(
    layout: &TableLayout,
    kind: Delimited,
    values: &[Option<&JsonText>],
    predictions: &Result<Vec<Cell>, String>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let mut cells: Vec<Cow<'_, str>> =
        values.iter().map(|value| value.map_or(Cow::Borrowed(""), |v| plain(v.get()))).collect();
    match predictions {
        Ok(predictions) => {
            for (cell, column) in predictions.iter().zip(&layout.predictions) {
                cells.push(Cow::Owned(cell.plain(&column.kind).map_err(|e| e.to_string())?));
            }
        }
        Err(_) => cells.extend(layout.predictions.iter().map(|_| Cow::Borrowed(""))),
    }
    if layout.with_errors {
        let error = predictions.as_ref().err().map_or("", String::as_str);
        cells.push(match kind {
            Delimited::Tsv => Cow::Owned(error.replace(['\t', '\n', '\r'], " ")),
            Delimited::Csv | Delimited::Separated(_) => Cow::Borrowed(error),
        });
    }
    push_row(kind, cells.into_iter(), out);
    Ok(())
}

/// Returns the names of all columns. A prediction never takes the name of an input column.
fn all_names(input: &[String], layout: &TableLayout) -> Vec<String> {
    let mut names = input.to_vec();
    let error = layout.with_errors.then_some(ERROR);
    for name in layout.predictions.iter().map(|column| column.name.as_str()).chain(error) {
        let mut name = name.to_owned();
        while names.contains(&name) {
            name.insert_str(0, PREFIX);
        }
        names.push(name);
    }
    names
}

/// Returns the value of each column, or the name of a field that is not a column.
fn values<'a>(columns: &[String], fields: &'a Fields) -> Result<Vec<Option<&'a JsonText>>, String> {
    let mut values = vec![None; columns.len()];
    for (i, (name, value)) in fields.iter().enumerate() {
        // Most fields are at the position of their column.
        let place = match columns.get(i) {
            Some(column) if column == name => i,
            _ => columns.iter().position(|column| column == name).ok_or_else(|| name.to_owned())?,
        };
        values[place] = Some(value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tables::{Column, ColumnType, TableKind};

    fn layout(kind: TableKind, input: Option<&[&str]>) -> TableLayout {
        TableLayout {
            kind,
            input: input.map(|names| {
                TableColumns::of_text(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            }),
            predictions: vec![
                Column::new("label", ColumnType::Text),
                Column::new("score", ColumnType::Float),
            ],
            with_errors: true,
        }
    }

    fn row(json: &str, label: &str) -> TableRow {
        let cells = if label.is_empty() {
            Err("failed,\there".to_owned())
        } else {
            Ok(vec![Cell::Text(label.to_owned()), Cell::Float(0.5)])
        };
        TableRow { fields: Fields::parse(json).expect("an object"), cells, is_text: false }
    }

    fn table(layout: TableLayout, rows: Vec<TableRow>) -> Result<String, String> {
        let mut out = Vec::new();
        let mut table = TableWriter::new(layout, &mut out)?;
        for row in rows {
            table.row(row, &mut out)?;
        }
        table.end(&mut out)?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn the_header_is_made_from_the_first_records() {
        let rows = vec![
            row(r#"{"text":"a","id":1}"#, "x"),
            row(r#"{"line":3}"#, ""),
            row(r#"{"id":null,"more":{"k":[1.0]},"text":"b \"c\""}"#, "y"),
        ];
        assert_eq!(
            table(layout(TableKind::Csv, None), rows).as_deref(),
            Ok(
                "text,id,line,more,label,score,error\na,1,,,x,0.5,\n,,3,,,,\"failed,\there\"\n\"b \"\"c\"\"\",,,\
                \"{\"\"k\"\":[1.0]}\",y,0.5,\n"
            )
        );
        assert_eq!(table(layout(TableKind::Tsv, None), Vec::new()).as_deref(), Ok("label\tscore\terror\n"));
    }

    #[test]
    fn no_field_is_lost() {
        let mut rows: Vec<TableRow> = (0..HEADER_RECORDS).map(|_| row(r#"{"text":"a"}"#, "x")).collect();
        rows.push(row(r#"{"text":"a","late":1}"#, "x"));
        let error = table(layout(TableKind::Csv, None), rows).expect_err("a late field");
        assert!(error.starts_with("record 1001: field \"late\" has no column"), "{error}");
    }

    #[test]
    fn names_of_the_input_stay() {
        let input = ["score", "text", "label", "albert_label"];
        let rows = vec![row(r#"{"score":7,"text":"a","label":"b","albert_label":"c"}"#, "x")];
        assert_eq!(
            table(layout(TableKind::Csv, Some(&input)), rows).as_deref(),
            Ok("score,text,label,albert_label,albert_albert_label,albert_score,error\n7,a,b,c,x,0.5,\n")
        );
    }

    #[test]
    fn a_table_is_continued_under_its_header() {
        let header = ["text", "error", "label", "score", "albert_error"].map(str::to_owned);
        let mut out = Vec::new();
        let mut table = TableWriter::continued(layout(TableKind::Csv, None), &header, 7).expect("continues");
        table.row(row(r#"{"error":1,"text":"a"}"#, "x"), &mut out).expect("fits");
        table.again(&mut out).expect("begins");
        let late = table.row(row(r#"{"late":1}"#, "x"), &mut out).expect_err("a late field");
        assert!(late.starts_with("record 9: field \"late\""), "{late}");
        let expected = "a,1,x,0.5,\ntext,error,label,score,albert_error\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        let other = layout(TableKind::Csv, Some(&["text"]));
        assert!(TableWriter::continued(other, &header, 7).is_err());
        let short = ["label", "score"].map(str::to_owned);
        assert!(TableWriter::continued(layout(TableKind::Tsv, None), &short, 7).is_err());
    }

    #[test]
    fn what_tsv_cannot_hold() {
        let tsv = layout(TableKind::Tsv, None);
        let problem = row(r#"{"text":"a\tb"}"#, "x").reason_unsupported(&tsv).unwrap_or_default();
        assert!(problem.starts_with("column \"text\" has a tab"), "{problem}");
        let problem = row(r#"{"text":"a"}"#, "x\ny").reason_unsupported(&tsv).unwrap_or_default();
        assert!(problem.starts_with("column \"label\" has a tab"), "{problem}");
        assert_eq!(row(r#"{"text":"\"a, b\"","n":{"c":"\t"}}"#, "x").reason_unsupported(&tsv), None);
        assert_eq!(row(r#"{"text":"a\tb"}"#, "x").reason_unsupported(&layout(TableKind::Csv, None)), None);
        let rows = vec![row(r#"{"text":"a\tb","id":1}"#, "")];
        let text = "text\tid\tlabel\tscore\terror\n\t1\t\t\tfailed, here\n";
        assert_eq!(table(tsv.clone(), rows).as_deref(), Ok(text));
        assert!(table(tsv, vec![row(r#"{"a\tb":1}"#, "x")]).is_err());
    }
}
