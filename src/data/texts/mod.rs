//! Texts and pairs of texts with labels or scores: JSON lines, CSV and TSV.
//!
//! In addition to the default field names, this recognizes the names of GLUE (Wang et al. 2019) in its TSV files, in
//! transformers' `run_glue.py` and in the JSON lines of SNLI and MNLI, and CoLA's files without a header.

mod columns;
mod glue;
mod target;

use std::path::Path;

use serde_json::Value;

use super::bad_records::{BadRecords, OnBadRecord};
use super::example::{Loaded, Target, TextExample};
use super::examples::Examples;
use super::format::DataFormat;
use super::ids::Ids;
use super::objects::{Object, objects};
use super::row::{Header, Row};
use super::source::Source;
use super::table::{Dialect, Rows};
use crate::error::Result;
use columns::{Columns, FieldKind};
use glue::GlueTable;

/// Kind of target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum TargetKind {
    /// One label per text.
    #[default]
    #[cfg_attr(feature = "cli", value(help = "One label (also named single-label or single_label_classification)", aliases = ["single-label", "single_label_classification"]))]
    Label,
    /// Any number of labels per text.
    #[cfg_attr(feature = "cli", value(help = "Any number of labels (also named multi-label or multi_label_classification)", aliases = ["multi-label", "multi_label_classification"]))]
    Labels,
    /// A score per text.
    #[cfg_attr(feature = "cli", value(help = "A number (also named regression)", alias = "regression"))]
    Number,
}

/// Options for reading texts. If the name of a field has its default value, GLUE's names are accepted, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// The format of the data.
    pub format: DataFormat,
    /// Name of the field with the text.
    pub text: String,
    /// Name of the field with the second text.
    pub text_pair: String,
    /// Name of the field with the label. For scores, it is only used if there is no field `score`.
    pub label: String,
    /// Name of the field with scores.
    pub score: String,
    /// Name of the field with the id.
    pub id: String,
    /// Kind of target.
    pub kind: TargetKind,
    /// Separator of the labels in a cell.
    pub separator: String,
    /// Columns of 0 and 1, one per label. They replace `label` if given.
    pub label_columns: Vec<String>,
    /// True if examples without a target are accepted.
    pub unlabelled: bool,
    /// How to handle invalid records. `None`: rows of GLUE's own files are skipped, and all other records are errors.
    pub on_error: Option<OnBadRecord>,
}

impl TextOptions {
    /// The formats of texts.
    pub const FORMATS: [DataFormat; 3] = [DataFormat::Jsonl, DataFormat::Csv, DataFormat::Tsv];
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            text: "text".to_owned(),
            text_pair: "text_pair".to_owned(),
            label: "label".to_owned(),
            score: "score".to_owned(),
            id: "id".to_owned(),
            kind: TargetKind::Label,
            separator: "|".to_owned(),
            label_columns: Vec::new(),
            unlabelled: false,
            on_error: None,
        }
    }
}

/// Reads texts from a file, or from standard input for `-`.
///
/// Examples whose `gold_label` is `-` (SNLI, MNLI: no agreement among annotators) are skipped and counted.
///
/// # Errors
/// [`crate::Error::Record`] for the first invalid record; [`crate::Error::BadFile`] for a file without examples or in an
/// unknown format; [`crate::Error::InvalidOption`] for inconsistent options; [`crate::Error::Io`].
pub fn read_texts(path: &Path, options: &TextOptions) -> Result<Loaded<Vec<TextExample>>> {
    read_texts_into(Vec::new(), path, options)
}

/// Adds texts to `examples`, which must be empty. See [`read_texts`].
///
/// # Errors
/// Same as [`read_texts`]; also if `examples` is full.
pub fn read_texts_into<E: Examples<TextExample>>(
    examples: E,
    path: &Path,
    options: &TextOptions,
) -> Result<Loaded<E>> {
    options.format.check(&TextOptions::FORMATS)?;
    columns::check_options(options)?;
    read(examples, Source::open(path)?, options)
}

