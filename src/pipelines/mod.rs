//! Tasks that own their model: open, then predict.
//!
//! ```
//! # fn main() -> albert::Result<()> {
//! let fill = albert::FillMask::built_in()?;
//! let masks = fill.predict("The capital of France is [MASK].")?;
//! assert_eq!(masks[0][0].token_str, "paris");
//! # Ok(())
//! # }
//! ```
//!
//! `open` accepts the same values as `--model` on the command line: a directory, a file, or a hub id. [`Builder`] sets
//! the device, the precision, lengths and the options of the task:
//!
//! ```no_run
//! use albert::device::Precision;
//! use albert::tasks::ClassifyOptions;
//!
//! # fn main() -> albert::Result<()> {
//! let classify = albert::Classify::builder()
//!     .precision(Precision::Int8)
//!     .max_length(128)
//!     .options(ClassifyOptions { top_k: None, ..ClassifyOptions::default() })
//!     .open("./my-model")?;
//! for labels in classify.predict_all(&["Great.", "Never again."])? {
//!     println!("{}: {}", labels[0].label, labels[0].score);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! For streams of records with bounded memory, see [`crate::stream`] and [`crate::tasks`].

mod builder;
mod choose;
mod classify;
mod embed;
mod fill_mask;
mod ner;
mod qa;
mod text_task;
mod zero_shot;

pub use builder::{Builder, Predictor};
pub use choose::Choose;
pub use classify::Classify;
pub use embed::Embed;
pub use fill_mask::FillMask;
pub use ner::Ner;
pub use qa::Qa;
pub use text_task::TextPipeline;
pub use zero_shot::ZeroShot;

use crate::error::{Error, Result};
use crate::stream::Task;

/// Defines the library types of the tasks on texts.
macro_rules! types {
    ($($module:ident: $task:ident on $head:ident;)*) => {$(
        #[doc = concat!("[`tasks::", stringify!($task), "`](crate::tasks::", stringify!($task), ") with its own model.")]
        pub type $task = TextPipeline<crate::tasks::$task>;
    )*};
}
crate::text_tasks!(types);

/// Returns the predictions for prepared items, in order. Rows of similar length share batches.
fn predict_items<T: Task>(task: &T, items: &[T::Item], batch_tokens: usize) -> Result<Vec<T::Prediction>> {
    let references: Vec<&T::Item> = items.iter().collect();
    crate::stream::predict_all(task, &references, batch_tokens)
}

/// Returns the prediction for one prepared item.
fn predict_one<T: Task>(
    task: &T,
    item: std::result::Result<T::Item, String>,
    batch_tokens: usize,
) -> Result<T::Prediction> {
    crate::stream::predict(task, &item.map_err(Error::Input)?, batch_tokens)
}

/// Collects prepared items, or returns the first problem with its index.
fn prepared<I, T>(
    inputs: impl IntoIterator<Item = I>,
    prepare: impl Fn(I) -> std::result::Result<T, String>,
) -> Result<Vec<T>> {
    let numbered = inputs.into_iter().enumerate();
    numbered
        .map(|(i, input)| prepare(input).map_err(|problem| Error::Input(format!("input {i}: {problem}"))))
        .collect()
}
