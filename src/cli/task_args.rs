//! The arguments of the tasks as typed: clap types only.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use albert::checkpoint::MlmBias;
use albert::io::{ArrayKind, Format, InputFormat};
use albert::tasks::{Aggregation, Function, Pooling, WordBoundaries};

use super::args::{
    DeviceArgs, FormatArg, InputArgs, LengthArgs, LongArg, ModelArgs, OnErrorArg, OutputArgs, RecordArgs,
};

/// Fill [MASK] with the words that fit best
///
/// Reads texts as arguments, or records from a file or standard input, a line each: plain text, or JSON
/// objects whose other fields pass through. Scores are probabilities, as in transformers' fill-mask
/// pipeline. With several masks in a text each has its own list, and the masks are scored independently.
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
    /// Score only these words, separated by commas
    ///
    /// A word that is a piece of the vocabulary as written is scored as that piece, as transformers
    /// does (write "▁he" for the word, "he" may be a piece inside words). Any other word is cut into
    /// its pieces; if there are several, its score is the product of their probabilities from left to
    /// right with as many masks in the place.
    #[arg(long, value_name = "WORDS", value_delimiter = ',', help_heading = "Task")]
    pub targets: Vec<String>,
    /// Which bias to add where a checkpoint holds two that differ
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
    /// predictions.decoder.bias, as transformers for PyTorch
    Decoder,
    /// predictions.bias, as transformers for Flax
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

/// Show how a model's tokenizer cuts text
///
/// Offsets count Unicode code points of the text (of the second text for its own tokens).
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

/// Label texts or pairs, or give them a number; judge sentence order
///
/// With a model fine-tuned for classification or regression. As transformers' text-classification pipeline:
/// the best label with its probability; problem_type in config.json decides between softmax, sigmoid and the
/// model's own number. Pairs have segment ids 0 and 1. With --order a pretrained model says how likely it is
/// that the second text follows the first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert classify -m textattack/albert-base-v2-SST-2 \"I loved every minute of it.\"
  albert classify --order --text-pair \"She opened it at once.\" \"He handed her a letter.\"
  cat reviews.jsonl | albert classify -m textattack/albert-base-v2-SST-2 --text-field review")]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// The second text, for texts that have none of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    /// Labels per text, best first: a number, or all
    #[arg(short = 'k', long, value_name = "N|all", default_value = "1", value_parser = top_k, help_heading = "Task")]
    pub top_k: TopK,
    /// How the model's numbers become scores
    #[arg(long, value_name = "FUNCTION", default_value = "auto", help_heading = "Task")]
    pub function: FunctionArg,
    /// Sentence order instead of labels: in_order, with the probability that the second text follows the
    /// first
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

/// So many, or `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK(pub Option<usize>);

