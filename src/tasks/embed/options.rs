//! Options of the task.

use crate::checkpoint::{SentenceLayer, SentenceModules};
use crate::error::{Error, Result};
use crate::model::Head;
use crate::tasks::input::FieldNames;
use crate::tasks::pipeline::Pooling;

/// Options of the task.
#[derive(Clone, Debug, Default)]
pub struct EmbedOptions {
    /// Pooling modes of the token vectors. The vectors of several modes are concatenated. The mean if there is none.
    pub poolings: Vec<Pooling>,
    /// Transformations of the pooled vector.
    pub layers: Vec<SentenceLayer>,
    /// Preparation of a text before it is encoded.
    pub texts: TextRules,
    /// Number of leading values of the vector to keep.
    pub dimensions: Option<usize>,
    /// Hidden state to use: 0 for the mapped embeddings, n for the output of layer n; `None` for the last.
    pub layer: Option<usize>,
    /// True if vectors are normalized to unit length.
    pub normalize: bool,
    /// True if attention maps are returned, too.
    pub attentions: bool,
    /// True if vectors have 16-bit floats in tables that support them.
    pub half: bool,
    /// Second text for records that have none.
    pub text_pair: Option<String>,
    /// Names of the JSON fields with the texts.
    pub fields: FieldNames,
}

/// How sentence-transformers prepares texts.
#[derive(Clone, Debug, Default)]
pub struct TextRules {
    /// True if white space at both ends is removed.
    pub strip: bool,
    /// True if the text is lower-cased.
    pub lower_case: bool,
    /// The text to prepend.
    pub prompt: String,
    /// True if the tokens of the prompt are excluded from pooling.
    pub exclude_prompt: bool,
}

impl TextRules {
    /// Returns the text, preceded by the prompt if it is the first of a pair.
    pub(super) fn apply(&self, text: &str, is_first: bool) -> String {
        let mut text = if is_first { format!("{}{text}", self.prompt) } else { text.to_owned() };
        if self.strip {
            // White space as defined by Python.
            let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
            text = text.trim_matches(is_space).to_owned();
        }
        if self.lower_case { text.to_lowercase() } else { text }
    }
}

impl EmbedOptions {
    /// Returns the options set by the files of a sentence-transformers model.
    pub fn of_modules(modules: &SentenceModules) -> Self {
        Self {
            poolings: modules.pooling.iter().map(|mode| Pooling::from(*mode)).collect(),
            layers: modules.layers.clone(),
            texts: TextRules {
                strip: true,
                lower_case: modules.lower_case,
                prompt: modules.default_prompt.clone().unwrap_or_default(),
                exclude_prompt: !modules.include_prompt,
            },
            dimensions: modules.truncate_dim,
            ..Self::default()
        }
    }

    /// Returns the heads to load.
    pub fn heads(&self) -> &'static [Head] {
        if self.poolings.contains(&Pooling::Pooler) { &[Head::Pooler] } else { &[] }
    }

    /// Returns true if each token has its own vector.
    pub fn is_per_token(&self) -> bool {
        self.poolings == [Pooling::Tokens]
    }

    /// Returns the length of the vectors of a model with `hidden` components.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the input length of a layer differs from the length of the vectors it gets.
    pub fn width(&self, hidden: usize) -> Result<usize> {
        if self.is_per_token() {
            return Ok(hidden);
        }
        let mut width = hidden * self.poolings.len().max(1);
        for layer in &self.layers {
            let (takes, gives) = match layer {
                SentenceLayer::Normalize => continue,
                SentenceLayer::Dense { inputs, outputs, .. } => (*inputs, *outputs),
                SentenceLayer::LayerNorm { weight, .. } => (weight.len(), weight.len()),
            };
            if takes != width {
                return Err(Error::InvalidOption {
                    name: "pooling".to_owned(),
                    problem: format!(
                        "gives vectors of {width} values, but the model's next module takes {takes}; option ignore_modules \
                         embeds with the encoder alone"
                    ),
                });
            }
            width = gives;
        }
        Ok(self.dimensions.map_or(width, |n| n.min(width)))
    }
}
