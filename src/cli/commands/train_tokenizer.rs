//! `albert train-tokenizer`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use albert::checkpoint::write_tokenizer;
use albert::error::count;
use albert::io::{OutputTarget, StagedDirectory};
use albert::tokenizer::train::TrainOptions;
use albert::training::corpus::{Corpus, CorpusOptions};
use albert::training::{Step, TrainedVocabulary, VocabularyOptions, train_vocabulary};

use crate::cli::args::train_tokenizer::TrainTokenizerArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::interrupt;
use crate::cli::output::corpus_report;
use crate::cli::output::report::Reporter;

pub(super) fn run(args: TrainTokenizerArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    StagedDirectory::check(&args.output)?;
    if let Some(threads) = args.threads {
        albert::device::set_threads(usize::from(threads))?;
    }
    let options = CorpusOptions { text_field: args.corpus.text_field, ..CorpusOptions::default() };
    let corpus = Corpus::open(&args.corpus.corpus, options)?;
    let interrupted = interrupt::stop_flag()?;
    let options = VocabularyOptions {
        train: TrainOptions {
            vocab_size: args.vocab_size as usize,
            character_coverage: args.character_coverage,
            keep_accents: args.keep_accents,
        },
        sample_bytes: args.sample_bytes,
        seed: args.seed,
    };
    let started = std::time::Instant::now();
    let trained = train(&corpus, &options, reporter, &interrupted);
    // An interruption is not a setup error.
    let trained = if interrupted.load(Ordering::Relaxed) { trained.while_running()? } else { trained? };
    corpus_report::warn(&trained.report, reporter);
    if let Some(warning) = &trained.trained.warning {
        reporter.warn(warning);
    }
    let files = write_tokenizer(&args.output, &trained.trained, args.max_length as usize)?;
    if trained.trained.vocab_size < options.train.vocab_size {
        reporter.note(&format!(
            "the corpus has no more than {} pieces; --vocab-size was {}",
            trained.trained.vocab_size, options.train.vocab_size
        ));
    }
    reporter.detail(|| format!("{:.1} s", started.elapsed().as_secs_f64()));
    let mut out = OutputTarget::open(None)?;
    out.write(summary(&args.output, &trained, &files).as_bytes())?;
    out.finish()?;
    Ok(ExitStatus::Done)
}

/// Trains a tokenizer with progress bars, until `stop` is set.
///
/// # Errors
/// Errors from [`train_vocabulary`].
pub(super) fn train(
    corpus: &Corpus,
    options: &VocabularyOptions,
    reporter: &Reporter,
    stop: &AtomicBool,
) -> albert::Result<TrainedVocabulary> {
    let reading = reporter.bytes_bar("reading");
    let fitting = reporter.steps_bar("fitting");
    let trained = train_vocabulary(corpus, options, &mut |step, done, total| {
        let bar = if step == Step::Reading { &reading } else { &fitting };
        if step == Step::Fitting {
            reading.finish_and_clear();
        }
        bar.set_length(total);
        bar.set_position(done);
        !stop.load(Ordering::Relaxed)
    });
    reading.finish_and_clear();
    fitting.finish_and_clear();
    trained
}

/// Returns a summary of the training.
fn summary(destination: &Path, trained: &TrainedVocabulary, files: &[(String, u64)]) -> String {
    let mut out = format!("{}\n", destination.display());
    let mut line = |name: &str, value: String| {
        let _infallible = writeln!(out, "  {name:<14} {value}");
    };
    line("read", corpus_report::summary(&trained.report));
    line(
        "counted",
        format!("{} in {}", count(trained.words, "distinct word"), count(trained.sampled_bytes, "byte")),
    );
    let pieces = trained.trained.vocab_size;
    line("vocabulary", format!("{pieces} pieces, {} of them single characters", trained.trained.characters));
    for (name, size) in files {
        line("wrote", format!("{name}  {}", count(*size, "byte")));
    }
    out
}
