//! Arguments of `albert qa`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::common::{ModelArgs, not_nan};
use super::device::DeviceArgs;
use super::formats::{InputFormatArg, OutputFormatArg, input_formats, output_formats};
use super::part::PartArgs;
use albert::stream::OnError;
use albert::tasks::OverflowStrategy;

/// Answer questions from a context
///
/// Needs a model fine-tuned for question answering (SQuAD). An answer is a slice of the context, and start and end count
/// Unicode code points. Long contexts are read in overlapping windows. Give questions as arguments or lines with one
/// --context, as JSON records with question and context, or as a SQuAD file (1.1 or 2.0). --format squad writes the
/// predictions file of SQuAD's evaluation scripts.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert qa -m twmkn9/albert-base-v2-squad2 --context page.txt \"Who wrote the letter?\"
  cat page.txt | albert qa -m twmkn9/albert-base-v2-squad2 --context - \"Who wrote it?\" \"When?\"
  albert qa -m ./my-model --impossible -i dev-v2.0.json --format squad -o predictions.json")]
pub(crate) struct QaArgs {
    /// Questions [default: read --input or standard input]
    #[arg(value_name = "QUESTION", conflicts_with = "input")]
    pub questions: Vec<String>,
    /// Read the context from a file (- for standard input)
    #[arg(short, long, value_name = "FILE|-", conflicts_with = "context_text", help_heading = "Input")]
    pub context: Option<PathBuf>,
    /// The context
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub context_text: Option<String>,
    /// Read records from files, one after the other (- for standard input)
    ///
    /// Files that are compressed with gzip or Zstandard are decompressed. Tables that are read together need the same columns.
    #[arg(short, long, value_name = "FILE|-", num_args = 1.., help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// Format of the input; auto detects SQuAD files, JSON objects, one per line or in one array, and tables by extension
    ///
    /// A SQuAD file holds articles with paragraphs, or is a flat list of questions with a context each, as for
    /// transformers' run_qa.py. A file named .csv, .tsv or .parquet is a table. The first row of CSV and TSV names the columns.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = input_formats(&[InputFormatArg::Squad]), help_heading = "Input")]
    pub input_format: InputFormatArg,
    /// How to handle an invalid record
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnError,
    #[command(flatten)]
    pub part: PartArgs,
    /// JSON field or column with the question
    #[arg(long, value_name = "NAME", default_value = "question", help_heading = "Input")]
    pub question_field: String,
    /// JSON field or column with the context; records without it use --context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Input")]
    pub context_field: String,
    /// JSON field or column with the id of a question, for --format squad
    #[arg(long, value_name = "NAME", default_value = "id", help_heading = "Input")]
    pub id_field: String,
    /// Answers per question
    #[arg(short = 'k', long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub top_k: u32,
    /// Overlap of adjacent windows in tokens [default: 128, or half of a shorter window]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub doc_stride: Option<usize>,
    /// Maximum length of an answer in tokens
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub max_answer_len: u32,
    /// Maximum length of a question in tokens; longer questions are cut
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub max_question_len: u32,
    /// Allow "no answer" (an empty answer), for models trained on SQuAD 2.0
    ///
    /// Adds null_score, its probability, and null_score_diff, the difference between its logits and the best answer's.
    #[arg(long, visible_alias = "allow-no-answer", help_heading = "Task")]
    pub impossible: bool,
    /// Predict "no answer" if null_score_diff exceeds X; implies --impossible
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = not_nan, help_heading = "Task")]
    pub null_threshold: Option<f64>,
    /// Boundaries to which answers are extended
    #[arg(long, value_name = "WHAT", default_value = "words", help_heading = "Task")]
    pub align: AlignArg,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Maximum number of tokens per window, including question and special tokens [default: 384, at most the limits of
    /// tokenizer and model]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    /// How to handle longer contexts
    #[arg(
        long,
        visible_alias = "overflow",
        value_name = "HOW",
        default_value = "window",
        help_heading = "Input"
    )]
    pub long: OverflowStrategy,
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; text highlights the answer
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = output_formats(&[OutputFormatArg::Squad]), help_heading = "Output")]
    pub format: OutputFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlignArg {
    /// Complete words with adjacent punctuation, as in transformers
    Words,
    /// Token boundaries
    Tokens,
}
