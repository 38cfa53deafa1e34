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
    /// A decoder of its own, `[vocab_size, E]`; `None` when it is the word embedding table (tied).
    pub decoder: Option<Param<Tensor<2>>>,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl AlbertMlmHead {
    /// A new head from a normal distribution with `initializer_range`.
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

    /// States `[n, H]` of the positions of interest to logits `[n, vocab_size]`.
    ///
    /// The vocabulary product is by far the head's largest cost, so that the caller picks the
    /// masked positions first. `embeddings` is the word embedding table `[vocab_size, E]`.
    pub fn forward(&self, states: Tensor<2>, embeddings: Tensor<2>) -> Tensor<2> {
        let decoder = self.decoder.as_ref().map_or(embeddings, Param::val);
        self.transform(states).matmul(decoder.transpose()) + self.bias.val().unsqueeze::<2>()
    }

    /// The cross entropy of [`AlbertMlmHead::forward`] against `labels` `[n]`, summed, without
    /// keeping the logits where there is an operation for it ([`crate::ops`]).
    pub fn loss(&self, states: Tensor<2>, embeddings: Tensor<2>, labels: Tensor<1, Int>) -> VocabularyLoss {
        let decoder = self.decoder.as_ref().map_or(embeddings, Param::val);
        vocabulary_loss(self.transform(states), decoder, self.bias.val(), labels)
    }

    /// `[n, H]` to `[n, E]`.
    fn transform(&self, states: Tensor<2>) -> Tensor<2> {
        self.layer_norm.forward(self.activation.forward(self.dense.forward(states)))
    }
}

/// transformers' `AlbertSOPHead`: is segment B the one that follows A (label 0), or were they
/// swapped (label 1)?
#[derive(Module, Debug)]
pub struct AlbertSopHead {
    /// `classifier_dropout_prob`, in training.
    pub dropout: Dropout,
    /// `[H, num_labels]` (transformers takes `num_labels` here too, 2 unless configured).
    pub classifier: Linear,
}

impl AlbertSopHead {
    /// A new head from a normal distribution with `initializer_range`.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let dropout = config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob);
        Self {
            dropout: DropoutConfig::new(dropout).init(),
            classifier: linear(config, config.hidden_size, config.num_labels, device),
        }
    }

    /// Pooled output `[batch, H]` to logits `[batch, num_labels]`.
    pub fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(self.dropout.forward(pooled))
    }
}
