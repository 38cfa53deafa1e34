//! Evaluation of the pretraining tasks on text, in one call.

use std::path::PathBuf;
use std::sync::Arc;

use super::evaluate::masked_lm;
use super::objective::Pretraining;
use crate::checkpoint::{Checkpoint, Inventory};
use crate::error::{Error, Result};
use crate::eval::EvalReport;
use crate::model::Head;
use crate::stream::NOT_FINITE;
use crate::tasks::Pipeline;
use crate::training::corpus::{Corpus, CorpusOptions, CorpusReport, TokenCache};
use crate::training::instances::{
    Instance, InstanceOptions, InstanceStream, Pairing, PieceTable, SpecialIds,
};
use crate::training::objective::Objective;
use crate::training::recipe;

/// Evaluation of masked tokens and, if the model has the head, of sentence order on text. Rows are built as in
/// pretraining; a seed always gives the same rows.
#[derive(Clone, Debug)]
pub struct TextEvaluation {
    /// Files or folders of text.
    pub corpus: Vec<PathBuf>,
    /// How the text is read.
    pub options: CorpusOptions,
    /// Maximum number of rows.
    pub rows: usize,
    /// Random seed of the rows.
    pub seed: u64,
}

/// Rows of text for a model.
pub struct TextRows<'a> {
    pipeline: &'a Pipeline,
    objective: Pretraining,
    instances: Vec<Instance>,
    report: CorpusReport,
}

impl TextEvaluation {
    /// The heads of `checkpoint` that can be evaluated and need to be loaded.
    ///
    /// # Errors
    /// Errors of the weight files.
    pub fn heads(checkpoint: &Checkpoint) -> Result<&'static [Head]> {
        let held = Inventory::new(&checkpoint.tensors()?, &checkpoint.config)?.heads(&checkpoint.config);
        let order = held.contains(&Head::SentenceOrder) && held.contains(&Head::Pooler);
        Ok(if order { &[Head::Pooler, Head::MaskedLm, Head::SentenceOrder] } else { &[Head::MaskedLm] })
    }

    /// Builds rows of up to `pipeline.max_length` tokens. `progress` receives the bytes processed and the total.
    ///
    /// # Errors
    /// Errors of the corpus; an error for a tokenizer with more tokens than the model.
    pub fn prepare<'a>(
        &self,
        pipeline: &'a Pipeline,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<TextRows<'a>> {
        let (tokens, rows) = (pipeline.tokenizer.id_bound(), pipeline.config.vocab_size);
        if tokens > rows {
            return Err(Error::Input(format!(
                "the tokenizer has {tokens} tokens and the model has embeddings for {rows} only: resize the embeddings of \
                 the model, or remove the tokens that were added to the tokenizer"
            )));
        }
        let corpus = Corpus::open(&self.corpus, self.options.clone())?;
        let folder = tempfile::tempdir().map_err(Error::io("a temporary directory", "create"))?;
        let cache =
            TokenCache::open_or_build(folder.path(), &corpus, &pipeline.tokenizer, &mut |done, total| {
                progress(done, total);
                true
            })?;
        let report = cache.summary().report.clone();
        let special = SpecialIds::of(&pipeline.tokenizer)?;
        let sentence_order = pipeline.model.sop_classifier.is_some();
        let options = InstanceOptions {
            max_seq_length: pipeline.max_length,
            pairing: if sentence_order { Pairing::SentenceOrder } else { Pairing::Unlabelled },
            eval_fraction: 0.0,
            ..InstanceOptions::default()
        };
        let pieces = PieceTable::of(&pipeline.tokenizer);
        let mut stream = InstanceStream::new(Arc::new(cache), pieces, special, options, self.seed)?;
        let rows = (self.rows as u64).min(stream.count_instances(0)?) as usize;
        let plans = stream.next_batch(rows)?;
        let instances = stream.materializer().materialize(&plans)?;
        let objective = Pretraining {
            pad_id: special.pad,
            pad_multiple: pipeline.pad_multiple,
            longest: pipeline.config.max_position_embeddings,
            sentence_order,
            sentence_order_weight: 1.0,
        };
        Ok(TextRows { pipeline, objective, instances, report })
    }
}

impl TextRows<'_> {
    /// The counts of the corpus, and the input that was repaired or skipped.
    pub fn corpus_report(&self) -> &CorpusReport {
        &self.report
    }

    /// Evaluates the model.
    ///
    /// # Errors
    /// If the text is too short, the device fails, or the model's output is not finite.
    pub fn run(&self) -> Result<EvalReport> {
        if self.objective.counts(&self.instances).first().is_none_or(|masked| *masked == 0.0) {
            return Err(Error::Input(
                "the corpus is too short: no token was masked, so there is nothing to evaluate".to_owned(),
            ));
        }
        let Pipeline { model, device, .. } = self.pipeline;
        let chunk = recipe::micro_batch(self.pipeline.pad_multiple > 1, self.pipeline.max_length);
        let report = masked_lm(model, &self.objective, &self.instances, chunk, device)?;
        match report.metrics.iter().find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => Err(Error::Input(format!("{name} is {value}: {NOT_FINITE}"))),
            None => Ok(report),
        }
    }
}
