//! The pretraining heads: masked language model and sentence order.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor};

use super::activation::Activation;
use super::config::AlbertConfig;
use super::init::{initializer, layer_norm, linear, zeros};
use crate::ops::{VocabularyLoss, vocabulary_loss};

/// transformers' `AlbertMLMHead`.
#[derive(Module, Debug)]
pub struct AlbertMlmHead {
    /// `[H, E]`.
    pub dense: Linear,
    /// Over E.
    pub layer_norm: LayerNorm,
    /// An untied decoder `[vocab_size, E]`; `None` if it is the word embedding table.
    pub decoder: Option<Param<Tensor<2>>>,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl AlbertMlmHead {
    /// Creates a newly initialized head.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let decoder = (!config.tie_word_embeddings)
            .then(|| initializer(config).init([config.vocab_size, config.embedding_size], device));
        Self {
            dense: linear(config, config.hidden_size, config.embedding_size, device),
            layer_norm: layer_norm(config, config.embedding_size, device),
            decoder,
            bias: zeros(config.vocab_size, device),
            activation: config.hidden_act,
        }
    }

    /// Maps states `[n, H]` of the selected positions to logits `[n, vocab_size]`.
    ///
    /// The multiplication with the vocabulary is by far the largest cost, so callers should select the masked positions
    /// first. `embeddings` is the word embedding table `[vocab_size, E]`.
    pub fn forward(&self, states: Tensor<2>, embeddings: Tensor<2>) -> Tensor<2> {
        let decoder = self.decoder.as_ref().map_or(embeddings, Param::val);
        self.transform(states).matmul(decoder.transpose()) + self.bias.val().unsqueeze::<2>()
    }

    /// The summed cross entropy of [`AlbertMlmHead::forward`] for `labels` `[n]`. On devices with a fused operation
    /// ([`crate::ops`]), the logits are not kept.
    pub fn loss(&self, states: Tensor<2>, embeddings: Tensor<2>, labels: Tensor<1, Int>) -> VocabularyLoss {
        let decoder = self.decoder.as_ref().map_or(embeddings, Param::val);
        vocabulary_loss(self.transform(states), decoder, self.bias.val(), labels)
    }

    /// `[n, H]` to `[n, E]`.
    fn transform(&self, states: Tensor<2>) -> Tensor<2> {
        self.layer_norm.forward(self.activation.forward(self.dense.forward(states)))
    }
}

/// transformers' `AlbertSOPHead`: label 0 if segment B follows A, label 1 if they were swapped.
#[derive(Module, Debug)]
pub struct AlbertSopHead {
    /// `classifier_dropout_prob`, in training.
    pub dropout: Dropout,
    /// `[H, num_labels]`. As in transformers, `num_labels` is 2 unless configured.
    pub classifier: Linear,
}

impl AlbertSopHead {
    /// Creates a newly initialized head.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let dropout = config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob);
        Self {
            dropout: DropoutConfig::new(dropout).init(),
            classifier: linear(config, config.hidden_size, config.num_labels, device),
        }
    }

    /// Maps the pooled output `[batch, H]` to logits `[batch, num_labels]`.
    pub fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(self.dropout.forward(pooled))
    }
}
