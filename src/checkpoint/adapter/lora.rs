//! Merges PEFT's low-rank adapters into the parameters of their base model when these are read.
//!
//! A matrix `[out, in]` becomes `W + s B A` with `A` `[r, in]`, `B` `[out, r]` (Hu et al. 2021, "LoRA", section 4.1). An
//! embedding table `[rows, width]` becomes `W + s (B A)^T` with `A` `[r, rows]`, `B` `[width, r]`. DoRA rescales the rows
//! of the sum, or the columns of a table, to a learned length (Liu et al. 2024, "DoRA", section 4.1).
//! Reference: PEFT 0.21, `tuners/lora/layer.py`, `tuners/lora/variants.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Settings;
use super::merge::{AdapterTensors, Change, DECODER, DECODER_BIAS, MLM_BIAS, Merge, Product, WORDS};
use crate::checkpoint::naming::lora_names::{Part, Role, role};
use crate::checkpoint::naming::names::canonical_name;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};

/// Returns true if a file contains LoRA weights.
pub(in crate::checkpoint) fn has_lora(tensors: &Tensors) -> bool {
    tensors.infos().iter().any(|info| info.name.contains(".lora_"))
}

/// Returns the tensor with which an adapter replaces the parameter `canonical`.
pub(in crate::checkpoint) fn replacement<'a>(
    adapter: &'a Tensors,
    canonical: &str,
) -> Option<&'a TensorInfo> {
    // Of several, `Merge::new` uses the last one.
    adapter.infos().iter().rfind(|info| role(&info.name, false) == Role::Whole(canonical.to_owned()))
}

/// Returns true if the adapter unties the word embeddings from the decoder of a masked-LM head, which share a table of
/// the shape `words` in the base model: PEFT changes only one of them, or a copy of each.
///
/// # Errors
/// Errors from reading the adapter's tensors.
pub(in crate::checkpoint) fn unties(adapter: &Tensors, words: &[usize]) -> Result<bool> {
    let has_product = adapter.infos().iter().any(|info| match role(&info.name, false) {
        Role::Part { module, .. } => {
            let canonical = canonical_name(&format!("{module}.weight"));
            canonical == WORDS || canonical == DECODER
        }
        _ => false,
    });
    if has_product {
        return Ok(true);
    }
    match (replacement(adapter, WORDS), replacement(adapter, DECODER)) {
        (None, None) => Ok(false),
        // A resized table is saved under both names, even if it is shared.
        (Some(own), Some(decoder)) => Ok(adapter.read_f32(&own.name)? != adapter.read_f32(&decoder.name)?),
        (None, Some(_)) => Ok(true),
        // If PEFT saves a resized table alone, the class of the model has no decoder.
        (Some(own), None) => Ok(own.shape == words),
    }
}

impl Merge {
    /// Finds the changes in the tensors of an adapter, or of a complete model that contains an adapter.
    ///
    /// # Errors
    /// [`Error::Weights`] for tensors that do not belong to a LoRA adapter.
    pub(in crate::checkpoint) fn new(
        tensors: Tensors,
        settings: &Settings,
        whole_model: bool,
    ) -> Result<Self> {
        let path = tensors.path().to_owned();
        let error = |problem: String| Error::Weights { path: path.clone(), problem };
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        let mut modules: BTreeMap<String, BTreeMap<Part, String>> = BTreeMap::new();
        let mut adapters = BTreeSet::new();
        for info in tensors.infos() {
            match role(&info.name, whole_model) {
                Role::Base(_) | Role::Original => {}
                Role::Whole(canonical) => {
                    changes.entry(canonical).or_default().whole = Some(info.name.clone());
                }
                Role::Part { part: Part::Other, .. } => {
                    return Err(error(format!(
                        "the tensor \"{}\" belongs to a kind of adapter that albert does not support; merge it in Python \
                         with merge_and_unload and save the model",
                        info.name
                    )));
                }
                Role::Part { module, part, adapter } => {
                    adapters.insert(adapter);
                    modules.entry(module).or_default().insert(part, info.name.clone());
                }
            }
        }
        if adapters.len() > 1 {
            let names: Vec<String> = adapters.into_iter().collect();
            return Err(error(format!(
                "the file holds several adapters ({}); merge one of them in Python with merge_and_unload and save the model",
                names.join(", ")
            )));
        }
        for (module, parts) in modules {
            let product = Product::new(&tensors, settings, &module, &parts)?;
            let scale = product.scale;
            changes.entry(canonical_name(&format!("{module}.weight"))).or_default().product = Some(product);
            if let Some(bias) = parts.get(&Part::Bias) {
                changes.entry(canonical_name(&format!("{module}.bias"))).or_default().added =
                    Some((bias.clone(), scale));
            }
        }
        // A copy of the decoder contains its bias, which the head then uses instead of the shared one.
        if let Some(bias) = changes.get(DECODER_BIAS).and_then(|change| change.whole.clone()) {
            changes.entry(MLM_BIAS.to_owned()).or_default().whole.get_or_insert(bias);
        }
        Ok(Self { tensors: Box::new(tensors), changes })
    }
}

