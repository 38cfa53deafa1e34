//! Low-rank adapters of PEFT, merged into the parameters of their base model when these are read.
//!
//! A matrix `[out, in]` becomes `W + s B A` with `A` `[r, in]`, `B` `[out, r]` (Hu et al. 2021, "LoRA", section 4.1); a
//! table of embeddings `[rows, width]` becomes `W + s (B A)^T` with `A` `[r, rows]`, `B` `[width, r]`. DoRA scales the
//! rows of the sum, or the columns of a table, to a learned length (Liu et al. 2024, "DoRA", section 4.1).
//! Reference: PEFT 0.21, `tuners/lora/layer.py`, `tuners/lora/variants.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Settings;
use crate::checkpoint::layout::{to_f32, transposed};
use crate::checkpoint::naming::lora_names::{Part, Role, role};
use crate::checkpoint::naming::names::canonical_name;
use crate::checkpoint::task_tensors::add_product;
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};

const WORDS: &str = "albert.embeddings.word_embeddings.weight";
const DECODER: &str = "predictions.decoder.weight";

/// True if a file holds parts of LoRA adapters.
pub(in crate::checkpoint) fn has_lora(tensors: &Tensors) -> bool {
    tensors.infos().iter().any(|info| info.name.contains(".lora_"))
}

/// The shape of the tensor that an adapter has in the place of the parameter `canonical`.
pub(in crate::checkpoint) fn replaced_shape(adapter: &Tensors, canonical: &str) -> Option<Vec<usize>> {
    let info =
        adapter.infos().iter().find(|info| role(&info.name, false) == Role::Whole(canonical.to_owned()))?;
    Some(info.shape.clone())
}

/// True if the word embeddings and the decoder of a masked-LM head, which share a table in the base model, no longer do
/// so with the adapter: PEFT changes one of them alone.
pub(in crate::checkpoint) fn unties(adapter: &Tensors) -> bool {
    adapter.infos().iter().any(|info| match role(&info.name, false) {
        Role::Part { module, .. } => {
            let canonical = canonical_name(&format!("{module}.weight"));
            canonical == WORDS || canonical == DECODER
        }
        _ => false,
    })
}

/// The changes of an adapter to the parameters of its base model.
pub(in crate::checkpoint) struct Merge {
    /// The file that holds the adapter.
    tensors: Box<Tensors>,
    /// By canonical name.
    changes: BTreeMap<String, Change>,
}

/// The change to one parameter.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Change {
    /// The tensor that takes its place.
    whole: Option<String>,
    product: Option<Product>,
    /// A vector to add, and its factor.
    added: Option<(String, f32)>,
    /// The parameter of the base model to begin with, if it is another one.
    pub(in crate::checkpoint) copy_of: Option<&'static str>,
}

/// A product of two narrow matrices, by the names of their tensors.
#[derive(Clone, Debug)]
struct Product {
    a: String,
    b: String,
    scale: f32,
    /// The change to a table of embeddings, which is transposed.
    is_embedding: bool,
    magnitude: Option<String>,
}

