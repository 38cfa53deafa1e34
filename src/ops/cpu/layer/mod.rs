//! The layer in training: forward, backward and the gradients of its weights. Inference uses the packed weights, too.

mod backward;
mod forward;
mod packed;
mod weight_gradients;

pub(crate) use forward::{Layer, SavePolicy, SavedActivations};
pub(crate) use packed::PackedLayer;