impl Product {
    fn new(
        tensors: &Tensors,
        settings: &Settings,
        module: &str,
        parts: &BTreeMap<Part, String>,
    ) -> Result<Self> {
        let error = |problem: String| Error::Weights { path: tensors.path().to_owned(), problem };
        let pair = |a: Part, b: Part| Some((parts.get(&a)?.clone(), parts.get(&b)?.clone()));
        let linear = pair(Part::A, Part::B);
        let is_embedding = linear.is_none();
        let Some((a, b)) = linear.or_else(|| pair(Part::EmbeddingA, Part::EmbeddingB)) else {
            return Err(error(format!("the adapter of \"{module}\" lacks lora_A or lora_B")));
        };
        let rank = tensors.get(&a).and_then(|info| info.shape.first().copied()).filter(|rank| *rank > 0);
        let Some(rank) = rank else { return Err(error(format!("\"{a}\" is empty"))) };
        let scale = settings.scale(module, rank)?;
        Ok(Self { a, b, scale, is_embedding, magnitude: parts.get(&Part::Magnitude).cloned() })
    }
}

impl Tensors {
    /// Returns the tensors of a base model with an adapter to merge.
    pub(in crate::checkpoint) fn with_adapter(mut self, merge: Merge) -> Self {
        self.merge = Some(merge);
        self
    }

    /// Returns the parameters of the base model in a complete PEFT model, under their names without an adapter.
    pub(in crate::checkpoint) fn without_adapter(self) -> Self {
        self.renamed(|name| match role(name, true) {
            Role::Base(name) => Some(name),
            _ => None,
        })
    }

    /// Renames tensors. Those without a new name are dropped.
    fn renamed(mut self, new_name: impl Fn(&str) -> Option<String>) -> Self {
        let mut kept = BTreeMap::new();
        for (mut info, holder) in
            std::mem::take(&mut self.infos).into_iter().zip(std::mem::take(&mut self.holders))
        {
            let Some(name) = new_name(&info.name) else { continue };
            if name != info.name {
                let stored = self.stored.remove(&info.name).unwrap_or_else(|| info.name.clone());
                self.stored.insert(name.clone(), stored);
                if let Some(recipe) = self.recipes.remove(&info.name) {
                    self.recipes.insert(name.clone(), recipe);
                }
                info.name.clone_from(&name);
            }
            kept.insert(name, (info, holder));
        }
        (self.infos, self.holders) = kept.into_values().unzip();
        self
    }
}

impl AdapterTensors for Tensors {
    fn path(&self) -> &Path {
        Self::path(self)
    }

    fn get(&self, name: &str) -> Option<&TensorInfo> {
        Self::get(self, name)
    }

    fn read(&self, name: &str) -> Result<(Vec<u8>, Dtype)> {
        Self::read(self, name)
    }
}
