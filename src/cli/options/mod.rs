//! Conversion of arguments to plain values: input source, text lengths, model, device.

mod hub;
mod input;
mod lengths;
mod loading;
mod model;

pub(super) use input::{context, source};
pub(super) use lengths::{Lengths, OwnLimit};
pub(super) use loading::{Ready, load, warn_if_not_faster};
pub(super) use model::{checkpoint, checkpoint_for, tokenizer, tokenizer_path};
