//! Options of token classification.

use super::aggregate::Aggregation;

/// Source of word boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum WordBoundaries {
    /// The text itself.
    #[default]
    #[cfg_attr(feature = "cli", value(help = "Boundaries of the text; entities never end inside a word"))]
    Text,
    /// The heuristic of transformers' pipeline: spaces before tokens.
    #[cfg_attr(feature = "cli", value(help = "Guessed as in transformers' pipeline, for identical output"))]
    Hf,
}

/// Options of the task.
#[derive(Clone, Debug)]
pub struct NerOptions {
    /// How tokens are combined into entities.
    pub aggregation: Aggregation,
    /// Labels or group names to leave out.
    pub ignore_labels: Vec<String>,
    /// Source of word boundaries.
    pub word_boundaries: WordBoundaries,
    /// Overlap of the windows for long texts in tokens. If it is `None`, long texts are truncated unless
    /// [`OverflowStrategy::Window`](crate::tasks::OverflowStrategy::Window) is set.
    pub stride: Option<usize>,
    /// Name of the field with the text.
    pub text_field: String,
    /// Name of the field with a list of words.
    pub tokens_field: String,
}

impl Default for NerOptions {
    fn default() -> Self {
        Self {
            aggregation: Aggregation::default(),
            ignore_labels: vec!["O".to_owned()],
            word_boundaries: WordBoundaries::default(),
            stride: None,
            text_field: "text".to_owned(),
            tokens_field: "tokens".to_owned(),
        }
    }
}
