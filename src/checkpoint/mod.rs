//! Checkpoints: finding them, reading their tensors, filling a model, and reporting on it.

mod embedded;
mod load;
mod names;
mod pytorch;
mod report;
mod resolve;
mod safetensors;
mod shards;
mod summary;
mod tensors;

pub use load::{Inventory, MlmBias, load_model};
pub use names::{canonical_name, checkpoint_name};
pub use report::{LoadReport, Mismatch};
pub use resolve::{Checkpoint, Origin};
pub use summary::Summary;
pub use tensors::{Dtype, Format, TensorInfo, Tensors};