fn read<E: Examples<TextExample>>(examples: E, source: Source, options: &TextOptions) -> Result<Loaded<E>> {
    let path = source.path().to_owned();
    let bad = BadRecords::new(options.on_error);
    let ids = Ids::new(examples.directory());
    let mut reading = Reading { options, loaded: Loaded::new(examples), ids, bad };
    if !source.is_blank() {
        match options.format.resolve(&source, &TextOptions::FORMATS, guess)? {
            DataFormat::Csv => reading.table(source, Dialect::Csv)?,
            DataFormat::Tsv => reading.table(source, Dialect::Tsv)?,
            _ => {
                for object in objects(source.past_bad_lines(reading.bad.skips())) {
                    reading.keep(object.and_then(|object| from_object(object, options)))?;
                }
            }
        }
    }
    let Reading { mut loaded, ids, mut bad, .. } = reading;
    ids.settle(&mut loaded, &mut bad)?;
    loaded.settled(&path, "the annotators did not agree on a label", &bad)
}

fn guess(name: Option<DataFormat>, head: &[u8]) -> Option<DataFormat> {
    if let Some(format) = name.filter(|format| TextOptions::FORMATS.contains(format)) {
        return Some(format);
    }
    let head = head.trim_ascii_start();
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match head.first() {
        Some(b'{') => Some(DataFormat::Jsonl),
        Some(b'[') => None,
        _ if first_line.contains(&b'\t') => Some(DataFormat::Tsv),
        _ if first_line.contains(&b',') => Some(DataFormat::Csv),
        _ => None,
    }
}

/// The examples of one stream read so far.
struct Reading<'a, E> {
    options: &'a TextOptions,
    loaded: Loaded<E>,
    ids: Ids,
    bad: BadRecords,
}

/// An example, or `None` if the data marks it as unlabelled, and whether its id is from the field for ids.
type Found = Option<(TextExample, bool)>;

impl<E: Examples<TextExample>> Reading<'_, E> {
    fn keep(&mut self, found: Result<Found>) -> Result<()> {
        match self.bad.check(found)? {
            Some(Some((example, has_id))) => {
                self.ids.push(example.id.as_deref().filter(|_| has_id), &example)?;
                self.loaded.examples.add(example)?;
            }
            Some(None) => self.loaded.left_out += 1,
            None => {}
        }
        Ok(())
    }

    fn table(&mut self, source: Source, dialect: Dialect) -> Result<()> {
        let options = self.options;
        let mut rows = Rows::open(source, dialect)?;
        let Some(first) = rows.next()? else { return Ok(()) };
        if dialect == Dialect::Tsv && is_cola(&first) {
            let columns = Header::known("a file of CoLA", &["source", "label", "mark", "sentence"]);
            let mut next = Some(first);
            while let Some(row) = next {
                self.keep(from_cola(row, options).map(|example| Some((example, false))))?;
                next = rows.next_row(&columns, &mut self.bad)?;
            }
            return Ok(());
        }
        let header = Header::new(&first);
        let names: Vec<&str> = header.names().collect();
        let columns = Columns::find(&names, options, FieldKind::Column).map_err(|problem| {
            let test = glue::test_file(&names).filter(|_| problem.contains("option label_field"));
            let advice = test.map_or(String::new(), |task| {
                format!("; it looks like a test file of {task}, and those have no labels: use train.tsv or dev.tsv")
            });
            first.place.error(problem + &advice)
        })?;
        for name in columns.used().chain(options.label_columns.iter().map(String::as_str)) {
            if header.is_ambiguous(name) {
                return Err(first
                    .place
                    .error(format!("several columns are named \"{name}\"; rename all but one")));
            }
        }
        let glue = GlueTable::of_header(&names).filter(|_| dialect == Dialect::Tsv);
        let glue = glue.filter(|glue| glue.has_its_labels(&rows, &header, &columns));
        let Some(glue) = glue else {
            while let Some(row) = rows.next_row(&header, &mut self.bad)? {
                self.keep(from_row(&row, &header, &columns, options, None))?;
            }
            return Ok(());
        };
        self.bad.skip_by_default();
        while let Some(row) = rows.next_ragged(&mut self.bad)? {
            if row.width() == header.width() {
                self.keep(from_row(&row, &header, &columns, options, None))?;
            } else if let Some(label) = glue.label_of_ragged(&row, &header, &columns) {
                self.keep(from_row(&row, &header, &columns, options, Some(label)))?;
            } else {
                self.keep(Err(rows.width_error(&row, &header)))?;
            }
        }
        Ok(())
    }
}

