//! Converts arguments to plain values: input source, text lengths, model, device.

mod hub;
mod input;
mod lengths;
mod loading;
mod model;

pub(super) use input::{check_complete, context, source};
pub(super) use lengths::{length_options_with_windows, lengths};
pub(super) use loading::{load, warn_if_no_speedup};
pub(super) use model::{checkpoint, checkpoint_for, tokenizer, tokenizer_path};
