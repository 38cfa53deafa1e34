//! Limits of text length, and the handling of longer texts.

use albert::tasks::Long;
use albert::tokenizer::Tokenizer;
use albert::{Error, Result};

use crate::cli::args::common::LengthArgs;
use crate::cli::output::report::Reporter;

/// How a task handles long text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// `--max-length`.
    pub max_length: Option<usize>,
    /// Upper limit of the default length.
    pub default: usize,
    /// `--long`.
    pub long: Long,
    /// True if the task supports windows.
    pub windows: bool,
    /// A limit of the model's own that takes the place of the tokenizer's.
    pub own: Option<OwnLimit>,
}

/// A limit that a model's files set, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLimit {
    pub length: usize,
    pub source: &'static str,
}

impl Lengths {
    /// The options of a task without windows.
    pub(crate) fn new(args: &LengthArgs) -> Self {
        Self {
            max_length: args.max_length.map(|n| n as usize),
            default: usize::MAX,
            long: args.long,
            windows: false,
            own: None,
        }
    }

    /// The options of a task that can read long text in windows.
    pub(crate) fn with_windows(args: &LengthArgs) -> Self {
        Self { windows: true, ..Self::new(args) }
    }

    /// Checks the options alone, against the positions of a model.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for windows in a task without them, and for a length that the model does not have.
    pub(super) fn check(&self, positions: usize) -> Result<()> {
        if self.long == Long::Window && !self.windows {
            return Err(Error::InvalidOption {
                name: "long".to_owned(),
                problem: "window is for ner, qa, classify and embed".to_owned(),
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

    /// The longest row in tokens: `--max-length`, else the lowest of the task's default, the limit of the tokenizer (or
    /// of a module) and the positions of the model.
    ///
    /// # Errors
    /// As [`Self::check`]; [`Error::InvalidOption`] for a length without room for text.
    pub(crate) fn longest(
        &self,
        positions: usize,
        tokenizer: &Tokenizer,
        reporter: &Reporter,
    ) -> Result<usize> {
        self.check(positions)?;
        let own = self.own.map(|own| (own.length, own.source));
        let of_tokenizer = || Some((tokenizer.model_max_length()?, "model_max_length of the tokenizer"));
        let limits = [
            Some((positions, "positions of the model")),
            own.or_else(of_tokenizer),
            Some((self.default, "default of the task")),
        ];
        let lowest = limits.into_iter().flatten().min_by_key(|(length, _)| *length);
        let given = self.max_length.map(|n| (n, "--max-length"));
        let (longest, source) = given.or(lowest).unwrap_or((positions, "positions of the model"));
        let special = tokenizer.num_special(true);
        if longest <= special {
            return Err(Error::InvalidOption {
                name: "max_length".to_owned(),
                problem: match given {
                    Some(_) => format!("{longest} leaves no room for text next to {special} special tokens"),
                    None => format!(
                        "the {source} is {longest}, which leaves no room for text next to {special} special tokens; \
                         give a longer one"
                    ),
                },
            });
        }
        let side = tokenizer.truncation_side().name();
        reporter
            .detail(|| format!("texts have at most {longest} tokens ({source}) and are cut on the {side}"));
        Ok(longest)
    }
}
