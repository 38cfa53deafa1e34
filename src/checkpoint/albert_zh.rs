//! The ALBERTs of brightmart/albert_zh, which project words to the width of the encoder before they add positions and
//! normalize, where Google's do so after. That is an ALBERT whose embeddings are as wide as its encoder, with the product
//! of both matrices as its table of words; the masked-LM head shares the same product.
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

/// The width of the encoder of a checkpoint whose words are projected before positions are added.
fn width(tensors: &Tensors) -> Option<usize> {
    let shape = |end: &str| {
        let info = tensors.infos().iter().find(|info| info.name.ends_with(end))?;
        info.shape.get(1).copied()
    };
    let projected = shape("encoder/embedding_hidden_mapping_in/kernel")?;
    (tensors.projects_words && shape("embeddings/position_embeddings")? == projected).then_some(projected)
}

/// Adapts a configuration to such a checkpoint.
///
/// # Errors
/// [`Error::Weights`] where the configuration does not say that layers normalize after they add: albert_zh has two
/// kinds of layers whose variables have the same names and shapes.
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

/// Completes the sources of parameters: the product of both matrices, or a projection without a bias.
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

/// `left` `[rows, inner]` times `right` `[inner, columns]`.
///
/// # Errors
/// Those of reading; [`Error::BadFile`] for shapes that do not fit together.
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
