//! The rows of a pretraining run: corpus, token cache and instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use albert::Result;
use albert::io::{Format, OutputTarget};
use albert::tokenizer::Tokenizer;
use albert::training::corpus::{Corpus, CorpusOptions, Sentences, TokenCache};
use albert::training::instances::{
    Instance, InstanceOptions, InstanceStream, Pairing, PieceTable, SpecialIds, show_instance,
};

use crate::cli::args::pretrain::{CompatArg, PretrainArgs, SentencesArg};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::corpus_report;
use crate::cli::output::report::Reporter;

/// The corpus named by the arguments.
pub(super) fn corpus(args: &PretrainArgs) -> Result<Corpus> {
    let sentences = match args.sentences {
        SentencesArg::Split => Sentences::Split,
        SentencesArg::Lines => Sentences::Lines,
    };
    Corpus::open(&args.corpus.corpus, CorpusOptions { text_field: args.corpus.text_field.clone(), sentences })
}

/// The token ids of the corpus. Returns `None` if interrupted.
pub(super) fn token_cache(
    args: &PretrainArgs,
    tokenizer: &Tokenizer,
    reporter: &Reporter,
    stop: &AtomicBool,
) -> Result<Option<TokenCache>> {
    let corpus = corpus(args)?;
    let folder = args.cache.clone().unwrap_or_else(|| args.output.join("cache"));
    let bar = reporter.bytes_bar("tokenizing");
    let cache = TokenCache::open_or_build(&folder, &corpus, tokenizer, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let cache = cache?;
    let summary = cache.summary();
    corpus_report::warn(&summary.report, reporter);
    reporter.note(&format!(
        "corpus: {} documents, {} sentences, {} tokens",
        summary.documents, summary.sentences, summary.tokens
    ));
    Ok(Some(cache))
}

pub(super) fn instance_stream(
    args: &PretrainArgs,
    max_seq_length: usize,
    tokenizer: &Tokenizer,
    special: SpecialIds,
    cache: Arc<TokenCache>,
) -> Result<InstanceStream> {
    let table = PieceTable::of(tokenizer);
    let pairing = match (args.nsp, args.no_sop) {
        (true, _) => Pairing::NextSentence,
        (_, true) => Pairing::Unlabelled,
        _ => Pairing::SentenceOrder,
    };
    let options = InstanceOptions {
        max_seq_length,
        short_seq_prob: args.short_seq_prob,
        masked_lm_prob: args.masked_lm_prob,
        max_predictions: args.max_predictions.map(|n| n as usize),
        max_ngram: usize::from(args.max_ngram),
        pairing,
        eval_fraction: args.eval_fraction,
        google_compat: args.compat == Some(CompatArg::Google),
        ..InstanceOptions::default()
    };
    InstanceStream::new(cache, table, special, options, args.seed)
}

/// `--show-instances`.
pub(super) fn show(
    mut stream: InstanceStream,
    count: usize,
    format: Format,
    tokenizer: &Tokenizer,
    special: &SpecialIds,
) -> std::result::Result<ExitStatus, Failure> {
    let plans = stream.next_batch(count)?;
    let mut out = OutputTarget::open(None)?;
    let instances = stream.realizer().realize(&plans)?;
    match format {
        Format::Text => {
            for instance in &instances {
                let shown = show_instance(instance, special, &|id| tokenizer.id_to_token(id));
                out.write(shown.as_bytes())?;
            }
        }
        Format::Json => {
            out.write(json!(instances.iter().map(inputs).collect::<Vec<_>>()).to_string().as_bytes())?;
        }
        _ => {
            for instance in &instances {
                out.write(format!("{}\n", inputs(instance)).as_bytes())?;
            }
        }
    }
    out.finish()?;
    Ok(ExitStatus::Done)
}

/// An instance as the inputs of transformers' `AlbertForPreTraining`.
fn inputs(instance: &Instance) -> serde_json::Value {
    let mut labels = vec![-100i64; instance.ids.len()];
    for (position, label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
        labels[*position as usize] = i64::from(*label);
    }
    let types: Vec<u8> = (0..instance.ids.len()).map(|i| u8::from(i >= instance.segment_b)).collect();
    json!({
        "input_ids": instance.ids,
        "token_type_ids": types,
        "labels": labels,
        "sentence_order_label": instance.order_label,
    })
}
