//! Support for checkpoints of brightmart/albert_zh.
//!
//! These models project word embeddings to the width of the encoder before adding positions and normalizing; Google's
//! models do so afterwards. This is equivalent to an ALBERT with embeddings as wide as its encoder, whose word embedding
//! table is the product of both matrices. The masked-LM head shares this product.
//!
//! Reference: brightmart/albert_zh `modeling.py` (`embedding_lookup_factorized`), `run_pretraining.py`.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::source::Source;
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

const WORDS: &str = "albert.embeddings.word_embeddings.weight";
const POSITIONS: &str = "albert.embeddings.position_embeddings.weight";
const MAPPING: &str = "albert.encoder.embedding_hidden_mapping_in.weight";
const MAPPING_BIAS: &str = "albert.encoder.embedding_hidden_mapping_in.bias";

/// Returns the width of the encoder if the checkpoint projects word embeddings before adding positions.
fn width(tensors: &Tensors) -> Option<usize> {
    let shape = |end: &str| {
        let info = tensors.infos().iter().find(|info| info.name.ends_with(end))?;
        info.shape.get(1).copied()
    };
    let projected = shape("encoder/embedding_hidden_mapping_in/kernel")?;
    (tensors.projects_words && shape("embeddings/position_embeddings")? == projected).then_some(projected)
}

/// Adapts the configuration to a checkpoint that projects word embeddings first; leaves others as they are.
///
/// # Errors
/// [`Error::Weights`] if the configuration does not state that layers normalize after the residual addition (`postln`):
/// albert_zh has two kinds of layers whose variables have the same names and shapes.
pub(super) fn configure(config: &mut AlbertConfig, tensors: &Tensors) -> Result<()> {
    let Some(width) = width(tensors) else { return Ok(()) };
    if config.extra("ln_type").and_then(serde_json::Value::as_str) != Some("postln") {
        let problem = "is an ALBERT of albert_zh, of which there are two kinds with the same variables: layers that \
                       normalize before the attention (preln) and after it (postln). albert computes the second; if \
                       these weights are such, add \"ln_type\": \"postln\" to their configuration";
        return Err(Error::Weights { path: tensors.path().to_owned(), problem: problem.to_owned() });
    }
    config.embedding_size = width;
    Ok(())
}

/// Sets the sources of parameters that the file lacks. If words are projected first, the word embedding table is the
/// product of both matrices and the projection is the identity; otherwise, the projection's bias is zero.
pub(super) fn complete(sources: &mut BTreeMap<String, Source>, tensors: &Tensors) {
    let name = |canonical: &str| match sources.get(canonical) {
        Some(Source::Tensor { name, .. }) => Some(name.clone()),
        _ => None,
    };
    let (Some(words), Some(mapping)) = (name(WORDS), name(MAPPING)) else { return };
    let Some(columns) = tensors.get(&mapping).and_then(|info| info.shape.get(1).copied()) else { return };
    let positions = name(POSITIONS).and_then(|name| tensors.get(&name)?.shape.get(1).copied());
    if positions == Some(columns) {
        sources.insert(WORDS.to_owned(), Source::Product { left: words, right: mapping });
        sources.insert(MAPPING.to_owned(), Source::Identity(columns));
        sources.insert(MAPPING_BIAS.to_owned(), Source::Zeros(columns));
    } else {
        sources.entry(MAPPING_BIAS.to_owned()).or_insert(Source::Zeros(columns));
    }
}

/// Multiplies `left` `[rows, inner]` by `right` `[inner, columns]`.
///
/// # Errors
/// Errors from reading the tensors; [`Error::BadFile`] for incompatible shapes.
pub(super) fn product(tensors: &Tensors, left: &str, right: &str) -> Result<Vec<f32>> {
    let shape = |name: &str| tensors.get(name).map(|info| info.shape.clone()).unwrap_or_default();
    let (&[rows, inner], &[other, columns]) = (shape(left).as_slice(), shape(right).as_slice()) else {
        return Err(Error::bad_file(tensors.path(), format!("\"{left}\" and \"{right}\" are not matrices")));
    };
    if inner != other {
        let problem =
            format!("\"{left}\" {:?} does not fit \"{right}\" {:?}", [rows, inner], [other, columns]);
        return Err(Error::bad_file(tensors.path(), problem));
    }
    let (left, right) = (tensors.read_f32(left)?, tensors.read_f32(right)?);
    let mut out = vec![0.0; rows * columns];
    out.par_chunks_mut(columns.max(1)).zip(left.par_chunks(inner.max(1))).for_each(|(out, left)| {
        for (factor, right) in left.iter().zip(right.chunks(columns.max(1))) {
            out.iter_mut().zip(right).for_each(|(out, right)| *out += factor * right);
        }
    });
    Ok(out)
}
