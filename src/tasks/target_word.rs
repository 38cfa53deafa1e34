//! Words that `fill-mask` scores.

use super::pipeline::Pipeline;
use crate::error::{Error, Result, stated};

/// A word to score and its pieces in the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetWord {
    /// The word as given.
    pub word: String,
    /// Ids of its pieces; at least one.
    pub pieces: Vec<u32>,
}

impl TargetWord {
    /// Looks up a word: a piece with exactly this spelling (as in transformers), otherwise the pieces into which the
    /// tokenizer splits it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the tokenizer removes the word completely, or if a piece is not in the vocabulary.
    pub fn new(word: &str, pipeline: &Pipeline) -> Result<Self> {
        let tokenizer = &pipeline.tokenizer;
        let unusable = |problem: &str| Error::InvalidOption {
            name: "targets".to_owned(),
            problem: stated(format_args!("\"{word}\""), problem),
        };
        let rows = pipeline.config.vocab_size;
        if let Some(id) = tokenizer.token_to_id(word)
            && !word.is_empty()
        {
            if id as usize >= rows {
                let problem = format!("has the id {id}, and the model has embeddings for {rows} tokens only");
                return Err(unusable(&problem));
            }
            return Ok(Self { word: word.to_owned(), pieces: vec![id] });
        }
        let pieces = tokenizer.encode_without_special_tokens(word)?.ids;
        if pieces.is_empty() {
            return Err(unusable("nothing is left of this word after normalization"));
        }
        if pieces.iter().any(|id| Some(*id) == tokenizer.unk_id()) {
            return Err(unusable("has characters that the vocabulary does not know"));
        }
        if pieces.iter().any(|id| *id as usize >= rows) {
            return Err(unusable("has pieces that the model has no embeddings for"));
        }
        Ok(Self { word: word.to_owned(), pieces })
    }
}
