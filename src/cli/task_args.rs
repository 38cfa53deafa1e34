//! Command-line arguments of the tasks.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use albert::Result;
use albert::checkpoint::MlmBias;
use albert::io::{ArrayKind, Format, InputFormat, TableKind};
use albert::tasks::{Aggregation, Function, Pooling, WordBoundaries};

use super::args::{
    DeviceArgs, InputArgs, LengthArgs, LongArg, ModelArgs, OnErrorArg, OutputArgs, RecordArgs,
};
use super::record_format::RecordFormatArg;

/// Predict the words behind [MASK]
///
/// Reads texts from arguments, or one record per line from a file or standard input: plain text, or JSON objects whose
/// other fields pass through. Scores are probabilities, as in transformers' fill-mask pipeline. Several masks in a text are
/// scored independently, and each has a list of its own.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert fill-mask \"The capital of France is [MASK].\"
  cat texts.jsonl | albert fill-mask -m albert/albert-base-v2 --top-k 1")]
pub struct FillMaskArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Predictions per mask
    #[arg(short = 'k', long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub top_k: u32,
    /// Score only these words (comma-separated)
    ///
    /// A word that is a vocabulary piece as written is scored as that piece, as in transformers (write "▁he" for the word;
    /// "he" may be a piece inside words). Any other word is split into pieces. The score of several pieces is the product of
    /// their probabilities from left to right, with as many masks in its place.
    #[arg(long, value_name = "WORDS", value_delimiter = ',', help_heading = "Task")]
    pub targets: Vec<String>,
    /// Masked-LM bias to use if a checkpoint contains two that differ
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "decoder",
        hide_short_help = true,
        help_heading = "Model"
    )]
    pub mlm_bias: MlmBiasArg,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlmBiasArg {
    /// predictions.decoder.bias, as in transformers for PyTorch
    Decoder,
    /// predictions.bias, as in transformers for Flax
    Predictions,
}

impl From<MlmBiasArg> for MlmBias {
    fn from(arg: MlmBiasArg) -> Self {
        match arg {
            MlmBiasArg::Decoder => Self::Decoder,
            MlmBiasArg::Predictions => Self::Predictions,
        }
    }
}

/// Show how a model's tokenizer splits text
///
/// Offsets count Unicode code points of the text (for tokens of the second text, of that text).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert tokenize \"The U.S. in 1990\"
  cat texts.jsonl | albert tokenize -m albert/albert-base-v2")]
