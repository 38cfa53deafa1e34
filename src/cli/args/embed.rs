//! Arguments of `albert embed`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use albert::Result;
use albert::io::{ArrayKind, Format};
use albert::tasks::{OverflowStrategy, Pooling};

use super::common::{InputArgs, LengthArgs, ModelArgs};
use super::device::DeviceArgs;
use super::record_format::RecordFormatArg;

/// Turn texts or tokens into vectors
///
/// The encoder's last hidden states, or those of another layer, pooled into one vector per text. Every ALBERT checkpoint
/// is supported. A sentence-transformers directory (one with a modules.json) gives the vectors that sentence-transformers
/// gives, with its pooling, Dense, LayerNorm and Normalize modules, maximum length and default prompt.
///
/// With --output FILE.npy or FILE.safetensors, the vectors are written as one array with one row per record, in f32 or, with
/// --dtype-out, in f16. With --pooling tokens, use safetensors: record i has the rows offsets[i] to offsets[i + 1] of
/// embeddings. --ids FILE writes the ids of the records.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert embed --normalize \"A sentence to compare with others.\"
  cat texts.txt | albert embed -m albert/albert-base-v2 --output vectors.npy")]
pub(crate) struct EmbedArgs {
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
    pub length: LengthArgs<OverflowStrategy>,
    /// Write to a file, which appears once it is complete; .npy and .safetensors write an array, .csv, .tsv and .parquet a table
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Write the ids of an array's rows to a file, one JSON value per line
    ///
    /// The input is read once more for this, so it must be a file. A record without an id gets null.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub ids: Option<PathBuf>,
    /// JSON field or column with the id, for --ids
    #[arg(long, value_name = "NAME", default_value = "id", requires = "ids", help_heading = "Output")]
    pub id_field: String,
    /// Output format; auto follows the output's extension, otherwise is text on a terminal and jsonl elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: EmbedFormatArg,
    /// Type of the values in .npy, .safetensors and .parquet files
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Output")]
    pub dtype_out: OutputTypeArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputTypeArg {
    F32,
    F16,
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
pub(crate) enum EmbedFormatArg {
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
    pub(crate) fn array(self, output: Option<&Path>) -> Option<ArrayKind> {
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
    pub(crate) fn resolve(self, output: Option<&Path>, terminal: bool) -> Result<Format> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_name_determines_an_array() {
        let named = |format: EmbedFormatArg, name: &str| format.array(Some(std::path::Path::new(name)));
        assert_eq!(named(EmbedFormatArg::Auto, "a.npy"), Some(ArrayKind::Npy));
        assert_eq!(named(EmbedFormatArg::Auto, "a.safetensors"), Some(ArrayKind::Safetensors));
        assert_eq!(named(EmbedFormatArg::Auto, "a.jsonl"), None);
        assert_eq!(named(EmbedFormatArg::Jsonl, "a.npy"), None);
        assert_eq!(named(EmbedFormatArg::Npy, "a"), Some(ArrayKind::Npy));
    }
}
