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

/// Bytes of text that one thread counts at a time.
const CHUNK: usize = 1 << 20;
/// Chunks that are counted together.
const BATCH: usize = 16;
/// How often progress is told while nothing can be read.
const TICK: Duration = Duration::from_millis(100);

/// How to train a tokenizer on a corpus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VocabularyOptions {
    /// The tokenizer.
    pub train: TrainOptions,
    /// Words are counted in so many bytes of text; then in every second line, drawn at random, of as much again;
    /// then in every fourth; ... and each counts for as many.
    pub sample_bytes: u64,
    /// Seed of the draw.
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
    /// The corpus is read: progress is in bytes of its files.
    Reading,
    /// Pieces are fitted and dropped: progress is in rounds.
    Fitting,
}

/// A tokenizer trained on a corpus.
#[derive(Clone, Debug)]
pub struct TrainedVocabulary {
    /// The tokenizer.
    pub trained: Trained,
    /// What was read.
    pub report: CorpusReport,
    /// Bytes of the lines in which words were counted.
    pub sampled_bytes: u64,
    /// How many different words were counted.
    pub words: usize,
}

/// Trains a tokenizer on `corpus`; memory stays bounded whatever its size. The result depends on the corpus and the
/// options only.
///
/// # Errors
/// If a file cannot be read, the vocabulary is too small for the corpus, or `progress` ended the work.
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
    // Not a scoped thread: one that waits for a pipe must not hold up an end asked for.
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
                let problem = "reading the corpus broke off; please report this as a bug";
                return Err(Error::Input(problem.to_owned()));
            }
        }
    };
    let count = words.len();
    let trained = train(&words, &options.train, &mut |done, rounds| progress(Step::Fitting, done, rounds))?;
    Ok(TrainedVocabulary { trained, report, sampled_bytes, words: count })
}

/// Lines, each with the number of lines that it stands for.
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

/// Which lines are counted.
struct Sample {
    random: Pcg64Mcg,
    most: u64,
    /// Bytes taken at the rate of now.
    taken: u64,
    weight: u64,
    total: u64,
}

impl Sample {
    fn new(options: &VocabularyOptions) -> Self {
        let random = Pcg64Mcg::seed_from_u64(options.seed);
        Self { random, most: options.sample_bytes.max(1), taken: 0, weight: 1, total: 0 }
    }

    /// How many lines this one stands for; `None` if it is not counted.
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
        // The other end need not be listening any more.
        let _gone = sender.send(Message::End(end));
    }
}
