//! The rows of a pretraining run: corpus, token cache and instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::observer::{PretrainObserver, PretrainPhase};
use super::options::PretrainOptions;
use crate::checkpoint::TokenizerFiles;
use crate::error::Result;
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;
use crate::training::Communicator;
use crate::training::corpus::{Corpus, TokenCache};
use crate::training::instances::{Instance, InstanceOptions, InstanceStream, PieceTable, SpecialIds};
use crate::training::run_directory::RunDirectory;

/// The token ids of the corpus. Returns `None` if interrupted.
pub(super) fn token_cache(
    options: &PretrainOptions,
    tokenizer: &Tokenizer,
    stop: &AtomicBool,
    observer: &mut dyn PretrainObserver,
) -> Result<Option<TokenCache>> {
    let corpus = Corpus::open(&options.corpus, options.corpus_options.clone())?;
    let _directory = RunDirectory::create(&options.output)?;
    let folder = options.cache.clone().unwrap_or_else(|| options.output.join("cache"));
    let cache = TokenCache::open_or_build(&folder, &corpus, tokenizer, &mut |done, total| {
        observer.progressed(PretrainPhase::Tokenizing, done, total);
        !stop.load(Ordering::Relaxed)
    });
    observer.phases_ended();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let cache = cache?;
    observer.corpus_read(cache.summary());
    Ok(Some(cache))
}

/// The rows of a run, with its tokenizer and the configuration of its model.
pub struct PretrainRows<'a> {
    pub(super) options: PretrainOptions,
    pub(super) world: &'a dyn Communicator,
    pub(super) files: TokenizerFiles,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) config: AlbertConfig,
    pub(super) special: SpecialIds,
    pub(super) stream: InstanceStream,
    /// Tokens of the corpus.
    pub(super) tokens: u64,
    /// A digest of the corpus.
    pub(super) digest: String,
}

impl<'a> PretrainRows<'a> {
    pub(super) fn new(
        (options, world): (PretrainOptions, &'a dyn Communicator),
        (files, tokenizer): (TokenizerFiles, Arc<Tokenizer>),
        config: AlbertConfig,
        cache: Arc<TokenCache>,
    ) -> Result<Self> {
        let special = SpecialIds::of(&tokenizer)?;
        let rows = InstanceOptions {
            max_seq_length: options.row_length(&config),
            short_seq_prob: options.short_seq_prob,
            masked_lm_prob: options.masked_lm_prob,
            max_predictions: options.max_predictions,
            max_ngram: options.max_ngram,
            pairing: options.pairing,
            eval_fraction: options.eval_fraction,
            google_compat: options.google_compat,
            ..InstanceOptions::default()
        };
        let (tokens, digest) = (cache.summary().tokens, cache.summary().digest().to_owned());
        let stream = InstanceStream::new(cache, PieceTable::of(&tokenizer), special, rows, options.seed)?;
        Ok(Self { options, world, files, tokenizer, config, special, stream, tokens, digest })
    }

    /// Returns the first `count` training rows. A run that is prepared afterwards begins after them.
    ///
    /// # Errors
    /// Errors of the cache.
    pub fn take(&mut self, count: usize) -> Result<Vec<Instance>> {
        let plans = self.stream.next_batch(count)?;
        self.stream.materializer().materialize(&plans)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The ids of its special tokens.
    pub fn special_ids(&self) -> &SpecialIds {
        &self.special
    }
}
