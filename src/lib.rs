//! ALBERT language models in Rust, on [burn](https://burn.dev): checkpoints, tokenizers, tasks.
//!
//! The command-line program `albert` is a thin layer over this library, which knows nothing of terminals, progress bars
//! or process exit.
//!
//! Each task has a type that opens a model and predicts ([`pipelines`]):
//!
//! ```
//! # fn main() -> albert::Result<()> {
//! // `FillMask::open("org/name")` takes a directory, a file or a hub id.
//! let fill = albert::FillMask::built_in()?;
//! let masks = fill.predict("The capital of France is [MASK].")?;
//! println!("{} ({:.2})", masks[0][0].token_str, masks[0][0].score);
//! # assert_eq!(masks[0][0].token_str, "paris");
//! # Ok(())
//! # }
//! ```
//!
//! [`FineTune`], [`Pretrain`] and [`Evaluate`] cover training and evaluation, in one call each.
//!
//! The lower-level components can be used directly, for example to run a task on a stream:
//!
//! ```
//! use albert::checkpoint::{Checkpoint, MlmBias, load_model};
//! use albert::device::{self, DeviceChoice, Precision};
//! use albert::model::Head;
//! use albert::tasks::{FieldNames, FillMask, FillMaskOptions, OverflowStrategy, Pipeline, TextPair};
//!
//! # fn main() -> albert::Result<()> {
//! // `Checkpoint::local(path)` opens a directory or a file.
//! let checkpoint = Checkpoint::embedded()?;
//! let device = device::open(DeviceChoice::Flex, Precision::F32)?.device;
//! let tensors = checkpoint.tensors()?;
//! let (model, report) =
//!     load_model(&tensors, &checkpoint.config, &[Head::MaskedLm], MlmBias::default(), &device)?;
//! assert!(report.missing.is_empty());
//!
//! let pipeline = Pipeline {
//!     model,
//!     max_length: checkpoint.config.max_position_embeddings,
//!     tokenizer: checkpoint.tokenizer()?,
//!     config: checkpoint.config,
//!     device,
//!     long: OverflowStrategy::Truncate,
//!     pad_multiple: 1,
//! };
//! let options = FillMaskOptions { top_k: 3, targets: Vec::new(), fields: FieldNames::default() };
//! let task = FillMask::new(&pipeline, options)?;
//! let text = TextPair { text: "The capital of France is [MASK].".to_owned(), text_pair: None };
//! let item = task.prepare(text).map_err(albert::Error::Input)?;
//! let predictions = albert::stream::predict(&task, &item, 2048)?;
//! assert_eq!(predictions[0].len(), 3);
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod checkpoint;
pub mod data;
pub mod device;
pub mod device_check;
pub mod error;
pub mod eval;
mod guard;
#[cfg(feature = "hub")]
pub mod hub;
pub mod io;
pub mod model;
pub mod ops;
pub mod padding;
pub mod pipelines;
mod render;
pub mod stream;
pub mod tasks;
pub mod tokenizer;
pub mod training;

pub use error::{Error, Result};
pub use eval::Evaluate;
pub use pipelines::{Choose, Classify, Embed, FillMask, Ner, Qa, ZeroShot};
pub use training::{FineTune, Pretrain};

/// Exports the library types of the tasks on texts.
macro_rules! exports {
    ($($module:ident: $task:ident on $head:ident;)*) => {
        pub use pipelines::{$($task),*};
    };
}
text_tasks!(exports);
