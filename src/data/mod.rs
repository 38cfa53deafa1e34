//! Labelled examples for fine-tuning and evaluation. They are validated, and each has a location.
//!
//! * Texts and pairs with labels or scores ([`read_texts`]): JSON lines, CSV, TSV, GLUE files.
//! * Words with tags ([`read_tokens`]): JSON lines, CoNLL columns.
//! * Questions with answers ([`read_questions`]): JSON lines, SQuAD 1.1 and 2.0.
//! * Choices ([`read_choices`]): JSON lines, RACE folders, SWAG CSV.
//!
//! Each of these functions returns all examples in memory. `read_texts_into` and the like add them to another collection,
//! such as a [`Spool`] on disk. JSON lines, CSV, TSV, CoNLL columns and SQuAD files are then read in constant memory.
//!
//! A path is a file, possibly compressed with gzip or Zstandard, or `-` for standard input. Blank lines are skipped. The
//! first invalid record is an error that names its location, unless bad records are skipped ([`OnBadRecord`]). Copies of
//! an example count once.

mod answers;
mod bad_records;
mod choice_checks;
mod choices;
mod conll;
mod duplicates;
mod example;
mod examples;
mod format;
mod ids;
mod label_match;
mod labels;
mod objects;
mod questions;
mod race;
mod race_copies;
mod row;
mod shortened;
mod source;
mod split;
mod spool;
mod swag;
mod table;
mod texts;
mod token_options;
mod tokens;

pub(crate) use bad_records::BadRecords;
pub use bad_records::OnBadRecord;
pub(crate) use choice_checks::Choices;
pub use choices::{ChoiceOptions, read_choices, read_choices_into};
pub use example::{
    ChoiceExample, GoldAnswer, Loaded, Place, QuestionExample, Target, TextExample, TokenExample,
};
pub use examples::Examples;
pub use format::DataFormat;
pub use label_match::LabelMatch;
pub use labels::LabelSet;
pub use questions::{QuestionOptions, read_questions, read_questions_into};
pub use split::hold_out;
pub use spool::{Spool, SpoolIter, Stored};
pub use texts::{TargetKind, TextOptions, read_texts, read_texts_into};
pub use token_options::TokenOptions;
pub use tokens::{read_tokens, read_tokens_into};
