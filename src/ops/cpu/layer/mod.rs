//! The layer in training: forward, backward and the gradients of its weights. Packed weights serve inference, too.

mod backward;
mod forward;
mod packed;
mod weight_gradients;

pub(crate) use forward::{Layer, SavePolicy, SavedActivations};
pub(crate) use packed::PackedLayer;
