//! Arguments of `albert embed`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use albert::tasks::{OverflowStrategy, Pooling};

use super::common::{InputArgs, LengthArgs, ModelArgs};
use super::device::DeviceArgs;
use super::formats::{OutputFormatArg, output_formats};

/// Formats that only this command writes.
const ARRAYS: [OutputFormatArg; 2] = [OutputFormatArg::Npy, OutputFormatArg::Safetensors];

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
    pub pooling: Option<Pooling>,
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
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = output_formats(&ARRAYS), help_heading = "Output")]
    pub format: OutputFormatArg,
    /// Type of the values in .npy, .safetensors and .parquet files
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Output")]
    pub dtype_out: OutputTypeArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputTypeArg {
    F32,
    F16,
}
