//! Command-line arguments shared by subcommands, and the arguments of the small subcommands.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use albert::checkpoint::{Architecture, EmbeddedTask};
use albert::device::{DeviceChoice, FloatType};
use albert::io::{Format, InputFormat, TableKind};
use albert::stream::OnError;
use albert::tasks::Long;

use super::eval_args::EvalArgs;
use super::finetune_args::FinetuneArgs;
use super::pretrain_args::PretrainArgs;
use super::record_format::RecordFormatArg;
use super::task_args::{
    ChooseArgs, ClassifyArgs, EmbedArgs, FillMaskArgs, MlmBiasArg, NerArgs, QaArgs, TokenizeArgs,
    ZeroShotArgs,
};
use super::training_args::TrainTokenizerArgs;

/// Run, train and convert ALBERT language models, on CPU or GPU, without Python.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, max_term_width = 100, after_long_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 some input failed, 2 wrong usage or set-up, 130 training interrupted (continue with --resume).

Environment: ALBERT_MODEL, ALBERT_DEVICE; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, \
as in Hugging Face's tools; NO_COLOR.";

#[derive(Subcommand, Debug)]
pub enum Command {
    FillMask(FillMaskArgs),
    Classify(ClassifyArgs),
    Ner(NerArgs),
    Qa(QaArgs),
    Choose(ChooseArgs),
    Embed(EmbedArgs),
    ZeroShot(ZeroShotArgs),
    Tokenize(TokenizeArgs),
    Pretrain(Box<PretrainArgs>),
    Finetune(FinetuneArgs),
    Eval(EvalArgs),
    TrainTokenizer(TrainTokenizerArgs),
    Convert(ConvertArgs),
    Info(InfoArgs),
    Devices(DevicesArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Options of every subcommand.
#[derive(Args, Debug)]
pub struct GlobalArgs {
    /// Print errors only: no warnings, no progress
    #[arg(short, long, global = true, help_heading = "General")]
    pub quiet: bool,
    /// Print details: loaded tensors, device, timings
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "General")]
    pub verbose: bool,
    /// When to color text output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub color: When,
    /// When to show progress bars on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub progress: When,
}

impl DeviceArgs {
    /// These options with the size of the input, by which `auto` chooses: the bytes of texts in arguments and of files. Without
    /// either, the input is standard input.
    pub fn for_input(&self, files: &[PathBuf], texts: &[String]) -> Self {
        let mut bytes = (!texts.is_empty()).then(|| texts.iter().map(|text| text.len() as u64).sum());
        let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        if files.is_empty() && texts.is_empty() {
            files.push(Path::new("-"));
        }
        for file in files {
            // Standard input may be a file too.
            let file = if file == Path::new("-") { Path::new("/dev/stdin") } else { file };
            let Some(size) = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file) else {
                continue;
            };
            // Compressed text has about a fourth of its bytes.
            let packed = file.extension().is_some_and(|end| end == "gz" || end == "zst");
            *bytes.get_or_insert(0) += size.len() * if packed { 4 } else { 1 };
        }
        Self { input_bytes: bytes, ..self.clone() }
    }
}

/// When to use features of terminals.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Args, Debug)]
pub struct ModelArgs {
    /// Model directory, weight file, or hub id (org/name or org/name@revision)
    ///
    /// The default is the built-in model. A PEFT adapter (LoRA) is merged into its base model.
    #[arg(short, long, env = "ALBERT_MODEL", value_name = "DIR|FILE|HUB_ID", help_heading = "Model")]
    pub model: Option<String>,
    /// Base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR|HUB_ID", hide_short_help = true, help_heading = "Model")]
    pub base_model: Option<String>,
    /// Tokenizer file, directory or hub id to use instead of the model's own
    #[arg(long, value_name = "PATH|HUB_ID", help_heading = "Model")]
    pub tokenizer: Option<String>,
    /// Never use the network; a hub id must be in the cache
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Use weights that hold NaN or infinity, which are an error otherwise
    #[arg(long, hide_short_help = true, help_heading = "Model")]
    pub allow_non_finite: bool,
}

