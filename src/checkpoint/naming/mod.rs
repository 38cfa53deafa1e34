//! Maps the tensor names of every program that saves ALBERTs to those of transformers.

pub(in crate::checkpoint) mod lora_names;
pub(in crate::checkpoint) mod module_path;
pub(in crate::checkpoint) mod names;
pub(in crate::checkpoint) mod prefixes;
mod table;
pub(in crate::checkpoint) mod tensor_names;
pub(in crate::checkpoint) mod tf_names;
