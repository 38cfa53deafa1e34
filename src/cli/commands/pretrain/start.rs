//! The initial state of a pretraining run: tokenizer, configuration and weights.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use albert::checkpoint::{Checkpoint, TokenizerFiles, write_tokenizer};
use albert::model::{Albert, AlbertConfig, Head};
use albert::tokenizer::Tokenizer;
use albert::tokenizer::train::TrainOptions as TokenizerTraining;
use albert::training::{Parameters, Size, VocabularyOptions, check_vocabulary, model_from, new_model};
use albert::{Error, Result};

use super::plan::row_length;
use super::rows::corpus;
use crate::cli::args::common::ModelArgs;
use crate::cli::args::pretrain::PretrainArgs;
use crate::cli::commands::train_tokenizer;
use crate::cli::options;
use crate::cli::output::report::Reporter;

/// Maximum text length recorded with a tokenizer that is trained here.
const POSITIONS: usize = 512;

const HEADS: [Head; 3] = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];

/// The initial state of the run.
pub(super) enum Start {
    Size(Size),
    Config(PathBuf),
    From(Box<Checkpoint>),
}

impl Start {
    pub(super) fn find(args: &PretrainArgs, reporter: &Reporter) -> Result<Self> {
        Ok(match (&args.init_from, &args.config) {
            (Some(model), _) => {
                let model = ModelArgs {
                    model: Some(model.clone()),
                    base_model: None,
                    tokenizer: None,
                    offline: args.offline,
                    allow_non_finite: args.allow_non_finite,
                };
                Self::From(Box::new(options::checkpoint(&model, reporter)?))
            }
            (None, Some(path)) => Self::Config(path.clone()),
            (None, None) => Self::Size(args.size),
        })
    }

    /// The tokenizer: the named one, the initial model's, or a newly trained one. Returns `None` if interrupted.
    pub(super) fn tokenizer(
        &self,
        args: &PretrainArgs,
        reporter: &Reporter,
        stop: &AtomicBool,
    ) -> Result<Option<(TokenizerFiles, Tokenizer)>> {
        if let Some(named) = &args.tokenizer {
            let path = options::tokenizer_path(named, args.offline, reporter)?;
            let tokenizer = Tokenizer::from_path(&path)?;
            return Ok(Some((TokenizerFiles::at(&path), tokenizer)));
        }
        if let Self::From(checkpoint) = self {
            return Ok(Some((TokenizerFiles::of(checkpoint), checkpoint.tokenizer()?)));
        }
        let folder = args.output.join("tokenizer");
        if !folder.is_dir() {
            reporter.note("training a tokenizer on the corpus (--tokenizer selects an existing one)");
            let train = TokenizerTraining { vocab_size: args.vocab_size as usize, ..Default::default() };
            let options = VocabularyOptions { train, ..VocabularyOptions::default() };
            let trained = train_tokenizer::train(&corpus(args)?, &options, reporter, stop);
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            write_tokenizer(&folder, &trained?.trained.spiece, POSITIONS)?;
        }
        let tokenizer = Tokenizer::from_dir(&folder)?;
        Ok(Some((TokenizerFiles::Directory(folder), tokenizer)))
    }

    pub(super) fn model(
        &self,
        args: &PretrainArgs,
        config: &AlbertConfig,
        device: &Device,
        reporter: &Reporter,
    ) -> Result<(Albert, Parameters)> {
        let Self::From(checkpoint) = self else { return new_model(config, &HEADS, args.seed, device) };
        let (model, parameters, missing) = model_from(checkpoint, config, &HEADS, args.seed, device)?;
        for head in missing {
            reporter
                .note(&format!("{}: has no matching {head:?} head; initializing a new one", checkpoint.name));
        }
        Ok((model, parameters))
    }
}

/// `--freeze`.
pub(super) fn freeze(prefixes: &[String], parameters: &mut Parameters) -> Result<()> {
    let bad = |problem: String| Err(Error::InvalidOption { name: "freeze".to_owned(), problem });
    for prefix in prefixes {
        if !parameters.tensors().iter().any(|parameter| parameter.name.starts_with(prefix)) {
            let names: Vec<&str> = parameters.tensors().iter().map(|parameter| &*parameter.name).collect();
            return bad(format!(
                "no parameter's name starts with {prefix:?}; there are {}",
                names.join(", ")
            ));
        }
        parameters.freeze(|name| name.starts_with(prefix));
    }
    if parameters.tensors().iter().all(|parameter| parameter.frozen) {
        return bad("every parameter is frozen".to_owned());
    }
    Ok(())
}

/// The configuration of the model with the vocabulary of the tokenizer.
pub(super) fn configuration(
    args: &PretrainArgs,
    start: &Start,
    tokenizer: &Tokenizer,
) -> Result<AlbertConfig> {
    let mut config = match start {
        Start::Size(size) => size.config(),
        Start::Config(path) => AlbertConfig::from_file(path)?,
        Start::From(checkpoint) => checkpoint.config.clone(),
    };
    if matches!(start, Start::From(_)) {
        check_vocabulary(&config, tokenizer.id_bound())?;
    } else {
        config.vocab_size = tokenizer.id_bound();
        config.pad_token_id = tokenizer.pad_id().map(|id| id as usize);
        config.bos_token_id = tokenizer.cls_id().map(|id| id as usize);
        config.eos_token_id = tokenizer.sep_id().map(|id| id as usize);
    }
    if config.num_labels != 2 {
        // transformers gives the sentence-order head this number of outputs.
        config.set_num_labels(2);
    }
    if let Some(rate) = args.hidden_dropout {
        config.hidden_dropout_prob = rate;
    }
    if let Some(rate) = args.attention_dropout {
        config.attention_probs_dropout_prob = rate;
    }
    if row_length(args, &config) > config.max_position_embeddings {
        return Err(Error::InvalidOption {
            name: "max_seq_length".to_owned(),
            problem: format!("the model has {} positions", config.max_position_embeddings),
        });
    }
    Ok(config)
}