#[derive(Args, Clone, Debug)]
pub struct DeviceArgs {
    /// Bytes of the input, if known.
    #[arg(skip)]
    pub input_bytes: Option<u64>,
    /// Device: auto, flex, ndarray, wgpu[:N], cuda[:N]
    ///
    /// auto selects the CPU (flex), or a discrete or Apple GPU for training and for files so long that the GPU's start pays.
    /// --verbose prints the reason. `albert devices` lists the devices.
    #[arg(long, env = "ALBERT_DEVICE", value_name = "DEVICE", default_value = "auto", value_parser = str::parse::<DeviceChoice>, help_heading = "Device")]
    pub device: DeviceChoice,
    /// Compute precision
    ///
    /// f32 gives the numbers of transformers. On a CPU, bf16x2, bf16 and int8 apply only to matrix multiplications. They are
    /// faster on processors with suitable instructions, and less exact: bf16x2 (the sum of two bf16, for AMX) has errors of
    /// about 1e-5, bf16 and int8 of about 1e-2.
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Device")]
    pub dtype: ComputeArg,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Device")]
    pub threads: Option<u16>,
    /// Padded tokens per forward pass [default: 256 per CPU thread and at least 512; 16384 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Device")]
    pub batch_tokens: Option<u32>,
    /// Random seed (inference is deterministic and ignores it)
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Device")]
    pub seed: Option<u64>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeArg {
    F32,
    F16,
    Bf16x2,
    Bf16,
    Int8,
}

impl From<ComputeArg> for FloatType {
    fn from(arg: ComputeArg) -> Self {
        match arg {
            ComputeArg::F32 => Self::F32,
            ComputeArg::F16 => Self::F16,
            ComputeArg::Bf16x2 => Self::Bf16x2,
            ComputeArg::Bf16 => Self::Bf16,
            ComputeArg::Int8 => Self::Int8,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtypeArg {
    F32,
    F16,
    Bf16,
}

/// Compute precision of training.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecisionArg {
    F32,
    F16,
    Bf16x2,
    Bf16,
}

impl From<PrecisionArg> for FloatType {
    fn from(arg: PrecisionArg) -> Self {
        match arg {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::F16 => Self::F16,
            PrecisionArg::Bf16x2 => Self::Bf16x2,
            PrecisionArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(Args, Debug)]
pub struct LengthArgs {
    /// Maximum number of tokens per text, including special tokens [default: the tokenizer's model_max_length, at most
    /// the model's positions]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    /// How to handle longer texts
    #[arg(long, value_name = "HOW", default_value = "truncate", help_heading = "Input")]
    pub long: LongArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongArg {
    /// Cut the text, warn once, and mark the record with "truncated": true
    Truncate,
    /// Treat it as an invalid record
    Error,
    /// Read it in overlapping windows: ner and qa merge spans, classify averages scores, embed averages vectors
    Window,
}

impl From<LongArg> for Long {
    fn from(arg: LongArg) -> Self {
        match arg {
            LongArg::Truncate => Self::Truncate,
            LongArg::Error => Self::Error,
            LongArg::Window => Self::Window,
        }
    }
}

/// Texts, or records with texts.
#[derive(Args, Debug)]
pub struct InputArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with the second text of a pair
    #[arg(long, value_name = "NAME", default_value = "text_pair", help_heading = "Input")]
    pub pair_field: String,
}

/// Where records come from.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// Read records from files, one after the other (- for standard input)
    ///
    /// Files that are compressed with gzip or Zstandard are decompressed. Tables that are read together need the same columns.
    #[arg(short, long, value_name = "FILE|-", num_args = 1.., help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// Format of the input; auto detects JSON objects, one per line or in one array, and tables by extension
    ///
    /// auto reads a file named .csv, .tsv or .parquet as a table. Of any other input, it reads a line as JSON if its first character
    /// that is not white space is {, and as text otherwise. A file that begins with [ and then { is one JSON array of
    /// records. The first row of CSV and TSV names the columns.
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Input")]
    pub input_format: InputFormatArg,
    /// How to handle an invalid record
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnErrorArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormatArg {
    Auto,
    Text,
    Jsonl,
    Csv,
    Tsv,
    Parquet,
}

impl From<InputFormatArg> for InputFormat {
    fn from(arg: InputFormatArg) -> Self {
        match arg {
            InputFormatArg::Auto => Self::Auto,
            InputFormatArg::Text => Self::Text,
            InputFormatArg::Jsonl => Self::Jsonl,
            InputFormatArg::Csv => Self::Table(TableKind::Csv),
            InputFormatArg::Tsv => Self::Table(TableKind::Tsv),
            InputFormatArg::Parquet => Self::Table(TableKind::Parquet),
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnErrorArg {
    /// Write all earlier results, report the location, exit with 1
    Stop,
    /// Write {"error": ...} in its place, continue, exit with 1 at the end
    Skip,
}

impl From<OnErrorArg> for OnError {
    fn from(arg: OnErrorArg) -> Self {
        match arg {
            OnErrorArg::Stop => Self::Stop,
            OnErrorArg::Skip => Self::Skip,
        }
    }
}

#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; auto follows the output's extension (.csv, .tsv, .parquet), otherwise is text on a terminal and jsonl elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: RecordFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
}

impl FormatArg {
    /// The format, given whether the output is a terminal.
    pub fn resolve(self, terminal: bool) -> Format {
        match self {
            Self::Auto if terminal => Format::Text,
            Self::Auto | Self::Jsonl => Format::Jsonl,
            Self::Text => Format::Text,
            Self::Json => Format::Json,
        }
    }
}

/// Convert any ALBERT checkpoint into a directory that transformers loads
///
/// Reads the same sources as all other subcommands: PyTorch and safetensors files, Google's TensorFlow checkpoints
/// (model.ckpt-best), tf_model.h5 and flax_model.msgpack of transformers, ONNX models, hub ids. Writes config.json, the
/// weights and the tokenizer's files into a new directory, which appears once it is complete. Never changes the source.
/// The source "embedded" is the built-in model.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert convert albert_base/model.ckpt-best ./albert-base
  albert convert ./my-model ./my-model-f16 --dtype f16")]
pub struct ConvertArgs {
    /// Model directory, weight file, prefix of a TensorFlow checkpoint, PEFT adapter directory, or hub id
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Directory to create
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
    /// Float type of the stored weights [default: the source's]
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<DtypeArg>,
    /// Format of the weights
    #[arg(long, value_name = "FORMAT", default_value = "safetensors")]
    pub format: WeightFormatArg,
    /// Head to keep [default: of the class in config.json, or else the one that keeps the most tensors]
    #[arg(long, value_name = "HEAD")]
    pub head: Option<HeadArg>,
    /// Split the weights into files of at most MIB mebibytes
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_shard_size: Option<u32>,
    /// Masked-LM bias to keep if a checkpoint contains two that differ
    #[arg(long, value_name = "WHICH", default_value = "decoder")]
    pub mlm_bias: MlmBiasArg,
    /// Base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR|HUB_ID")]
    pub base_model: Option<String>,
    /// Tokenizer file, directory or hub id to write instead of the source's own
    #[arg(long, value_name = "PATH|HUB_ID", conflicts_with = "no_tokenizer")]
    pub tokenizer: Option<String>,
    /// Write the model without a tokenizer
    #[arg(long)]
    pub no_tokenizer: bool,
    /// Never use the network; a hub id must be in the cache
    #[arg(long)]
    pub offline: bool,
    /// Convert weights that hold NaN or infinity, which are an error otherwise
    #[arg(long)]
    pub allow_non_finite: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormatArg {
    /// model.safetensors
    Safetensors,
    /// pytorch_model.bin
    Pytorch,
    /// model.onnx: the graph of the head, for any batch size and length
    Onnx,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadArg {
    /// AlbertModel: encoder and pooler
    Base,
    /// AlbertForPreTraining
    Pretraining,
    /// AlbertForMaskedLM
    Mlm,
    /// AlbertForSequenceClassification
    Classify,
    /// AlbertForTokenClassification
    Ner,
    /// AlbertForQuestionAnswering
    Qa,
    /// AlbertForMultipleChoice
    Choose,
}

impl HeadArg {
    /// The task of the built-in model with this head.
    pub fn embedded_task(self) -> Option<EmbeddedTask> {
        match self {
            Self::Classify => Some(EmbeddedTask::Sentiment),
            Self::Ner => Some(EmbeddedTask::Entities),
            Self::Qa => Some(EmbeddedTask::Answers),
            Self::Choose => Some(EmbeddedTask::Choices),
            Self::Base | Self::Pretraining | Self::Mlm => None,
        }
    }
}

impl From<HeadArg> for Architecture {
    fn from(arg: HeadArg) -> Self {
        match arg {
            HeadArg::Base => Self::Base,
            HeadArg::Pretraining => Self::PreTraining,
            HeadArg::Mlm => Self::MaskedLm,
            HeadArg::Classify => Self::SequenceClassification,
            HeadArg::Ner => Self::TokenClassification,
            HeadArg::Qa => Self::QuestionAnswering,
            HeadArg::Choose => Self::MultipleChoice,
        }
    }
}

/// Describe a checkpoint
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert info albert/albert-base-v2")]
pub struct InfoArgs {
    /// Model directory, weight file, or hub id [default: --model, or else the built-in model]
    #[arg(value_name = "MODEL")]
    pub checkpoint: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Output format; auto is text on a terminal and json otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FormatArg,
}

/// List the devices that this build can use on this machine
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert devices")]
pub struct DevicesArgs {
    /// Output format; auto is text on a terminal and jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FormatArg,
}

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  albert completions bash > ~/.local/share/bash-completion/completions/albert"
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Print the manual page of albert or of a subcommand
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert man fill-mask > albert-fill-mask.1")]
pub struct ManArgs {
    /// The subcommand
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
