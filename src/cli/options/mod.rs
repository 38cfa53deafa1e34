//! Conversion of arguments to plain values: input source, text lengths, model, device.

mod hub;
mod input;
mod lengths;
mod loading;
mod model;

pub(super) use input::{context, source};
pub(super) use lengths::{lengths, lengths_with_windows};
pub(super) use loading::{load, warn_if_not_faster};
pub(super) use model::{checkpoint, checkpoint_for, tokenizer, tokenizer_path};