fn from_object(object: Object, options: &TextOptions) -> Result<Found> {
    let names: Vec<&str> = object.fields.names().collect();
    let columns =
        Columns::find(&names, options, FieldKind::Field).map_err(|problem| object.place.error(problem))?;
    if columns.is_left_out(|label, none| object.raw(label).is_some_and(|json| json.trim_matches('"') == none))
    {
        return Ok(None);
    }
    let target = if options.label_columns.is_empty() {
        columns
            .label
            .map_or(Ok(Target::None), |label| target::of_json(object.fields.raw(label), label, options))
    } else {
        let names = options.label_columns.iter();
        target::of_switches(names.map(|name| (name.as_str(), object.raw(name))), options)
    };
    let target = target.map_err(|problem| object.place.error(problem))?;
    let text = object.string(columns.text, "text_field")?;
    let text_pair = match columns.pair {
        Some(pair) => object.optional_string(pair)?,
        None => None,
    };
    let has_id = columns.id == Some(&options.id);
    let id = columns.id.and_then(|id| object.raw(id)).map(str::to_owned);
    Ok(Some((TextExample { place: object.place, id, text, text_pair, target }, has_id)))
}

/// Creates the example of a row. `label` is the column of its label if it differs from the header's.
fn from_row(
    row: &Row,
    header: &Header,
    columns: &Columns<'_>,
    options: &TextOptions,
    label: Option<usize>,
) -> Result<Found> {
    let column = |name: &str| match label {
        Some(label) if columns.label == Some(name) => Some(label),
        _ => header.index(name),
    };
    let cell = |name: &str| column(name).map(|column| row.cell(column));
    if columns.is_left_out(|label, none| cell(label).is_some_and(|cell| cell.trim() == none)) {
        return Ok(None);
    }
    let target = if options.label_columns.is_empty() {
        let label = columns.label.and_then(|label| Some((label, cell(label)?)));
        label.map_or(Ok(Target::None), |(name, cell)| target::of_cell(cell, name, options))
    } else {
        let names = options.label_columns.iter();
        target::of_switches(names.map(|name| (name.as_str(), cell(name))), options)
    };
    let example = TextExample {
        place: row.place.clone(),
        id: columns
            .id
            .and_then(cell)
            .filter(|id| !id.trim().is_empty())
            .map(|id| Value::from(id).to_string()),
        text: cell(columns.text).unwrap_or_default().to_owned(),
        text_pair: columns.pair.and_then(cell).filter(|pair| !pair.is_empty()).map(str::to_owned),
        target: target.map_err(|problem| row.place.error(problem))?,
    };
    Ok(Some((example, columns.id == Some(&options.id))))
}

/// Returns true if the first row is CoLA's: source, 0 or 1, an optional star, sentence.
fn is_cola(row: &Row) -> bool {
    row.cells().count() == 4 && matches!(row.cell(1), "0" | "1") && matches!(row.cell(2), "" | "*")
}

fn from_cola(row: Row, options: &TextOptions) -> Result<TextExample> {
    let target = target::of_cell(row.cell(1), "the second one", options);
    let target = target.map_err(|problem| row.place.error(problem))?;
    let text = row.cell(3).to_owned();
    Ok(TextExample { place: row.place, id: None, text, text_pair: None, target })
}

#[cfg(test)]
mod tests;
