//! ALBERT language models in Rust, on [burn](https://burn.dev): checkpoints, tokenizers, tasks.
//!
//! The command-line program `albert` is a thin layer over this library, which knows nothing of
//! terminals, progress bars or process exit.

pub mod batch;
pub mod checkpoint;
pub mod device;
pub mod error;
#[cfg(feature = "hub")]
pub mod hub;
pub mod io;
pub mod model;
pub mod stream;
pub mod tasks;
pub mod tokenizer;

pub use error::{Error, Result};
