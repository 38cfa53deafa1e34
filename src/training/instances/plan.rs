//! Planning: determines which sentences form which instance.

use std::ops::Range;

use rand::{Rng, RngExt};

use super::options::{InstanceOptions, Pairing};
use super::random::{Purpose, generator, mix};
use super::split::{Part, Split};
use crate::error::Result;
use crate::training::Documents;

/// Attempts of Google's script to find another document.
const OTHER_DOCUMENT_TRIES: usize = 10;

/// An instance before its tokens are read: sentences of documents, and a seed for its random choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancePlan {
    /// The document.
    pub document: u64,
    /// The first sentence.
    pub first: u32,
    /// The sentence after the last one.
    pub end: u32,
    /// The other segment.
    pub partner: Partner,
    /// See [`super::Instance::order_label`].
    pub label: Option<u8>,
    /// Seed for truncation, splits within a sentence, and masks.
    pub seed: u64,
}

/// The second segment of an instance (the first if swapped).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partner {
    /// The sentences from `split` to the end of the instance.
    Next {
        /// A sentence of the instance other than the first.
        split: u32,
    },
    /// Sentences of a random document.
    Random {
        /// The document.
        document: u64,
        /// The first sentence.
        first: u32,
        /// The sentence after the last one.
        end: u32,
    },
    /// The instance consists of tokens `start..end` of one sentence, split at a word boundary.
    Within {
        /// The first token.
        start: u32,
        /// The token after the last one.
        end: u32,
    },
    /// No second segment: the instance consists of tokens `start..end` of one sentence.
    None {
        /// The first token.
        start: u32,
        /// The token after the last one.
        end: u32,
    },
}

/// Plans the documents of one part of the corpus.
pub(super) struct Planner<'a> {
    pub(super) documents: &'a dyn Documents,
    pub(super) options: &'a InstanceOptions,
    pub(super) split: &'a Split,
    pub(super) part: Part,
    pub(super) seed: u64,
    pub(super) epoch: u64,
}

