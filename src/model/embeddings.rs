//! Factorized embeddings (paper section 3.1): word, position and segment, of width E.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LayerNorm};
use burn::tensor::{Device, Int, Tensor};

use super::config::{AlbertConfig, PositionEmbeddingType};
use super::init::{initializer, layer_norm};

/// transformers' `AlbertEmbeddings`.
#[derive(Module, Debug)]
pub struct AlbertEmbeddings {
    /// `[vocab_size, E]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, E]`.
    pub position_embeddings: Embedding,
    /// `[type_vocab_size, E]`.
    pub token_type_embeddings: Embedding,
    /// Over E.
    pub layer_norm: LayerNorm,
    /// `hidden_dropout_prob`, in training.
    pub dropout: Dropout,
    /// False for relative position types, which add no position vector.
    #[module(skip)]
    absolute: bool,
}

impl AlbertEmbeddings {
    /// Creates newly initialized embeddings.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let table = |rows| {
            EmbeddingConfig::new(rows, config.embedding_size)
                .with_initializer(initializer(config))
                .init(device)
        };
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: table(config.type_vocab_size),
            layer_norm: layer_norm(config, config.embedding_size, device),
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            absolute: config.position_embedding_type == PositionEmbeddingType::Absolute,
        }
    }

    /// Maps ids and segment ids `[batch, length]` to vectors `[batch, length, E]`.
    pub fn forward(&self, input_ids: Tensor<2, Int>, token_type_ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, length] = input_ids.dims();
        let mut x =
            self.word_embeddings.forward(input_ids) + self.token_type_embeddings.forward(token_type_ids);
        if self.absolute {
            let positions = self.position_embeddings.weight.val().narrow(0, 0, length);
            x = x + positions.unsqueeze::<3>();
        }
        self.dropout.forward(self.layer_norm.forward(x))
    }
}
