//! The encoder: groups of layers that share their weights (paper section 3.1, transformers'
//! `AlbertTransformer` and `AlbertLayerGroup`).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Bool, Device, Tensor};

use super::config::AlbertConfig;
use super::init::linear;
use super::io::OutputOptions;
use super::layer::AlbertLayer;

/// `inner_group_num` layers, applied one after another.
#[derive(Module, Debug)]
pub struct AlbertLayerGroup {
    /// The layers, in order.
    pub albert_layers: Vec<AlbertLayer>,
}

/// The mapping from E to H and the layer groups.
#[derive(Module, Debug)]
pub struct AlbertEncoder {
    /// `[E, H]`.
    pub embedding_hidden_mapping_in: Linear,
    /// `num_hidden_groups` groups.
    pub albert_layer_groups: Vec<AlbertLayerGroup>,
    #[module(skip)]
    num_hidden_layers: usize,
}

/// Output of the encoder.
#[derive(Debug)]
pub struct EncoderOutput {
    /// `[batch, length, H]`.
    pub last_hidden_state: Tensor<3>,
    /// The mapped embeddings and the states after each of the `num_hidden_layers` group calls, if requested.
    pub hidden_states: Option<Vec<Tensor<3>>>,
    /// `[batch, heads, length, length]` for each layer, if requested.
    pub attentions: Option<Vec<Tensor<4>>>,
}

/// The group used by layer `layer` of `layers`, given the number of groups.
///
/// Computed as `int(i / (L / G))` in double precision, as in transformers. Integer division gives other groups in odd
/// cases (L = 18, G = 14).
pub fn group_of_layer(layer: usize, layers: usize, groups: usize) -> usize {
    (layer as f64 / (layers as f64 / groups as f64)) as usize
}

impl AlbertEncoder {
    /// Creates a newly initialized encoder.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        let group = || AlbertLayerGroup {
            albert_layers: (0..config.inner_group_num).map(|_| AlbertLayer::new(config, device)).collect(),
        };
        Self {
            embedding_hidden_mapping_in: linear(config, config.embedding_size, config.hidden_size, device),
            albert_layer_groups: (0..config.num_hidden_groups).map(|_| group()).collect(),
            num_hidden_layers: config.num_hidden_layers,
        }
    }

    /// Runs embeddings `[batch, length, E]` through all layers; `hidden_keys` is as in
    /// [`super::AlbertAttention::forward`].
    pub fn forward(
        &self,
        embeddings: Tensor<3>,
        hidden_keys: Option<&Tensor<4, Bool>>,
        options: OutputOptions,
    ) -> EncoderOutput {
        let mut x = self.embedding_hidden_mapping_in.forward(embeddings);
        let mut hidden_states = options.hidden_states.then(|| vec![x.clone()]);
        let mut attentions = options.attentions.then(Vec::new);
        let groups = self.albert_layer_groups.len();
        // Rounding could reach past the last group only with more groups than layers, which the configuration rejects.
        // The bound keeps the index valid anyway.
        let group_of = |i| group_of_layer(i, self.num_hidden_layers, groups).min(groups - 1);
        let mut next = 0;
        while next < self.num_hidden_layers {
            let (i, group) = (next, group_of(next));
            let layers = &self.albert_layer_groups[group].albert_layers;
            next += 1;
            if let ([layer], None, None) = (layers.as_slice(), &hidden_states, &attentions) {
                while next < self.num_hidden_layers && group_of(next) == group {
                    next += 1;
                }
                x = layer.repeat(x, hidden_keys, next - i);
                continue;
            }
            for layer in layers {
                if let Some(all) = &mut attentions {
                    let probs;
                    (x, probs) = layer.forward(x, hidden_keys.cloned());
                    all.push(probs);
                } else {
                    x = layer.repeat(x, hidden_keys, 1);
                }
            }
            if let Some(all) = &mut hidden_states {
                all.push(x.clone());
            }
        }
        EncoderOutput { last_hidden_state: x, hidden_states, attentions }
    }
}