fn top_k(text: &str) -> Result<TopK, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(TopK(None)),
        (_, Ok(n)) if n > 0 => Ok(TopK(Some(n))),
        _ => Err("expected a number from 1, or all".to_owned()),
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionArg {
    /// As transformers: by problem_type in config.json, else sigmoid for one label, softmax for several
    Auto,
    /// Probabilities that sum to one
    Softmax,
    /// A probability for each label by itself
    Sigmoid,
    /// The model's own numbers
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

/// Find named entities and other labelled spans
///
/// With a model fine-tuned for token classification. Entities end where words of the text end, are exact
/// slices of it, and start and end count its Unicode code points. Records may hold words instead of text, in
/// the field tokens; offsets are then those of the words joined by spaces, and start_token and end_token
/// count words.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert ner -m ArBert/albert-base-v2-finetuned-ner \"Angela Merkel met Barack Obama in Berlin.\"
  cat news.txt | albert ner -m ArBert/albert-base-v2-finetuned-ner --long window --format conll")]
pub struct NerArgs {
    /// Texts; without any, --input or standard input is read, a record a line
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field that holds the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field that holds a list of words, where there is no text
    #[arg(long, value_name = "NAME", default_value = "tokens", help_heading = "Input")]
    pub tokens_field: String,
    /// How tokens become entities
    #[arg(long, value_name = "HOW", default_value = "simple", help_heading = "Task")]
    pub aggregation: AggregationArg,
    /// Labels that are left out, separated by commas
    #[arg(long, value_name = "LABELS", value_delimiter = ',', default_value = "O", help_heading = "Task")]
    pub ignore_labels: Vec<String>,
    /// Where words end
    #[arg(long, value_name = "HOW", default_value = "text", help_heading = "Task")]
    pub word_boundaries: WordBoundariesArg,
    /// Read long texts in windows that share N tokens [with --long window: a quarter of a window]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub stride: Option<usize>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Write to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// text marks the entities in the text; auto is text on a terminal, jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: NerFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregationArg {
    /// Every token by itself, with its label
    None,
    /// Neighbouring tokens of one type are one entity
    Simple,
    /// Words first, each labelled as its first token
    First,
    /// Words first, each by the mean of its tokens' scores
    Average,
    /// Words first, each labelled as its surest token
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
    /// Where the text has them: no entity is cut inside a word
    Text,
    /// Where transformers' pipeline guesses them, for exactly its output
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
    /// A word and its tag a line, an empty line between texts
    Conll,
}

impl NerFormatArg {
    /// The format, given whether the output is a terminal.
    pub fn resolve(self, terminal: bool) -> Format {
        match self {
            Self::Auto => FormatArg::Auto.resolve(terminal),
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Jsonl => Format::Jsonl,
            Self::Conll => Format::Conll,
        }
    }
}

/// Answer questions from a context
///
/// With a model fine-tuned for question answering (SQuAD). An answer is a slice of the context; start and end
/// count its Unicode code points. Long contexts are read in overlapping windows. Questions come as arguments
/// or lines with one --context, as JSON records with question and context, or as a SQuAD file (1.1 or 2.0);
/// --format squad writes the predictions file that SQuAD's own evaluation reads.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert qa -m twmkn9/albert-base-v2-squad2 --context page.txt \"Who wrote the letter?\"
  cat page.txt | albert qa -m twmkn9/albert-base-v2-squad2 --context - \"Who wrote it?\" \"When?\"
  albert qa -m ./my-model --impossible -i dev-v2.0.json --format squad -o predictions.json")]
pub struct QaArgs {
    /// Questions; without any, --input or standard input is read
    #[arg(value_name = "QUESTION", conflicts_with = "input")]
    pub questions: Vec<String>,
    /// Read the context from a file, - for standard input
    #[arg(short, long, value_name = "FILE|-", conflicts_with = "context_text", help_heading = "Input")]
    pub context: Option<PathBuf>,
    /// The context itself
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub context_text: Option<String>,
    /// Read records from a file, - for standard input
    #[arg(short, long, value_name = "FILE|-", help_heading = "Input")]
    pub input: Option<PathBuf>,
    /// How the input becomes records; auto detects SQuAD files and JSON objects, one per line or in one array
    ///
    /// A SQuAD file holds articles with paragraphs, or is a flat list of questions with a context each, as for
    /// transformers' run_qa.py.
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Input")]
    pub input_format: QaInputFormatArg,
    /// What to do about a bad record: stop at it, or skip it and go on
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnErrorArg,
    /// JSON field that holds the question
    #[arg(long, value_name = "NAME", default_value = "question", help_heading = "Input")]
    pub question_field: String,
    /// JSON field that holds the context; records without it take --context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Input")]
    pub context_field: String,
    /// JSON field that holds a question's id, for --format squad
    #[arg(long, value_name = "NAME", default_value = "id", help_heading = "Input")]
    pub id_field: String,
    /// Answers per question
    #[arg(short = 'k', long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub top_k: u32,
    /// Tokens that neighbouring windows share [default: 128, or half of a shorter window]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub doc_stride: Option<usize>,
    /// Longest answer in tokens
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub max_answer_len: u32,
    /// Longest question in tokens; the rest is cut off
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub max_question_len: u32,
    /// No answer is an answer too: an empty one, for models trained on SQuAD 2.0
    ///
    /// Records then have null_score, its probability, and null_score_diff, by how much its logits exceed those
    /// of the best answer.
    #[arg(long, help_heading = "Task")]
    pub impossible: bool,
    /// No answer wins if null_score_diff is above X, else the best answer; implies --impossible
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Task")]
    pub null_threshold: Option<f32>,
    /// What answers are widened to
    #[arg(long, value_name = "WHAT", default_value = "words", help_heading = "Task")]
    pub align: AlignArg,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Longest window in tokens, question and special tokens included [default: 384, or the limit of the tokenizer or the
    /// model if that is lower]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    /// What to do with longer contexts
    #[arg(long, value_name = "HOW", default_value = "window", help_heading = "Input")]
    pub long: LongArg,
    /// Write to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// text marks the answer in its sentence; auto is text on a terminal, jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: QaFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QaInputFormatArg {
    Auto,
    Text,
    Jsonl,
    Squad,
}

impl From<QaInputFormatArg> for InputFormat {
    fn from(arg: QaInputFormatArg) -> Self {
        match arg {
            QaInputFormatArg::Auto => Self::AutoOrSquad,
            QaInputFormatArg::Text => Self::Text,
            QaInputFormatArg::Jsonl => Self::Jsonl,
            QaInputFormatArg::Squad => Self::Squad,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignArg {
    /// Whole words, with the marks written to them, as transformers does
    Words,
    /// The tokens as they are
    Tokens,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QaFormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
    /// SQuAD's predictions file: one object, from ids to answers
    Squad,
}

impl QaFormatArg {
    /// The format, given whether the output is a terminal.
    pub fn resolve(self, terminal: bool) -> Format {
        match self {
            Self::Auto => FormatArg::Auto.resolve(terminal),
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Jsonl => Format::Jsonl,
            Self::Squad => Format::Squad,
        }
    }
}

/// Choose the best of several continuations or answers
///
/// With a model fine-tuned for multiple choice. The model sees the pair of prompt and choice, or with a
/// context (as in RACE) the pair of context and prompt plus choice. JSON records hold prompt, choices and
/// maybe context; each may have its own number of choices.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert choose -m ./my-model \"She was late:\" --choice \"the bus broke.\" --choice \"a red hat.\"
  cat questions.jsonl | albert choose -m ./my-model --prompt-field question")]
pub struct ChooseArgs {
    /// Prompts; without any, --input or standard input is read, a record a line
    #[arg(value_name = "PROMPT", conflicts_with = "input")]
    pub prompts: Vec<String>,
    /// A choice, for records that have none of their own; give it twice or more
    #[arg(long = "choice", value_name = "TEXT", help_heading = "Input")]
    pub choices: Vec<String>,
    /// Read the context from a file, - for standard input
    #[arg(short, long, value_name = "FILE|-", conflicts_with = "context_text", help_heading = "Input")]
    pub context: Option<PathBuf>,
    /// The context itself
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub context_text: Option<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field that holds the prompt
    #[arg(long, value_name = "NAME", default_value = "prompt", help_heading = "Input")]
    pub prompt_field: String,
    /// JSON field that holds the list of choices
    #[arg(long, value_name = "NAME", default_value = "choices", help_heading = "Input")]
    pub choices_field: String,
    /// JSON field that holds the context; records without it take --context
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

/// Turn texts or their tokens into vectors
///
/// The encoder's last hidden states, or those of another layer, pooled into one vector per text. Any ALBERT
/// will do. A directory of sentence-transformers (with a modules.json) gives the vectors that sentence-transformers
/// gives: with its pooling, its Dense and Normalize modules, its longest text and its default prompt. With --output FILE.npy or FILE.safetensors the vectors become one array of 32-bit floats, a row a
/// record; tokens of different numbers need safetensors, where record i has the rows from offsets[i] to
/// offsets[i + 1] of embeddings.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert embed --normalize \"A sentence to compare with others.\"
  cat texts.txt | albert embed -m albert/albert-base-v2 --output vectors.npy")]
pub struct EmbedArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// The second text, for texts that have none of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    /// What becomes of the token vectors [default: that of the model's Pooling module, else mean]
    #[arg(long, value_name = "HOW", help_heading = "Task")]
    pub pooling: Option<PoolingArg>,
    /// Which hidden state: 0 is the embeddings, N the output of layer N [default: the last]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub layer: Option<usize>,
    /// Scale vectors to length one; --normalize=false leaves out the model's Normalize module
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
    /// Attention maps too: layer, head, from token, to token (JSON only)
    #[arg(long, help_heading = "Task")]
    pub attentions: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Write to a file, which appears when it is complete; .npy and .safetensors make an array
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// text is for eyes; auto goes by the name of the output, else is text on a terminal, jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: EmbedFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolingArg {
    /// The vector of the first token, [CLS]
    Cls,
    /// The mean over all tokens, special ones included
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
    /// The pooler's output: a dense layer and tanh over the first token
    Pooler,
    /// One vector per token, special ones included
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
    /// NumPy's array file
    Npy,
    Safetensors,
}

impl EmbedFormatArg {
    /// The kind of array file, if it is one: by the format, or by the ending of the output's name.
    pub fn array(self, output: Option<&std::path::Path>) -> Option<ArrayKind> {
        match self {
            Self::Npy => Some(ArrayKind::Npy),
            Self::Safetensors => Some(ArrayKind::Safetensors),
            Self::Auto => match output.and_then(|path| path.extension()).and_then(|e| e.to_str()) {
                Some("npy") => Some(ArrayKind::Npy),
                Some("safetensors") => Some(ArrayKind::Safetensors),
                _ => None,
            },
            Self::Text | Self::Json | Self::Jsonl => None,
        }
    }

    /// The format of what is no array, given whether the output is a terminal.
    pub fn resolve(self, terminal: bool) -> Format {
        match self {
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Jsonl => Format::Jsonl,
            Self::Auto | Self::Npy | Self::Safetensors => FormatArg::Auto.resolve(terminal),
        }
    }
}

/// Label texts with labels made up on the spot
///
/// With a classifier of entailment (trained on MNLI, SNLI, ...): how well does the text entail the hypothesis
/// with each label in it? As transformers' zero-shot-classification pipeline. JSON records may bring their own
/// list of labels.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert zero-shot -m ./my-nli-model --labels sport,politics \"The team won the cup.\"
  cat tickets.jsonl | albert zero-shot -m ./my-nli-model --labels billing,delivery")]
pub struct ZeroShotArgs {
    /// Texts; without any, --input or standard input is read, a record a line
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field that holds the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field that holds a record's own list of labels
    #[arg(long, value_name = "NAME", default_value = "labels", help_heading = "Input")]
    pub labels_field: String,
    /// The labels, separated by commas
    #[arg(long, value_name = "LABELS", value_delimiter = ',', help_heading = "Task")]
    pub labels: Vec<String>,
    /// A sentence with {} in the label's place
    #[arg(long, value_name = "SENTENCE", default_value = "This example is {}.", help_heading = "Task")]
    pub hypothesis: String,
    /// Several labels may hold: each is judged by itself, entailment against contradiction
    #[arg(long, help_heading = "Task")]
    pub multi_label: bool,
    /// The model's label that means entailment, where its name does not begin with "entail"
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
