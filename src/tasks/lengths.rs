//! Limits of the text length.

use super::OverflowStrategy;
use crate::checkpoint::SentenceModules;
use crate::error::{Error, Result, count};
use crate::tokenizer::Tokenizer;

/// How a task handles long text.
#[derive(Clone, Copy, Debug)]
pub struct LengthOptions {
    /// Requested maximum row length in tokens, including special tokens.
    pub max_length: Option<usize>,
    /// Upper limit of the default length.
    pub default: usize,
    /// How longer text is handled.
    pub long: OverflowStrategy,
    /// True if the task supports windows.
    pub windows: bool,
    /// A limit from the model's own files, which replaces the tokenizer's.
    pub own: Option<OwnLimit>,
}

/// A limit that a model's files set, and its source.
#[derive(Clone, Copy, Debug)]
pub struct OwnLimit {
    /// Tokens per row.
    pub length: usize,
    /// The file that sets it, in words.
    pub source: &'static str,
}

impl OwnLimit {
    /// Returns the limit of a sentence-transformers model.
    pub fn of_modules(modules: &SentenceModules) -> Option<Self> {
        let length = modules.max_seq_length?;
        Some(Self { length, source: "max_seq_length of the Transformer module" })
    }
}

/// The maximum row length of a task, and its source.
#[derive(Clone, Copy, Debug)]
pub struct Longest {
    /// Tokens per row, including special tokens.
    pub tokens: usize,
    /// The source of the limit, in words.
    pub source: &'static str,
}

impl LengthOptions {
    /// Checks the options against the number of positions of a model.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for windows in a task without them, and for a length that exceeds the model's positions.
    pub fn check(&self, positions: usize) -> Result<()> {
        if self.long == OverflowStrategy::Window && !self.windows {
            return Err(Error::InvalidOption {
                name: "long".to_owned(),
                problem: "window is for ner, qa, classify and embed; this task does not read text in windows"
                    .to_owned(),
            });
        }
        match self.max_length.filter(|n| *n > positions) {
            None => Ok(()),
            Some(n) => Err(Error::InvalidOption {
                name: "max_length".to_owned(),
                problem: format!("{n} is more than the {positions} positions of the model"),
            }),
        }
    }

    /// Returns the maximum row length in tokens: the requested length, otherwise the minimum of the task's default, the
    /// limit of the tokenizer (or of a module) and the positions of the model.
    ///
    /// # Errors
    /// Those of [`Self::check`]; [`Error::InvalidOption`] for a length without room for text.
    pub fn longest(&self, positions: usize, tokenizer: &Tokenizer) -> Result<Longest> {
        self.check(positions)?;
        let own = self.own.map(|own| (own.length, own.source));
        let of_tokenizer = || Some((tokenizer.model_max_length()?, "model_max_length of the tokenizer"));
        let limits = [
            Some((positions, "positions of the model")),
            own.or_else(of_tokenizer),
            Some((self.default, "default of the task")),
        ];
        let lowest = limits.into_iter().flatten().min_by_key(|(length, _)| *length);
        let given = self.max_length.map(|n| (n, "option max_length"));
        let (tokens, source) = given.or(lowest).unwrap_or((positions, "positions of the model"));
        let special = tokenizer.num_special_tokens(true);
        if tokens <= special {
            return Err(Error::InvalidOption {
                name: "max_length".to_owned(),
                problem: match given {
                    Some(_) => format!(
                        "{tokens} is too small; the minimum is {}, since a pair of texts has {}",
                        special + 1,
                        count(special, "special token")
                    ),
                    None => format!(
                        "the {source} is {tokens}, which is too small; the minimum is {}, since a pair of texts has {}",
                        special + 1,
                        count(special, "special token")
                    ),
                },
            });
        }
        Ok(Longest { tokens, source })
    }
}
