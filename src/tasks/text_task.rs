//! Tasks that are defined in one file. Everything else follows from the definition: records, output, the library type and
//! the subcommand.

use std::fmt::Debug;

use serde::Serialize;

use super::input::{FieldNames, TextPair};
use super::pipeline::Pipeline;
use crate::checkpoint::{EmbeddedTask, MlmBias};
use crate::error::Result;
use crate::io::{Column, RecordBody};
use crate::model::Head;
use crate::stream::{Finite, Task};
use crate::tokenizer::Encoding;

/// Options of a [`TextTask`].
#[cfg(feature = "cli")]
pub trait TextTaskOptions: Clone + Debug + Default + Send + Sync + clap::Args {}
#[cfg(feature = "cli")]
impl<T: Clone + Debug + Default + Send + Sync + clap::Args> TextTaskOptions for T {}

/// Options of a [`TextTask`].
#[cfg(not(feature = "cli"))]
pub trait TextTaskOptions: Clone + Debug + Default + Send + Sync {}
#[cfg(not(feature = "cli"))]
impl<T: Clone + Debug + Default + Send + Sync> TextTaskOptions for T {}

/// The head that a task needs, as listed in `src/tasks/list.rs`.
pub trait NeedsHead {
    /// The head.
    const HEAD: Head;
}

/// A task on a text or a pair of texts that gives at most one prediction, a struct of named values.
///
/// Implementations hold no model: the pipeline is a parameter of each method.
pub trait TextTask: NeedsHead + Sized + Send + Sync {
    /// The options. With the feature `cli`, they are also the arguments of the subcommand: derive `clap::Args`, and write
    /// its help in the documentation comment.
    type Options: TextTaskOptions;
    /// A sequence for the model, with the data that [`Self::forward`] needs.
    type Row: AsRef<Encoding> + Send + Sync;
    /// The model's output for one row.
    type Output: Finite;
    /// The prediction: a struct whose fields are those of the JSON output. Numbers must be finite.
    type Prediction: Serialize;

    /// The task of the built-in model. `None` for its masked-LM head and its sentence-order head.
    const BUILT_IN: Option<EmbeddedTask> = None;

    /// Returns the masked-LM bias to load if a checkpoint contains two that differ.
    fn mlm_bias(_options: &Self::Options) -> MlmBias {
        MlmBias::default()
    }

    /// Creates the task and checks that the model can do it. The library calls this for each prediction.
    ///
    /// # Errors
    /// If the options do not fit the model.
    fn new(pipeline: &Pipeline, options: Self::Options) -> Result<Self>;

    /// The columns of a table: names of fields of [`Self::Prediction`], and their types.
    fn columns(&self) -> Vec<Column>;

    /// Encodes a text as rows. Without rows, there is no prediction.
    ///
    /// # Errors
    /// The problem with the text.
    fn rows(&self, pipeline: &Pipeline, text: &TextPair) -> std::result::Result<Vec<Self::Row>, String>;

    /// Approximate number of rows per text. Windows of a stream hold fewer texts if it is large.
    fn rows_per_text(&self) -> usize {
        1
    }

    /// Runs the model on one batch and returns one output per row.
    ///
    /// # Errors
    /// If the device fails.
    fn forward(&self, pipeline: &Pipeline, rows: &[&Self::Row]) -> Result<Vec<Self::Output>>;

    /// Computes the prediction for a text from its rows and their outputs, in order.
    ///
    /// # Errors
    /// If the tokenizer cannot decode its own ids.
    fn decode(
        &self,
        pipeline: &Pipeline,
        rows: &[Self::Row],
        outputs: Vec<Self::Output>,
    ) -> Result<Self::Prediction>;
}

/// An encoded text.
#[derive(Debug)]
pub struct TextItem<R> {
    pub(crate) text: TextPair,
    rows: Vec<R>,
}

/// A [`TextTask`] on a loaded model: a [`Task`] on records.
pub struct OnTexts<'a, T: TextTask> {
    pipeline: &'a Pipeline,
    pub(crate) task: T,
    pub(crate) fields: FieldNames,
    /// The second text of records without one.
    pub text_pair: Option<String>,
}

impl<'a, T: TextTask> OnTexts<'a, T> {
    /// Creates the task. `fields` names the JSON fields with the texts.
    ///
    /// # Errors
    /// If the options do not fit the model.
    pub fn new(pipeline: &'a Pipeline, options: T::Options, fields: FieldNames) -> Result<Self> {
        Ok(Self { pipeline, task: T::new(pipeline, options)?, fields, text_pair: None })
    }

    /// Encodes a text.
    ///
    /// # Errors
    /// The problem with the text.
    pub fn prepare(&self, text: TextPair) -> std::result::Result<TextItem<T::Row>, String> {
        let rows = self.task.rows(self.pipeline, &text)?;
        Ok(TextItem { text, rows })
    }
}

impl<T: TextTask> Task for OnTexts<'_, T> {
    type Item = TextItem<T::Row>;
    type Row = T::Row;
    type Output = T::Output;
    type Prediction = Option<T::Prediction>;

    fn encode(&self, body: &RecordBody) -> std::result::Result<Self::Item, String> {
        self.prepare(TextPair::from_record(body, &self.fields)?.or_pair(self.text_pair.as_ref()))
    }

    fn rows_per_record(&self) -> usize {
        self.task.rows_per_text()
    }

    fn rows<'a>(&self, item: &'a Self::Item) -> &'a [T::Row] {
        &item.rows
    }

    fn forward(&self, rows: &[&T::Row]) -> Result<Vec<T::Output>> {
        self.task.forward(self.pipeline, rows)
    }

    fn decode(&self, item: &Self::Item, outputs: Vec<T::Output>) -> Result<Option<T::Prediction>> {
        match item.rows.as_slice() {
            [] => Ok(None),
            rows => self.task.decode(self.pipeline, rows, outputs).map(Some),
        }
    }
}
