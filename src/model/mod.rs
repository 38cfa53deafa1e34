//! ALBERT as burn modules: configuration, embeddings, encoder, heads.
//!
//! One model code for every [`burn::tensor::Device`]. The module tree carries the field names of
//! transformers' `modeling_albert.py`, so that a parameter's path *is* its name in a checkpoint
//! (see [`crate::checkpoint::names`]). Nothing here knows of JSON records, files or terminals.

mod activation;
mod albert;
mod attention;
mod config;
mod embeddings;
mod encoder;
mod heads;
mod init;
mod io;
mod layer;

pub use activation::Activation;
pub use albert::{Albert, AlbertModel, AlbertOutput, Head};
pub use attention::AlbertAttention;
pub use config::{AlbertConfig, PositionEmbeddingType};
pub use embeddings::AlbertEmbeddings;
pub use encoder::{AlbertEncoder, AlbertLayerGroup, EncoderOutput, group_of_layer};
pub use heads::{AlbertMlmHead, AlbertSopHead};
pub use io::{ModelInput, OutputOptions};
pub use layer::AlbertLayer;
