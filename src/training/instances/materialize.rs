//! Turning plans into instances: reads, truncates and masks the tokens.

use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use super::masking::{find_words, mask};
use super::options::InstanceOptions;
use super::pieces::PieceTable;
use super::plan::{InstancePlan, Partner};
use super::random::{Purpose, mix};
use super::{Instance, SpecialIds};
use crate::error::{Error, Result};
use crate::training::Documents;

/// Builds instances from plans. Clones are cheap and work in any thread.
#[derive(Clone)]
pub struct Materializer {
    pub(super) documents: Arc<dyn Documents + Send + Sync>,
    pub(super) table: Arc<PieceTable>,
    pub(super) special: SpecialIds,
    pub(super) options: InstanceOptions,
}

impl Materializer {
    /// Builds the instances of `plans`, in order, on all threads of the current rayon pool.
    ///
    /// # Errors
    /// Errors of [`Documents::sentences`]; [`Error::Input`] if the sentences differ from the planned ones.
    pub fn materialize(&self, plans: &[InstancePlan]) -> Result<Vec<Instance>> {
        plans.par_iter().map(|plan| self.instance(plan)).collect()
    }

    /// The tokens of a random sentence of the instance of `plan`, unmasked and without special tokens.
    ///
    /// # Errors
    /// Same as [`Materializer::materialize`].
    pub fn sentence(&self, plan: &InstancePlan) -> Result<Vec<u32>> {
        let count = u64::from(plan.end.saturating_sub(plan.first).max(1));
        let drawn = plan.first + (mix(Purpose::Sentence, &[plan.seed]) % count) as u32;
        self.sentences(plan.document, drawn, drawn + 1)?.pop().ok_or_else(|| changed(plan.document))
    }

    /// Builds the instance of `plan`.
    fn instance(&self, plan: &InstancePlan) -> Result<Instance> {
        let mut rng = Pcg64Mcg::seed_from_u64(plan.seed);
        let (mut first, mut second) = self.segments(plan, &mut rng)?;
        let random = matches!(plan.partner, Partner::Random { .. });
        if plan.label == Some(1) && !random {
            std::mem::swap(&mut first, &mut second);
        }
        let (first, second) = truncate(&first, &second, self.options.max_tokens(), &mut rng);

        let SpecialIds { cls, sep, .. } = self.special;
        let mut ids = Vec::with_capacity(first.len() + second.len() + 3);
        ids.push(cls);
        ids.extend_from_slice(first);
        ids.push(sep);
        let segment_b = ids.len();
        if !second.is_empty() {
            ids.extend_from_slice(second);
            ids.push(sep);
        }

        let mut words = Vec::new();
        find_words(&ids, 1..first.len() + 1, &self.table, &mut words);
        find_words(&ids, segment_b..segment_b + second.len(), &self.table, &mut words);
        let (masked_positions, masked_labels) =
            mask(&mut rng, &mut ids, &words, &self.options, &self.table, self.special.mask);
        Ok(Instance { ids, segment_b, masked_positions, masked_labels, order_label: plan.label })
    }

    /// The tokens of the two segments in document order. The second may be empty.
    fn segments(&self, plan: &InstancePlan, rng: &mut impl Rng) -> Result<(Vec<u32>, Vec<u32>)> {
        let sentences = self.sentences(plan.document, plan.first, plan.end)?;
        let window = |start: u32, end: u32| {
            sentences.first().and_then(|s| s.get(start as usize..end as usize)).unwrap_or_default()
        };
        let (first, second) = match plan.partner {
            Partner::Next { split } => {
                let (a, b) = sentences.split_at((split - plan.first) as usize);
                (a.concat(), b.concat())
            }
            Partner::Random { document, first, end } => {
                (sentences.concat(), self.sentences(document, first, end)?.concat())
            }
            Partner::Within { start, end } => {
                let tokens = window(start, end);
                let (a, b) = tokens.split_at(self.split_point(tokens, rng));
                (a.to_vec(), b.to_vec())
            }
            Partner::None { start, end } => (window(start, end).to_vec(), Vec::new()),
        };
        let single = matches!(plan.partner, Partner::None { .. });
        if first.is_empty() || (second.is_empty() && !single) {
            return Err(changed(plan.document));
        }
        Ok((first, second))
    }

    fn sentences(&self, document: u64, first: u32, end: u32) -> Result<Vec<Vec<u32>>> {
        let sentences = self.documents.sentences(document, first as usize..end as usize)?;
        if sentences.len() == (end - first) as usize { Ok(sentences) } else { Err(changed(document)) }
    }

    /// The start of a random word of `tokens`, or of a random piece if there is only one word.
    fn split_point(&self, tokens: &[u32], rng: &mut impl Rng) -> usize {
        let starts: Vec<usize> = (1..tokens.len()).filter(|&i| self.table.starts_word(tokens[i])).collect();
        match (starts.len(), tokens.len()) {
            (0, 0 | 1) => tokens.len(),
            (0, length) => rng.random_range(1..length),
            (count, _) => starts[rng.random_range(0..count)],
        }
    }
}

fn changed(document: u64) -> Error {
    Error::Input(format!(
        "document {document} of the corpus has other sentences than when it was planned: the corpus changed"
    ))
}

/// Removes tokens from the front or the end of the longer segment until both together have at most `max` tokens
/// (`truncate_seq_pair` in Google's script).
fn truncate<'a>(
    first: &'a [u32],
    second: &'a [u32],
    max: usize,
    rng: &mut impl Rng,
) -> (&'a [u32], &'a [u32]) {
    let (mut a, mut b): (Range<usize>, Range<usize>) = (0..first.len(), 0..second.len());
    while a.len() + b.len() > max {
        let longer = if a.len() > b.len() { &mut a } else { &mut b };
        if rng.random_bool(0.5) {
            longer.start += 1;
        } else {
            longer.end -= 1;
        }
    }
    (&first[a], &second[b])
}
