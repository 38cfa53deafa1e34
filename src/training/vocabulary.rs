//! Training a tokenizer on a corpus.

use super::corpus::{Corpus, CorpusReader, CorpusReport, Item};
use crate::error::{Error, Result};
use crate::tokenizer::train::{TrainOptions, Trained, WordCounts, train};
use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Bytes of text per counting task.
const CHUNK: usize = 1 << 20;
/// Tasks per batch.
const BATCH: usize = 16;
/// Interval of progress reports while waiting for input.
const TICK: Duration = Duration::from_millis(100);

/// Options for training a tokenizer on a corpus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VocabularyOptions {
    /// Options of the tokenizer.
    pub train: TrainOptions,
    /// Words are counted in this many bytes of text, then in a random half of the following lines until these have the
    /// same size, then in a quarter, and so on. The weights of sampled lines compensate for the sampling.
    pub sample_bytes: u64,
    /// Seed of the sampling.
    pub seed: u64,
}

impl Default for VocabularyOptions {
    fn default() -> Self {
        Self { train: TrainOptions::default(), sample_bytes: 1 << 30, seed: 0 }
    }
}

/// A step of the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading the corpus; progress in bytes of its files.
    Reading,
    /// Estimating and pruning pieces; progress in rounds.
    Fitting,
}

/// A tokenizer trained on a corpus.
#[derive(Clone, Debug)]
pub struct TrainedVocabulary {
    /// The tokenizer.
    pub trained: Trained,
    /// Counts and problems of the corpus.
    pub report: CorpusReport,
    /// Bytes of the counted lines.
    pub sampled_bytes: u64,
    /// Number of distinct words counted.
    pub words: usize,
}

/// Trains a tokenizer on `corpus` in bounded memory. The result depends only on the corpus and the options.
///
/// # Errors
/// If a file cannot be read, the vocabulary is too small for the corpus, or `progress` cancelled the work.
pub fn train_vocabulary(
    corpus: &Corpus,
    options: &VocabularyOptions,
    progress: &mut dyn FnMut(Step, u64, u64) -> bool,
) -> Result<TrainedVocabulary> {
    let total = corpus.total_bytes();
    let reader = corpus.reader();
    let stored = reader.bytes_read();
    let (sender, queue) = sync_channel(1);
    let sample = Sample::new(options);
    // Not a scoped thread: a thread that waits for a pipe must not delay a cancellation.
    std::thread::spawn(move || send_batches(reader, sample, &sender));
    let mut words = WordCounts::default();
    let (report, sampled_bytes) = loop {
        if !progress(Step::Reading, stored.load(Ordering::Relaxed), total) {
            return Err(Error::Input("interrupted; nothing was written".to_owned()));
        }
        match queue.recv_timeout(TICK) {
            Ok(Message::Batch(batch)) => {
                for counted in batch.par_iter().map(count).collect::<Vec<_>>() {
                    words.merge(counted);
                }
            }
            Ok(Message::End(end)) => break end?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let problem = "reading the corpus stopped unexpectedly; please report this as a bug";
                return Err(Error::Input(problem.to_owned()));
            }
        }
    };
    let count = words.len();
    if let (0, Some(problem)) = (count, report.problems.first()) {
        return Err(Error::Input(format!("the corpus has no words to train a tokenizer on: {problem}")));
    }
    let trained = train(&words, &options.train, &mut |done, rounds| progress(Step::Fitting, done, rounds))?;
    Ok(TrainedVocabulary { trained, report, sampled_bytes, words: count })
}

/// Lines, each with its weight.
type Chunk = Vec<(String, u64)>;

enum Message {
    Batch(Vec<Chunk>),
    End(Result<(CorpusReport, u64)>),
}

fn count(chunk: &Chunk) -> WordCounts {
    let mut words = WordCounts::default();
    for (line, weight) in chunk {
        words.add_line(line, *weight);
    }
    words
}

/// Sampling of lines.
struct Sample {
    random: Pcg64Mcg,
    most: u64,
    /// Bytes taken at the current sampling rate.
    taken: u64,
    weight: u64,
    total: u64,
}

impl Sample {
    fn new(options: &VocabularyOptions) -> Self {
        let random = Pcg64Mcg::seed_from_u64(options.seed);
        Self { random, most: options.sample_bytes.max(1), taken: 0, weight: 1, total: 0 }
    }

    /// The weight of this line; `None` if it is not counted.
    fn take(&mut self, line: &str) -> Option<u64> {
        if self.taken >= self.most {
            self.weight = self.weight.saturating_mul(2);
            self.taken = 0;
        }
        if self.weight > 1 && self.random.random_range(0..self.weight) > 0 {
            return None;
        }
        self.taken += line.len() as u64;
        self.total += line.len() as u64;
        Some(self.weight)
    }
}

fn send_batches(mut reader: CorpusReader, mut sample: Sample, sender: &SyncSender<Message>) {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    let end = loop {
        match reader.next_item() {
            Ok(Some(Item::Line(line))) => {
                if let Some(weight) = sample.take(&line) {
                    bytes += line.len();
                    chunk.push((line, weight));
                }
            }
            Ok(Some(Item::DocumentEnd)) => {}
            Ok(None) => break Ok((reader.report().clone(), sample.total)),
            Err(error) => break Err(error),
        }
        if bytes >= CHUNK {
            batch.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
        if batch.len() == BATCH && sender.send(Message::Batch(std::mem::take(&mut batch))).is_err() {
            return;
        }
    };
    batch.push(chunk);
    if sender.send(Message::Batch(batch)).is_ok() {
        // The receiver may already be gone.
        let _gone = sender.send(Message::End(end));
    }
}
