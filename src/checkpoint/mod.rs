//! Checkpoints: finding, reading, loading, describing and writing them.

mod adapter;
mod albert_zh;
mod architecture;
mod config_files;
mod embedded;
mod export;
mod formats;
mod google_config;
mod inventory;
mod layout;
mod load;
mod low_rank;
mod naming;
mod no_weights;
mod open;
mod quantization;
mod report;
mod resolve;
pub(crate) mod sentence;
mod source;
mod summary;
mod task_tensors;
mod tensor;
mod tensors;
mod weight_files;

pub use adapter::Adapter;
pub use architecture::Architecture;
pub use embedded::EmbeddedTask;
pub use export::convert::{ConvertOptions, Converted, WeightFormat, convert};
pub use export::progress::ConvertProgress;
pub use export::save::{SavedTensor, save_half, save_model, save_tensors};
pub use export::tokenizer_files::TokenizerFiles;
pub use export::tokenizer_files::write_tokenizer;
pub use inventory::Inventory;
pub(crate) use layout::{all_finite, transposed};
pub use load::{MlmBias, load_model};
pub(crate) use naming::module_path::ModulePath;
pub use naming::names::{
    CanonicalName, Dialect, canonical_name, checkpoint_name, from_canonical, to_canonical,
};
pub use quantization::Quantization;
pub use report::{LoadReport, Mismatch};
pub use resolve::{Checkpoint, Origin};
pub use sentence::{PoolingMode, SentenceLayer, SentenceModules};
pub use summary::Summary;
pub use tensor::{Dtype, Format, TensorInfo};
pub use tensors::Tensors;
