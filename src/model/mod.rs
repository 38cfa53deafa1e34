//! ALBERT as burn modules: configuration, embeddings, encoder, heads.
//!
//! The same code runs on every [`burn::tensor::Device`]. Fields are named as in transformers' `modeling_albert.py`, so
//! the path of a parameter *is* its name in a checkpoint.

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
