//! Readers of weight files, one per container.

pub(in crate::checkpoint) mod foreign;
pub(in crate::checkpoint) mod hdf5;
pub(in crate::checkpoint) mod msgpack;
pub(in crate::checkpoint) mod onnx;
pub(in crate::checkpoint) mod pytorch;
pub(in crate::checkpoint) mod safetensors;
pub(in crate::checkpoint) mod shards;
pub(in crate::checkpoint) mod sniff;
pub(in crate::checkpoint) mod tensorflow;