impl Planner<'_> {
    /// Plans the instances of a document, in sentence order.
    ///
    /// # Errors
    /// Errors of [`Documents::sentence_lengths`].
    pub(super) fn plan(&self, document: u64) -> Result<Vec<InstancePlan>> {
        let lengths = self.documents.sentence_lengths(document)?;
        let mut rng = generator(Purpose::Plan, &[self.seed, self.epoch, document]);
        let mut out = Vec::new();
        let mut target = self.target(&mut rng);
        let max = self.options.max_tokens();
        let (mut start, mut at, mut length) = (0, 0, 0);
        while at < lengths.len() {
            let too_long = !self.options.google_compat && lengths[at] as usize > max;
            length += lengths[at] as usize;
            at += 1;
            if too_long {
                while start + 1 < at {
                    start = self.chunk(document, &lengths, start..at - 1, target, &mut rng, &mut out)?;
                }
                self.windows(document, at - 1, lengths[at - 1], &mut rng, &mut out);
                start = at;
            } else if at == lengths.len() || length >= target {
                start = self.chunk(document, &lengths, start..at, target, &mut rng, &mut out)?;
                at = start;
            } else {
                continue;
            }
            length = 0;
            if !self.options.google_compat {
                target = self.target(&mut rng);
            }
        }
        Ok(out)
    }

    /// The target length in tokens. It is approximate, because sentences are not split.
    fn target(&self, rng: &mut impl Rng) -> usize {
        let max = self.options.max_tokens();
        if rng.random_bool(self.options.short_seq_prob) { rng.random_range(2..=max) } else { max }
    }

    /// Plans the instance of a chunk of sentences. Returns the first sentence of the next chunk: sentences replaced by a
    /// random segment are used again.
    fn chunk(
        &self,
        document: u64,
        lengths: &[u32],
        chunk: Range<usize>,
        target: usize,
        rng: &mut impl Rng,
        out: &mut Vec<InstancePlan>,
    ) -> Result<usize> {
        let tokens = count_tokens(&lengths[chunk.clone()]);
        let single = chunk.len() == 1;
        let split = if single { chunk.end } else { rng.random_range(chunk.start + 1..chunk.end) };
        let random = match self.options.pairing {
            Pairing::SentenceOrder | Pairing::NextSentence if self.options.google_compat && single => true,
            Pairing::NextSentence => rng.random_bool(0.5),
            Pairing::SentenceOrder | Pairing::Unlabelled => false,
        };
        if random {
            let wanted = target.saturating_sub(count_tokens(&lengths[chunk.start..split]));
            if let Some(partner) = self.random_segment(document, wanted, rng)? {
                self.push(document, chunk.start..split, partner, Some(1), out);
                return Ok(split);
            }
        }
        if !single {
            let label = self.label(rng);
            let partner = Partner::Next { split: split as u32 };
            self.push(document, chunk.clone(), partner, label, out);
        } else if tokens > 1 {
            self.within(document, chunk.start, 0..lengths[chunk.start], rng, out);
        }
        Ok(chunk.end)
    }

    /// Splits a sentence that is too long into instances of equal length.
    fn windows(
        &self,
        document: u64,
        at: usize,
        length: u32,
        rng: &mut impl Rng,
        out: &mut Vec<InstancePlan>,
    ) {
        let length = u64::from(length);
        let count = length.div_ceil(self.options.max_tokens() as u64);
        for i in 0..count {
            let bound = |i| (length * i / count) as u32;
            self.within(document, at, bound(i)..bound(i + 1), rng, out);
        }
    }

    /// Plans the instance of a part of one sentence.
    fn within(
        &self,
        document: u64,
        at: usize,
        tokens: Range<u32>,
        rng: &mut impl Rng,
        out: &mut Vec<InstancePlan>,
    ) {
        let Range { start, end } = tokens;
        let (partner, label) = match self.options.pairing {
            Pairing::Unlabelled => (Partner::None { start, end }, None),
            Pairing::SentenceOrder | Pairing::NextSentence => {
                (Partner::Within { start, end }, self.label(rng))
            }
        };
        self.push(document, at..at + 1, partner, label, out);
    }

    /// The label of segments from the same document.
    fn label(&self, rng: &mut impl Rng) -> Option<u8> {
        match self.options.pairing {
            Pairing::SentenceOrder => Some(rng.random_bool(0.5).into()),
            Pairing::NextSentence => Some(0),
            Pairing::Unlabelled => None,
        }
    }

    /// Sentences of another document of the same part, with at least `wanted` tokens if it has them.
    fn random_segment(&self, document: u64, wanted: usize, rng: &mut impl Rng) -> Result<Option<Partner>> {
        let count = self.split.count(self.part);
        let mut other = document;
        for _ in 0..OTHER_DOCUMENT_TRIES {
            other = self.split.document(self.part, rng.random_range(0..count));
            if other != document {
                break;
            }
        }
        let lengths = self.documents.sentence_lengths(other)?;
        if lengths.is_empty() {
            return Ok(None);
        }
        let first = rng.random_range(0..lengths.len());
        let mut end = first;
        let mut tokens = 0;
        while end < lengths.len() && (end == first || tokens < wanted) {
            tokens += lengths[end] as usize;
            end += 1;
        }
        Ok(Some(Partner::Random { document: other, first: first as u32, end: end as u32 }))
    }

    fn push(
        &self,
        document: u64,
        sentences: Range<usize>,
        partner: Partner,
        label: Option<u8>,
        out: &mut Vec<InstancePlan>,
    ) {
        let seed = mix(Purpose::Realize, &[self.seed, self.epoch, document, out.len() as u64]);
        let Range { start, end } = sentences;
        out.push(InstancePlan { document, first: start as u32, end: end as u32, partner, label, seed });
    }
}

fn count_tokens(lengths: &[u32]) -> usize {
    lengths.iter().map(|&length| length as usize).sum()
}