impl Merge {
    /// Finds the changes in the tensors of an adapter, or in those of a complete model with an adapter inside.
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
                    changes.entry(canonical).or_default().whole = Some(info.name.clone())
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
        Ok(Self { tensors: Box::new(tensors), changes })
    }

    /// Leaves the decoder of the masked-LM head as it is in the base model where only the word embeddings change, and
    /// the reverse.
    pub(in crate::checkpoint) fn untie(&mut self) {
        let is_changed = |changes: &BTreeMap<String, Change>, name: &str| {
            changes.get(name).is_some_and(|change| change.product.is_some())
        };
        if is_changed(&self.changes, WORDS) || is_changed(&self.changes, DECODER) {
            self.changes.entry(DECODER.to_owned()).or_default().copy_of = Some(WORDS);
        }
    }

    /// The changes, by canonical name.
    pub(in crate::checkpoint) fn changes(&self) -> &BTreeMap<String, Change> {
        &self.changes
    }

    /// The file that holds the adapter.
    pub(in crate::checkpoint) fn path(&self) -> &Path {
        self.tensors.path()
    }

    /// The shape of the tensor that takes a parameter's place, if one does.
    pub(in crate::checkpoint) fn whole_shape(&self, change: &Change) -> Option<Vec<usize>> {
        Some(self.tensors.get(change.whole.as_deref()?)?.shape.clone())
    }

    /// True if a change needs the parameter of the base model.
    pub(in crate::checkpoint) fn needs_base(change: &Change) -> bool {
        change.whole.is_none()
    }

    /// True if a change fits a parameter of that shape.
    pub(in crate::checkpoint) fn fits(&self, change: &Change, shape: &[usize]) -> bool {
        let shape_of = |name: &str| self.tensors.get(name).map_or(&[][..], |info| info.shape.as_slice());
        if let Some((added, _)) = &change.added
            && shape_of(added) != shape
        {
            return false;
        }
        let Some(product) = &change.product else { return true };
        let ([rank, columns], [rows, own_rank]) = (shape_of(&product.a), shape_of(&product.b)) else {
            return false;
        };
        let (rows, columns) = if product.is_embedding { (columns, rows) } else { (rows, columns) };
        let lengths = product.magnitude.as_deref().map(|name| shape_of(name).iter().product::<usize>());
        rank == own_rank
            && shape == [*rows, *columns]
            && lengths.is_none_or(|n| n == if product.is_embedding { *columns } else { *rows })
    }

    /// The values of a parameter with its change, from those of the base model.
    ///
    /// # Errors
    /// Those of reading the adapter's tensors.
    pub(in crate::checkpoint) fn apply(&self, change: &Change, base: Vec<f32>) -> Result<Vec<f32>> {
        let mut values = match &change.whole {
            Some(name) => self.read(name)?,
            None => base,
        };
        if let Some((added, factor)) = &change.added {
            values.iter_mut().zip(self.read(added)?).for_each(|(value, added)| *value += factor * added);
        }
        let Some(product) = &change.product else { return Ok(values) };
        let (mut left, mut right) = (self.read(&product.b)?, self.read(&product.a)?);
        let rank = self.tensors.get(&product.a).and_then(|info| info.shape.first().copied()).unwrap_or(0);
        if product.is_embedding {
            // (B A)^T = A^T B^T
            let (a, b) = (right, left);
            right = transposed(&b, b.len() / rank.max(1), rank);
            left = transposed(&a, rank, a.len() / rank.max(1));
        }
        let columns = right.len() / rank.max(1);
        left.iter_mut().for_each(|value| *value *= product.scale);
        add_product(&mut values, &left, &right, columns);
        if let Some(name) = &product.magnitude {
            scale_to(&mut values, &self.read(name)?, columns, product.is_embedding);
        }
        Ok(values)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.tensors.read(name)?;
        to_f32(&bytes, dtype).ok_or_else(|| {
            let problem = format!("tensor \"{name}\" has elements of type {dtype}; expected floats");
            Error::bad_file(self.tensors.path(), problem)
        })
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

/// Scales the rows, or the columns, of a matrix to the Euclidean lengths given.
fn scale_to(values: &mut [f32], lengths: &[f32], columns: usize, by_columns: bool) {
    let columns = columns.max(1);
    if by_columns {
        let mut squares = vec![0.0f64; columns];
        for row in values.chunks(columns) {
            squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
        }
        let factors: Vec<f32> = squares
            .iter()
            .zip(lengths)
            .map(|(sum, length)| (f64::from(*length) / sum.sqrt()) as f32)
            .collect();
        for row in values.chunks_mut(columns) {
            row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        }
        return;
    }
    for (row, length) in values.chunks_mut(columns).zip(lengths) {
        let sum: f64 = row.iter().map(|value| f64::from(*value).powi(2)).sum();
        let factor = (f64::from(*length) / sum.sqrt()) as f32;
        row.iter_mut().for_each(|value| *value *= factor);
    }
}

impl Tensors {
    /// The tensors of a base model with the changes of an adapter.
    pub(in crate::checkpoint) fn with_adapter(mut self, merge: Merge) -> Self {
        self.merge = Some(merge);
        self
    }

    /// The parameters of the base model in a complete PEFT model, under the names that they have without the adapter.
    pub(in crate::checkpoint) fn without_adapter(self) -> Self {
        self.renamed(|name| match role(name, true) {
            Role::Base(name) => Some(name),
            _ => None,
        })
    }

    /// Gives tensors other names; those without a new name are left out.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_get_their_lengths() {
        let mut rows = [3.0, 4.0, 0.0, 2.0];
        scale_to(&mut rows, &[10.0, 1.0], 2, false);
        assert_eq!(rows, [6.0, 8.0, 0.0, 1.0]);
        let mut columns = [3.0, 0.0, 4.0, 2.0];
        scale_to(&mut columns, &[10.0, 1.0], 2, true);
        assert_eq!(columns, [6.0, 0.0, 8.0, 1.0]);
    }
}