pub struct TokenizeArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Cut texts to at most N tokens, special tokens included [default: no limit, even if the tokenizer has one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Classify texts or pairs, predict a number, or predict sentence order
///
/// Needs a model fine-tuned for classification or regression. Works like transformers' text-classification pipeline:
/// returns the best label with its probability, and problem_type in config.json decides between softmax, sigmoid and
/// regression. Pairs have segment ids 0 and 1. With --order, a pretrained model predicts how likely the second text follows
/// the first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert classify -m textattack/albert-base-v2-SST-2 \"I loved every minute of it.\"
  albert classify --order --text-pair \"She opened it at once.\" \"He handed her a letter.\"
  cat reviews.jsonl | albert classify -m textattack/albert-base-v2-SST-2 --text-field review")]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Second text, for texts without one of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    /// Number of labels per text, best first, or all
    #[arg(short = 'k', long, value_name = "N|all", default_value = "1", value_parser = top_k, help_heading = "Task")]
    pub top_k: TopK,
    /// Function that turns logits into scores
    #[arg(long, value_name = "FUNCTION", default_value = "auto", help_heading = "Task")]
    pub function: FunctionArg,
    /// Predict sentence order instead of labels: the probability that the second text follows the first
    #[arg(long, help_heading = "Task")]
    pub order: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A number of labels, or `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK(pub Option<usize>);

fn top_k(text: &str) -> std::result::Result<TopK, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(TopK(None)),
        (_, Ok(n)) if n > 0 => Ok(TopK(Some(n))),
        _ => Err("expected a number from 1, or all".to_owned()),
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionArg {
    /// By problem_type in config.json, otherwise sigmoid for one label and softmax for several
    Auto,
    /// Probabilities that add up to one
    Softmax,
    /// An independent probability for each label
    Sigmoid,
    /// Raw logits
    None,
}

impl From<FunctionArg> for Function {
    fn from(arg: FunctionArg) -> Self {
        match arg {
            FunctionArg::Auto => Self::Auto,
            FunctionArg::Softmax => Self::Softmax,
            FunctionArg::Sigmoid => Self::Sigmoid,
            FunctionArg::None => Self::None,
        }
    }
}

/// Find named entities or other labelled spans
///
/// Needs a model fine-tuned for token classification. Entities are exact slices of the text and never end inside a word.
/// start and end count Unicode code points. Records may contain a list of words (field tokens) instead of a text: offsets
/// then refer to the words joined by spaces, and start_token and end_token count words.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert ner -m ArBert/albert-base-v2-finetuned-ner \"Angela Merkel met Barack Obama in Berlin.\"
  cat news.txt | albert ner -m ArBert/albert-base-v2-finetuned-ner --long window --format conll")]
pub struct NerArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with a list of words, for records without a text
    #[arg(long, value_name = "NAME", default_value = "tokens", help_heading = "Input")]
    pub tokens_field: String,
    /// How to combine tokens into entities
    #[arg(long, value_name = "HOW", default_value = "simple", help_heading = "Task")]
    pub aggregation: AggregationArg,
    /// Labels to leave out (comma-separated)
    #[arg(long, value_name = "LABELS", value_delimiter = ',', default_value = "O", help_heading = "Task")]
    pub ignore_labels: Vec<String>,
    /// Word boundaries
    #[arg(long, value_name = "HOW", default_value = "text", help_heading = "Task")]
    pub word_boundaries: WordBoundariesArg,
    /// Read long texts in windows that overlap by N tokens [default with --long window: a quarter of a window]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub stride: Option<usize>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; text highlights the entities, auto follows the output's extension (.csv, .tsv, .parquet), otherwise is text on a
    /// terminal and jsonl elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: NerFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregationArg {
    /// One prediction per token
    None,
    /// Merge adjacent tokens of the same type
    Simple,
    /// Label each word by its first token, then merge words
    First,
    /// Label each word by the mean of its tokens' scores, then merge words
    Average,
    /// Label each word by its highest-scoring token, then merge words
    Max,
}

impl From<AggregationArg> for Aggregation {
    fn from(arg: AggregationArg) -> Self {
        match arg {
            AggregationArg::None => Self::None,
            AggregationArg::Simple => Self::Simple,
            AggregationArg::First => Self::First,
            AggregationArg::Average => Self::Average,
            AggregationArg::Max => Self::Max,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordBoundariesArg {
    /// Boundaries of the text; entities never end inside a word
    Text,
    /// Guessed as in transformers' pipeline, for identical output
    Hf,
}

impl From<WordBoundariesArg> for WordBoundaries {
    fn from(arg: WordBoundariesArg) -> Self {
        match arg {
            WordBoundariesArg::Text => Self::Text,
            WordBoundariesArg::Hf => Self::Hf,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NerFormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
    /// A table with a column of entities
    Csv,
    Tsv,
    Parquet,
    /// One word and its tag per line, a blank line between texts
    Conll,
}

impl NerFormatArg {
    /// The format, given the output's name and whether it is a terminal.
    pub fn resolve(self, output: Option<&Path>, terminal: bool) -> Result<Format> {
        let common = match self {
            Self::Conll => return Ok(Format::Conll),
            Self::Auto => RecordFormatArg::Auto,
            Self::Text => RecordFormatArg::Text,
            Self::Json => RecordFormatArg::Json,
            Self::Jsonl => RecordFormatArg::Jsonl,
            Self::Csv => RecordFormatArg::Csv,
            Self::Tsv => RecordFormatArg::Tsv,
            Self::Parquet => RecordFormatArg::Parquet,
        };
        common.resolve(output, terminal)
    }
}

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
pub struct QaArgs {
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
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Input")]
    pub input_format: QaInputFormatArg,
    /// How to handle an invalid record
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnErrorArg,
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
    #[arg(long, help_heading = "Task")]
    pub impossible: bool,
    /// Predict "no answer" if null_score_diff exceeds X; implies --impossible
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Task")]
    pub null_threshold: Option<f32>,
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
    #[arg(long, value_name = "HOW", default_value = "window", help_heading = "Input")]
    pub long: LongArg,
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; text highlights the answer, auto follows the output's extension (.csv, .tsv, .parquet), otherwise is text on a
    /// terminal and jsonl elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: QaFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QaInputFormatArg {
    Auto,
    Text,
    Jsonl,
    Csv,
    Tsv,
    Parquet,
    Squad,
}

impl From<QaInputFormatArg> for InputFormat {
    fn from(arg: QaInputFormatArg) -> Self {
        match arg {
            QaInputFormatArg::Auto => Self::AutoOrSquad,
            QaInputFormatArg::Text => Self::Text,
            QaInputFormatArg::Jsonl => Self::Jsonl,
            QaInputFormatArg::Csv => Self::Table(TableKind::Csv),
            QaInputFormatArg::Tsv => Self::Table(TableKind::Tsv),
            QaInputFormatArg::Parquet => Self::Table(TableKind::Parquet),
            QaInputFormatArg::Squad => Self::Squad,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignArg {
    /// Complete words with adjacent punctuation, as in transformers
    Words,
    /// Token boundaries
    Tokens,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QaFormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
    /// A table whose predictions are columns
    Csv,
    Tsv,
    Parquet,
    /// Predictions file of SQuAD: one object that maps ids to answers
    Squad,
}

impl QaFormatArg {
    /// The format, given the output's name and whether it is a terminal.
    pub fn resolve(self, output: Option<&Path>, terminal: bool) -> Result<Format> {
        let common = match self {
            Self::Squad => return Ok(Format::Squad),
            Self::Auto => RecordFormatArg::Auto,
            Self::Text => RecordFormatArg::Text,
            Self::Json => RecordFormatArg::Json,
            Self::Jsonl => RecordFormatArg::Jsonl,
            Self::Csv => RecordFormatArg::Csv,
            Self::Tsv => RecordFormatArg::Tsv,
            Self::Parquet => RecordFormatArg::Parquet,
        };
        common.resolve(output, terminal)
    }
}

/// Choose the best of several continuations or answers
///
/// Needs a model fine-tuned for multiple choice. The model reads the pair of prompt and choice or, with a context (as in
/// RACE), the pair of context and prompt plus choice. JSON records contain prompt, choices and optionally context. The
/// number of choices may differ between records.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert choose -m ./my-model \"She was late:\" --choice \"the bus broke.\" --choice \"a red hat.\"
  cat questions.jsonl | albert choose -m ./my-model --prompt-field question")]
pub struct ChooseArgs {
    /// Prompts [default: read --input or standard input, one record per line]
    #[arg(value_name = "PROMPT", conflicts_with = "input")]
    pub prompts: Vec<String>,
    /// A choice, for records without choices of their own; give it at least twice
    #[arg(long = "choice", value_name = "TEXT", help_heading = "Input")]
    pub choices: Vec<String>,
    /// Read the context from a file (- for standard input)
    #[arg(short, long, value_name = "FILE|-", conflicts_with = "context_text", help_heading = "Input")]
    pub context: Option<PathBuf>,
    /// The context
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub context_text: Option<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the prompt
    #[arg(long, value_name = "NAME", default_value = "prompt", help_heading = "Input")]
    pub prompt_field: String,
    /// JSON field or column with the list of choices
    #[arg(long, value_name = "NAME", default_value = "choices", help_heading = "Input")]
    pub choices_field: String,
    /// JSON field or column with the context; records without it use --context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Input")]
    pub context_field: String,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Turn texts or tokens into vectors
///
/// The encoder's last hidden states, or those of another layer, pooled into one vector per text. Every ALBERT checkpoint
/// is supported. A sentence-transformers directory (one with a modules.json) gives the vectors that sentence-transformers
/// gives, with its pooling, Dense, LayerNorm and Normalize modules, maximum length and default prompt.
///
/// With --output FILE.npy or FILE.safetensors, the vectors are written as one array of 32-bit floats with one row per
/// record. With --pooling tokens, use safetensors: record i has the rows offsets[i] to offsets[i + 1] of embeddings.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert embed --normalize \"A sentence to compare with others.\"
  cat texts.txt | albert embed -m albert/albert-base-v2 --output vectors.npy")]
pub struct EmbedArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Second text, for texts without one of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    /// Pooling of the token vectors [default: that of the model's Pooling module, else mean]
    #[arg(long, value_name = "HOW", help_heading = "Task")]
    pub pooling: Option<PoolingArg>,
    /// Hidden state to use: 0 for the embeddings, N for the output of layer N [default: the last]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub layer: Option<usize>,
    /// Scale vectors to length one; --normalize=false ignores the model's Normalize module
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Task"
    )]
    pub normalize: Option<bool>,
    /// Put this before every text [default: the model's default prompt]
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_name", help_heading = "Task")]
    pub prompt: Option<String>,
    /// Use the prompt of this name in config_sentence_transformers.json
    #[arg(long, value_name = "NAME", help_heading = "Task")]
    pub prompt_name: Option<String>,
    /// Ignore modules.json and the other files of sentence-transformers: embed with the encoder alone
    #[arg(long, conflicts_with = "prompt_name", help_heading = "Task")]
    pub ignore_modules: bool,
    /// Add attention maps: layer, head, from token, to token (JSON only)
    #[arg(long, help_heading = "Task")]
    pub attentions: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Write to a file, which appears once it is complete; .npy and .safetensors write an array, .csv, .tsv and .parquet a table
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; auto follows the output's extension, otherwise is text on a terminal and jsonl elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: EmbedFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolingArg {
    /// Vector of the first token, [CLS]
    Cls,
    /// Mean over all tokens, including special tokens
    Mean,
    /// The largest value of each component over all tokens, special ones included
    Max,
    /// The sum over all tokens divided by the square root of their number
    #[value(alias = "mean_sqrt_len_tokens")]
    MeanSqrtLen,
    /// The mean over all tokens with weights 1, 2, 3, ... by position
    #[value(alias = "weightedmean")]
    WeightedMean,
    /// The vector of the last token, [SEP]
    #[value(alias = "lasttoken")]
    LastToken,
    /// Output of the pooler: a dense layer and tanh on the first token
    Pooler,
    /// One vector per token, including special tokens
    Tokens,
}

impl From<PoolingArg> for Pooling {
    fn from(arg: PoolingArg) -> Self {
        match arg {
            PoolingArg::Cls => Self::Cls,
            PoolingArg::Mean => Self::Mean,
            PoolingArg::Max => Self::Max,
            PoolingArg::MeanSqrtLen => Self::MeanSqrtLen,
            PoolingArg::WeightedMean => Self::WeightedMean,
            PoolingArg::LastToken => Self::LastToken,
            PoolingArg::Pooler => Self::Pooler,
            PoolingArg::Tokens => Self::Tokens,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedFormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
    /// A table with a column of vectors
    Csv,
    Tsv,
    Parquet,
    /// NumPy array
    Npy,
    Safetensors,
}

impl EmbedFormatArg {
    /// The kind of array file, by the format or by the output's extension; `None` for other formats.
    pub fn array(self, output: Option<&Path>) -> Option<ArrayKind> {
        match self {
            Self::Npy => Some(ArrayKind::Npy),
            Self::Safetensors => Some(ArrayKind::Safetensors),
            Self::Auto => match output.and_then(|path| path.extension()).and_then(|e| e.to_str()) {
                Some("npy") => Some(ArrayKind::Npy),
                Some("safetensors") => Some(ArrayKind::Safetensors),
                _ => None,
            },
            Self::Text | Self::Json | Self::Jsonl | Self::Csv | Self::Tsv | Self::Parquet => None,
        }
    }

    /// The format if the output is not an array, given its name and whether it is a terminal.
    pub fn resolve(self, output: Option<&Path>, terminal: bool) -> Result<Format> {
        let common = match self {
            Self::Auto | Self::Npy | Self::Safetensors => RecordFormatArg::Auto,
            Self::Text => RecordFormatArg::Text,
            Self::Json => RecordFormatArg::Json,
            Self::Jsonl => RecordFormatArg::Jsonl,
            Self::Csv => RecordFormatArg::Csv,
            Self::Tsv => RecordFormatArg::Tsv,
            Self::Parquet => RecordFormatArg::Parquet,
        };
        common.resolve(output, terminal)
    }
}

/// Classify texts with labels of your own
///
/// Needs a model trained on entailment (MNLI, SNLI, ...). Scores how well the text entails a hypothesis that contains the
/// label, like transformers' zero-shot-classification pipeline. JSON records may contain a list of labels of their own.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert zero-shot -m ./my-nli-model --labels sport,politics \"The team won the cup.\"
  cat tickets.jsonl | albert zero-shot -m ./my-nli-model --labels billing,delivery")]
pub struct ZeroShotArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with a record's own list of labels
    #[arg(long, value_name = "NAME", default_value = "labels", help_heading = "Input")]
    pub labels_field: String,
    /// Labels (comma-separated)
    #[arg(long, value_name = "LABELS", value_delimiter = ',', help_heading = "Task")]
    pub labels: Vec<String>,
    /// Sentence with {} in place of the label
    #[arg(long, value_name = "SENTENCE", default_value = "This example is {}.", help_heading = "Task")]
    pub hypothesis: String,
    /// Score each label independently (entailment against contradiction), so that several may apply
    #[arg(long, help_heading = "Task")]
    pub multi_label: bool,
    /// Label of the model that means entailment, if its name does not begin with "entail"
    #[arg(long, value_name = "LABEL|NUMBER", help_heading = "Task")]
    pub entailment_label: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_all() {
        assert_eq!(top_k("all"), Ok(TopK(None)));
        assert_eq!(top_k("3"), Ok(TopK(Some(3))));
        assert!(top_k("0").is_err() && top_k("-1").is_err() && top_k("many").is_err());
    }

    #[test]
    fn the_name_of_the_output_tells_an_array() {
        let named = |format: EmbedFormatArg, name: &str| format.array(Some(std::path::Path::new(name)));
        assert_eq!(named(EmbedFormatArg::Auto, "a.npy"), Some(ArrayKind::Npy));
        assert_eq!(named(EmbedFormatArg::Auto, "a.safetensors"), Some(ArrayKind::Safetensors));
        assert_eq!(named(EmbedFormatArg::Auto, "a.jsonl"), None);
        assert_eq!(named(EmbedFormatArg::Jsonl, "a.npy"), None);
        assert_eq!(named(EmbedFormatArg::Npy, "a"), Some(ArrayKind::Npy));
    }
}
