//! The arguments as typed: clap types only. Here what subcommands share, and the small ones; those of the tasks
//! are in `task_args`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use albert::checkpoint::{Architecture, EmbeddedTask};
use albert::device::{DeviceChoice, FloatType};
use albert::io::{Format, InputFormat};
use albert::stream::OnError;
use albert::tasks::Long;

use super::eval_args::EvalArgs;
use super::finetune_args::FinetuneArgs;
use super::pretrain_args::PretrainArgs;
use super::task_args::{
    ChooseArgs, ClassifyArgs, EmbedArgs, FillMaskArgs, MlmBiasArg, NerArgs, QaArgs, TokenizeArgs,
    ZeroShotArgs,
};
use super::training_args::TrainTokenizerArgs;

/// ALBERT language models at the command line: one binary, no Python, CPU or GPU.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, max_term_width = 100, after_long_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 some input failed, 2 usage or set-up, 130 training interrupted (--resume goes on).

Environment: ALBERT_MODEL, ALBERT_DEVICE; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE \
as Hugging Face's own tools; NO_COLOR.";

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
    /// No warnings, no progress; errors only
    #[arg(short, long, global = true, help_heading = "General")]
    pub quiet: bool,
    /// Say more: what was loaded, where it runs, how long it took
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "General")]
    pub verbose: bool,
    /// Colour in what is printed for eyes
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub color: When,
    /// Progress bars on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub progress: When,
}

/// When to do something that suits terminals.
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
    /// Without it the small model inside the binary serves, and says so. A directory with a PEFT adapter (LoRA) stands for
    /// its base model with the adapter merged into it.
    #[arg(short, long, env = "ALBERT_MODEL", value_name = "DIR|FILE|HUB_ID", help_heading = "Model")]
    pub model: Option<String>,
    /// Base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR|HUB_ID", hide_short_help = true, help_heading = "Model")]
    pub base_model: Option<String>,
    /// Tokenizer file, directory or hub id to use instead of the model's own
    #[arg(long, value_name = "PATH|HUB_ID", help_heading = "Model")]
    pub tokenizer: Option<String>,
    /// Never use the network: a hub id must be in the cache
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Use weights that hold NaN or infinity, which are an error otherwise
    #[arg(long, hide_short_help = true, help_heading = "Model")]
    pub allow_non_finite: bool,
}

#[derive(Args, Debug)]
pub struct DeviceArgs {
    /// Where to compute: auto, flex, ndarray, wgpu[:N], cuda[:N]
    ///
    /// auto takes a real GPU if there is one, else flex, the CPU. `albert devices` lists what is there.
    #[arg(long, env = "ALBERT_DEVICE", value_name = "DEVICE", default_value = "auto", value_parser = str::parse::<DeviceChoice>, help_heading = "Device")]
    pub device: DeviceChoice,
    /// Numbers to compute with
    ///
    /// f32 agrees with transformers. On a CPU, bf16x2, bf16 and int8 are used inside the matrix products alone:
    /// quicker where the processor has instructions for them, and less exact. bf16x2 takes each f32 for
    /// the sum of two bf16, on processors with AMX, and is off by 1e-5 or so; bf16 and int8 are off by 1e-2.
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Device")]
    pub dtype: ComputeArg,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Device")]
    pub threads: Option<u16>,
    /// Padded tokens per forward pass [default: 256 for each thread of a CPU, 512 at least; 16384 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Device")]
    pub batch_tokens: Option<u32>,
    /// Seed of everything random (inference has nothing random)
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

/// The numbers of training.
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
    /// Longest text in tokens, special tokens included [default: the tokenizer's model_max_length, or the model's
    /// positions if there are fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    /// What to do with longer text
    #[arg(long, value_name = "HOW", default_value = "truncate", help_heading = "Input")]
    pub long: LongArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongArg {
    /// Cut it, warn once, and mark the record with "truncated": true
    Truncate,
    /// Take it as a bad record
    Error,
    /// Read it in overlapping windows: ner and qa merge their spans, classify takes the mean of their
    /// scores, embed of their vectors
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
    /// Texts; without any, --input or standard input is read, a record a line
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field that holds the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field that holds the second text of a pair
    #[arg(long, value_name = "NAME", default_value = "text_pair", help_heading = "Input")]
    pub pair_field: String,
}

/// Where records come from.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// Read records from a file, - for standard input
    #[arg(short, long, value_name = "FILE|-", help_heading = "Input")]
    pub input: Option<PathBuf>,
    /// How the input becomes records; auto detects JSON objects, one per line or in one array
    ///
    /// auto reads a line as JSON if its first character that is not white space is {, and as text otherwise. A file
    /// that begins with [ and then { is one JSON array of records.
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Input")]
    pub input_format: InputFormatArg,
    /// What to do about a bad record: stop at it, or skip it and go on
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnErrorArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormatArg {
    Auto,
    Text,
    Jsonl,
}

impl From<InputFormatArg> for InputFormat {
    fn from(arg: InputFormatArg) -> Self {
        match arg {
            InputFormatArg::Auto => Self::Auto,
            InputFormatArg::Text => Self::Text,
            InputFormatArg::Jsonl => Self::Jsonl,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnErrorArg {
    /// Write what came before it, say where it is, exit with 1
    Stop,
    /// Put {"error": ...} in its place, go on, exit with 1 at the end
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
    /// Write to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// text is for eyes; auto is text on a terminal, jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: FormatArg,
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

/// Turn any ALBERT checkpoint into a directory that transformers loads
///
/// Reads what every other subcommand reads: PyTorch and safetensors files, Google's TensorFlow checkpoints
/// (model.ckpt-best), transformers' tf_model.h5 and flax_model.msgpack, hub ids. Writes config.json, the
/// weights, and the tokenizer's files into a new directory, which appears when it is whole. The source is
/// never changed. "embedded" is the model inside the binary.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert convert albert_base/model.ckpt-best ./albert-base
  albert convert ./my-model ./my-model-f16 --dtype f16")]
pub struct ConvertArgs {
    /// Model directory, weight file, prefix of a TensorFlow checkpoint, PEFT adapter directory, or hub id
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// A new directory
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
    /// Float type to store [default: the source's]
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<DtypeArg>,
    /// Form of the weights
    #[arg(long, value_name = "FORMAT", default_value = "safetensors")]
    pub format: WeightFormatArg,
    /// The head to keep [default: the class that config.json names, or the one that keeps the most]
    #[arg(long, value_name = "HEAD")]
    pub head: Option<HeadArg>,
    /// Split the weights into files of at most so many MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_shard_size: Option<u32>,
    /// Which bias to keep where a checkpoint holds two that differ
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
    /// Never use the network: a hub id must be in the cache
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
    /// model.onnx: the graph of the head, for any batch and length
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
    /// The task of the model inside the binary that has such a head.
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

/// Show what a checkpoint is and holds
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert info albert/albert-base-v2")]
pub struct InfoArgs {
    /// Model directory, weight file, or hub id; without it --model, else the model inside the binary
    #[arg(value_name = "MODEL")]
    pub checkpoint: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// text is for eyes; auto is text on a terminal, json otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FormatArg,
}

/// List the devices that this build can use here
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert devices")]
pub struct DevicesArgs {
    /// text is for eyes; auto is text on a terminal, jsonl otherwise
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

/// Print the manual page, of albert or of a subcommand
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert man fill-mask > albert-fill-mask.1")]
pub struct ManArgs {
    /// A subcommand
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
