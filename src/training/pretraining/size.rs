//! Named model sizes: the published ones (paper, table 1, and the configurations of the v2 models) and three smaller
//! ones.

use crate::model::AlbertConfig;

/// A named model size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Size {
    /// E 64, H 128, 4 layers, 2 heads.
    Tiny,
    /// E 128, H 256, 6 layers, 4 heads.
    Mini,
    /// E 128, H 512, 8 layers, 8 heads.
    Small,
    /// E 128, H 768, 12 layers, 12 heads.
    Base,
    /// E 128, H 1024, 24 layers, 16 heads.
    Large,
    /// E 128, H 2048, 24 layers, 16 heads.
    Xlarge,
    /// E 128, H 4096, 12 layers, 64 heads.
    Xxlarge,
}

impl Size {
    /// A configuration of this size: feed-forward layers four times as wide as the encoder, one group with one layer,
    /// `gelu_new`, and no dropout, like the pretraining of the v2 models.
    pub fn config(self) -> AlbertConfig {
        let (embedding, hidden, layers, heads) = match self {
            Self::Tiny => (64, 128, 4, 2),
            Self::Mini => (128, 256, 6, 4),
            Self::Small => (128, 512, 8, 8),
            Self::Base => (128, 768, 12, 12),
            Self::Large => (128, 1024, 24, 16),
            Self::Xlarge => (128, 2048, 24, 16),
            Self::Xxlarge => (128, 4096, 12, 64),
        };
        let mut config = AlbertConfig::default();
        config.embedding_size = embedding;
        config.hidden_size = hidden;
        config.num_hidden_layers = layers;
        config.num_attention_heads = heads;
        config.intermediate_size = 4 * hidden;
        config
    }
}
