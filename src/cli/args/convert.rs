//! Arguments of `albert convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use albert::checkpoint::{Architecture, EmbeddedTask};

use albert::checkpoint::MlmBias;

/// Convert any ALBERT checkpoint into a directory that transformers loads
///
/// Reads the same sources as all other subcommands: PyTorch and safetensors files, Google's TensorFlow checkpoints
/// (model.ckpt-best), tf_model.h5 and flax_model.msgpack of transformers, ONNX models, hub ids. Writes config.json, the
/// weights and the tokenizer's files into a new directory. The directory appears once it is complete. The source never
/// changes.
/// The source "embedded" is the built-in model.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert convert albert_base/model.ckpt-best ./albert-base
  albert convert ./my-model ./my-model-f16 --dtype f16")]
pub(crate) struct ConvertArgs {
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
    /// Head to keep [default: that of the class in config.json, otherwise the one that keeps the most tensors]
    #[arg(long, value_name = "HEAD")]
    pub head: Option<HeadArg>,
    /// Split the weights into files of at most MIB mebibytes
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_shard_size: Option<u32>,
    /// Masked-LM bias to keep if a checkpoint contains two that differ
    #[arg(long, value_name = "WHICH", default_value = "decoder")]
    pub mlm_bias: MlmBias,
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
pub(crate) enum WeightFormatArg {
    /// model.safetensors
    Safetensors,
    /// pytorch_model.bin
    Pytorch,
    /// model.onnx: the graph of the head, for any batch size and length
    Onnx,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DtypeArg {
    F32,
    F16,
    Bf16,
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
