//! Conversion of arguments to plain values: input source, text lengths, model, device.

mod hub;
mod input;
mod lengths;
mod loading;
mod model;

pub use input::{context, source};
pub use lengths::{Lengths, OwnLimit};
pub use loading::{Ready, load, warn_if_not_faster};
pub use model::{checkpoint, checkpoint_for, tokenizer, tokenizer_path};
