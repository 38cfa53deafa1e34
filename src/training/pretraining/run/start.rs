//! The initial state of a pretraining run: tokenizer, configuration and weights.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use super::observer::{PretrainObserver, PretrainPhase};
use super::options::{PretrainOptions, Start};
use crate::checkpoint::{TokenizerFiles, write_tokenizer};
use crate::error::{Error, Result, listed};
use crate::io::create_directory;
use crate::model::{Albert, AlbertConfig, Head};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::train::TrainOptions as TokenizerTraining;
use crate::training::corpus::Corpus;
use crate::training::{
    Parameters, Step, VocabularyOptions, check_vocabulary, model_from, new_model, train_vocabulary,
};

/// Maximum text length recorded with a tokenizer that is trained here.
const POSITIONS: usize = 512;

const HEADS: [Head; 3] = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];

/// The tokenizer: the named one, the initial model's, or a newly trained one. Returns `None` if interrupted.
pub(super) fn tokenizer(
    options: &PretrainOptions,
    stop: &AtomicBool,
    observer: &mut dyn PretrainObserver,
) -> Result<Option<(TokenizerFiles, Tokenizer)>> {
    if let Some(path) = &options.tokenizer {
        return Ok(Some((TokenizerFiles::at(path), Tokenizer::from_path(path)?)));
    }
    if let Start::Model(checkpoint) = &options.start {
        return Ok(Some((TokenizerFiles::of(checkpoint), checkpoint.tokenizer()?)));
    }
    let folder = options.output.join("tokenizer");
    let exists = folder.is_dir();
    if !exists {
        let corpus = Corpus::open(&options.corpus, options.corpus_options.clone())?;
        if !corpus.is_rereadable() {
            return Err(Error::InvalidOption {
                name: "tokenizer".to_owned(),
                problem: "name one: the corpus is a pipe, which cannot be read twice, first for a new tokenizer and then \
                          for training"
                    .to_owned(),
            });
        }
        observer.tokenizer_training_started();
        let (vocab_size, keep_accents) = (options.vocab_size, options.keep_accents);
        let train = TokenizerTraining { vocab_size, keep_accents, ..Default::default() };
        let vocabulary = VocabularyOptions { train, ..VocabularyOptions::default() };
        let trained = train_vocabulary(&corpus, &vocabulary, &mut |step, done, total| {
            let phase = match step {
                Step::Reading => PretrainPhase::Reading,
                Step::Fitting => PretrainPhase::Fitting,
            };
            observer.progressed(phase, done, total);
            !stop.load(Ordering::Relaxed)
        });
        observer.phases_ended();
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        create_directory(&options.output)?;
        let trained = trained?.trained;
        if let Some(warning) = &trained.warning {
            observer.warned(warning);
        }
        write_tokenizer(&folder, &trained, POSITIONS)?;
    }
    let tokenizer = Tokenizer::from_dir(&folder)?;
    if exists && !options.resume {
        observer.noted(&format!(
            "using the tokenizer of an earlier run in {}, with {} pieces; remove it to train a new one",
            folder.display(),
            tokenizer.id_bound()
        ));
    }
    Ok(Some((TokenizerFiles::Directory(folder), tokenizer)))
}

/// The configuration of the model with the vocabulary of the tokenizer.
pub(super) fn configuration(options: &PretrainOptions, tokenizer: &Tokenizer) -> Result<AlbertConfig> {
    let mut config = match &options.start {
        Start::Size(size) => size.config(),
        Start::Config(path) => AlbertConfig::from_file(path)?,
        Start::Model(checkpoint) => checkpoint.config.clone(),
    };
    if matches!(options.start, Start::Model(_)) {
        check_vocabulary(&config, tokenizer.id_bound())?;
    } else {
        config.vocab_size = tokenizer.id_bound();
        config.pad_token_id = tokenizer.pad_id().map(|id| id as usize);
        config.bos_token_id = tokenizer.cls_id().map(|id| id as usize);
        config.eos_token_id = tokenizer.sep_id().map(|id| id as usize);
    }
    if config.num_labels != 2 {
        // The sentence-order head of transformers has `num_labels` outputs.
        config.set_num_labels(2);
    }
    if let Some(rate) = options.hidden_dropout {
        config.hidden_dropout_prob = rate;
    }
    if let Some(rate) = options.attention_dropout {
        config.attention_probs_dropout_prob = rate;
    }
    if options.row_length(&config) > config.max_position_embeddings {
        return Err(Error::InvalidOption {
            name: "max_seq_length".to_owned(),
            problem: format!("the model has {} positions", config.max_position_embeddings),
        });
    }
    Ok(config)
}

/// The initial weights on `device`.
pub(super) fn model(
    options: &PretrainOptions,
    config: &AlbertConfig,
    device: &Device,
    observer: &mut dyn PretrainObserver,
) -> Result<(Albert, Parameters)> {
    let Start::Model(checkpoint) = &options.start else {
        return new_model(config, &HEADS, options.seed, device);
    };
    let (model, parameters, missing) = model_from(checkpoint, config, &HEADS, options.seed, device)?;
    for head in missing {
        observer.noted(&format!("{} has no matching {head:?} head; initializing a new one", checkpoint.name));
    }
    Ok((model, parameters))
}

/// Returns the part of the model that a parameter belongs to: the first component of its name, or `albert.` and the second.
fn part_of_model(name: &str) -> &str {
    let start = if name.starts_with("albert.") { "albert.".len() } else { 0 };
    let end = name[start..].find('.').map_or(name.len(), |dot| start + dot);
    &name[..end]
}

/// Freezes the parameters whose names start with one of these prefixes.
pub(super) fn freeze(prefixes: &[String], parameters: &mut Parameters) -> Result<()> {
    let bad = |problem: String| Err(Error::InvalidOption { name: "freeze".to_owned(), problem });
    for prefix in prefixes {
        if !parameters.tensors().iter().any(|parameter| parameter.name.starts_with(prefix)) {
            let names = parameters.tensors().iter().map(|parameter| part_of_model(&parameter.name));
            let parts: BTreeSet<&str> = names.collect();
            return bad(format!(
                "no parameter's name starts with \"{prefix}\"; the names start with {}",
                listed(parts)
            ));
        }
        parameters.freeze(|name| name.starts_with(prefix));
    }
    if parameters.tensors().iter().all(|parameter| parameter.frozen) {
        return bad("every parameter is frozen".to_owned());
    }
    Ok(())
}
