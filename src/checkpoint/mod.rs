//! Checkpoints: finding them, reading their tensors, filling a model, and reporting on it.

mod architecture;
mod convert;
mod embedded;
mod google_config;
mod hdf5;
mod inventory;
mod layout;
mod load;
mod msgpack;
mod names;
mod onnx;
mod onnx_external;
mod onnx_graph;
mod onnx_proto;
mod pytorch;
mod report;
mod resolve;
mod safetensors;
mod shards;
mod summary;
mod tensors;
mod tf_bundle;
mod tf_table;
mod torch_script;
mod write_onnx;
mod write_pytorch;
mod write_safetensors;

pub use architecture::Architecture;
pub use convert::{ConvertOptions, Converted, WeightFormat, convert};
pub use inventory::Inventory;
pub use load::{MlmBias, load_model};
pub use names::{Dialect, Place, canonical_name, checkpoint_name, name_in, place_of};
pub use report::{LoadReport, Mismatch};
pub use resolve::{Checkpoint, Origin};
pub use summary::Summary;
pub use tensors::{Dtype, Format, TensorInfo, Tensors};
