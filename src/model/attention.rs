//! Multi-head self-attention with its residual and normalization (transformers' `AlbertAttention`).

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LayerNorm, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, activation};

use super::config::{AlbertConfig, PositionEmbeddingType};
use super::init::{initializer, layer_norm, linear};

/// Self-attention, its output projection, the residual and the layer normalization after it.
#[derive(Module, Debug)]
pub struct AlbertAttention {
    /// `[H, H]`.
    pub query: Linear,
    /// `[H, H]`.
    pub key: Linear,
    /// `[H, H]`.
    pub value: Linear,
    /// Output projection `[H, H]`.
    pub dense: Linear,
    /// After the residual.
    pub layer_norm: LayerNorm,
    /// `[2 max_position_embeddings - 1, head size]`, only for relative position types.
    pub distance_embedding: Option<Embedding>,
    /// `attention_probs_dropout_prob`, after the softmax.
    pub attention_dropout: Dropout,
    /// `hidden_dropout_prob`, after the projection.
    pub output_dropout: Dropout,
    #[module(skip)]
    num_heads: usize,
    #[module(skip)]
    query_and_key: bool,
}

impl AlbertAttention {
    /// Creates a newly initialized attention.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let h = config.hidden_size;
        let relative = config.position_embedding_type != PositionEmbeddingType::Absolute;
        Self {
            query: linear(config, h, h, device),
            key: linear(config, h, h, device),
            value: linear(config, h, h, device),
            dense: linear(config, h, h, device),
            layer_norm: layer_norm(config, h, device),
            distance_embedding: relative.then(|| {
                EmbeddingConfig::new(2 * config.max_position_embeddings - 1, config.head_size())
                    .with_initializer(initializer(config))
                    .init(device)
            }),
            attention_dropout: DropoutConfig::new(config.attention_probs_dropout_prob).init(),
            output_dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            num_heads: config.num_attention_heads,
            query_and_key: config.position_embedding_type == PositionEmbeddingType::RelativeKeyQuery,
        }
    }

    pub(super) fn num_heads(&self) -> usize {
        self.num_heads
    }

    /// `x` is `[batch, length, H]`. `hidden_keys` `[batch, 1, 1, length]` is true for keys that are excluded from the
    /// softmax. Returns the new states and the attention probabilities `[batch, heads, length, length]`.
    pub fn forward(&self, x: Tensor<3>, hidden_keys: Option<Tensor<4, Bool>>) -> (Tensor<3>, Tensor<4>) {
        let [batch, length, hidden] = x.dims();
        let head_size = hidden / self.num_heads;
        let split = |t: Tensor<3>| t.reshape([batch, length, self.num_heads, head_size]).swap_dims(1, 2);
        let q = split(self.query.forward(x.clone()));
        let k = split(self.key.forward(x.clone()));
        let v = split(self.value.forward(x.clone()));

        let mut scores = q.clone().matmul(k.clone().swap_dims(2, 3)) / (head_size as f64).sqrt();
        if let Some(table) = &self.distance_embedding {
            scores = scores + self.relative_scores(q, k, table.weight.val());
        }
        if let Some(mask) = hidden_keys {
            let lowest = scores.dtype().finfo().map_or(f64::from(f32::MIN), |f| f.min);
            scores = scores.mask_fill(mask.expand([batch, self.num_heads, length, length]), lowest);
        }
        let probs = activation::softmax(scores, 3);
        let context = self
            .attention_dropout
            .forward(probs.clone())
            .matmul(v)
            .swap_dims(1, 2)
            .reshape([batch, length, hidden]);
        let projected = self.output_dropout.forward(self.dense.forward(context));
        (self.layer_norm.forward(x + projected), probs)
    }

    /// Relative position scores `[batch, heads, length, length]`. Row l, column r uses the vector of distance l - r. As
    /// in transformers, the scores are not divided by the square root of the head size.
    fn relative_scores(&self, q: Tensor<4>, k: Tensor<4>, table: Tensor<2>) -> Tensor<4> {
        let [batch, heads, length, size] = q.dims();
        let [rows, _] = table.dims();
        let middle = (rows as i64 - 1) / 2;
        let l = length as i64;
        let distances: Vec<i64> = (0..l).flat_map(|i| (0..l).map(move |j| i - j + middle)).collect();
        let index = Tensor::<1, Int>::from_data(distances.as_slice(), &table.device());
        // [l, r, d]
        let vectors = table.select(0, index).reshape([length, length, size]);
        // [l, b h, d] x [l, d, r] -> [l, b h, r] -> [b, h, l, r]
        let by_query = q
            .permute([2, 0, 1, 3])
            .reshape([length, batch * heads, size])
            .matmul(vectors.clone().swap_dims(1, 2))
            .reshape([length, batch, heads, length])
            .permute([1, 2, 0, 3]);
        if !self.query_and_key {
            return by_query;
        }
        // [r, b h, d] x [r, d, l] -> [r, b h, l] -> [b, h, l, r]
        let by_key = k
            .permute([2, 0, 1, 3])
            .reshape([length, batch * heads, size])
            .matmul(vectors.permute([1, 2, 0]))
            .reshape([length, batch, heads, length])
            .permute([1, 2, 3, 0]);
        by_query + by_key
    }
}
