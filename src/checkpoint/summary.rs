//! Summary of a checkpoint, shown by `albert info`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::inventory::Inventory;
use super::load::{MlmBias, mlm_bias_source};
use super::naming::module_path::ModulePath;
use super::naming::names::is_buffer;
use super::quantization::Quantization;
use super::tensor::Dtype;
use super::tensors::Tensors;
use crate::error::Result;
use crate::model::{Albert, AlbertConfig, Head};

/// Summary of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The parts that the file contains, in words.
    pub heads: Vec<&'static str>,
    /// Number of parameters. Shared ones count once.
    pub parameters: u64,
    /// Number of parameters of an equivalent model without sharing.
    pub effective_parameters: u64,
    /// Multiplications and additions of the encoder per token, excluding the part of attention that grows with the
    /// length.
    pub flops_per_token: u64,
    /// Number of tensors of each element type.
    pub dtypes: BTreeMap<String, usize>,
    /// Encoder parameters missing from the file.
    pub missing: Vec<String>,
    /// Tensors that are not parameters: optimizer slots, counters.
    pub unrecognized: usize,
    /// Tensors that do not belong to any known part.
    pub unused: Vec<String>,
    /// Unusual properties, one line each.
    pub warnings: Vec<String>,
}

impl Summary {
    /// Computes the summary from the configuration and the list of tensors. Reads weights only to compare tensors that
    /// should be equal.
    ///
    /// # Errors
    /// Errors from the file's reader.
    pub fn new(config: &AlbertConfig, tensors: &Tensors, inventory: &Inventory) -> Result<Self> {
        let heads = inventory.heads(config);
        let expected = expected_shapes(config, &heads);
        let known = |name: &str| {
            expected.contains_key(name) || is_buffer(name) || name.starts_with("predictions.decoder.")
        };
        let mut dtypes = BTreeMap::new();
        for info in tensors.infos() {
            *dtypes.entry(info.dtype.to_string()).or_insert(0) += 1;
        }
        let bias_alias = |name: &str| name == "predictions.bias" && inventory.has("predictions.decoder.bias");
        let (h, i) = (config.hidden_size as u64, config.intermediate_size as u64);
        let layer_matrices = 4 * h * h + 2 * h * i;
        let calls = (config.num_hidden_layers * config.inner_group_num) as u64;
        let stored = (config.num_hidden_groups * config.inner_group_num) as u64;
        let layer = layer_matrices + 9 * h + i;
        let counted = |name: &str| {
            let tied = config.tie_word_embeddings && name == "predictions.decoder.weight";
            let alias = name == "predictions.decoder.bias" && inventory.has("predictions.bias");
            if tied || alias || is_buffer(name) {
                return 0;
            }
            inventory.shape(name).map_or(0, |shape| shape.iter().map(|n| *n as u64).product())
        };
        let parameters: u64 = inventory.canonical_names().map(counted).sum();
        Ok(Self {
            heads: inventory.parts(config),
            parameters,
            effective_parameters: parameters
                .saturating_add(layer.saturating_mul(calls.saturating_sub(stored))),
            flops_per_token: config.flops_per_token(),
            dtypes,
            missing: expected.keys().filter(|n| !inventory.has(n) && !bias_alias(n)).cloned().collect(),
            unrecognized: inventory.unrecognized().len(),
            unused: inventory.canonical_names().filter(|n| !known(n)).map(str::to_owned).collect(),
            warnings: warnings(config, inventory)?,
        })
    }
}

/// Describes tensors that should be equal but differ, and shapes that differ from the configuration.
fn warnings(config: &AlbertConfig, inventory: &Inventory) -> Result<Vec<String>> {
    let mut warnings: Vec<String> = inventory.unknown_head().map(str::to_owned).into_iter().collect();
    warnings.extend(inventory.quantization().map(Quantization::note));
    if inventory.quantization().is_some_and(|quantization| !quantization.is_readable) {
        return Ok(warnings);
    }
    warnings.extend(mlm_bias_source(inventory, MlmBias::default())?.1);
    let (decoder, words) = ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight");
    if config.tie_word_embeddings
        && inventory.has(decoder)
        && inventory.has(words)
        && inventory.read(decoder)? != inventory.read(words)?
    {
        warnings.push(format!("{decoder} differs from {words}, which is used for both"));
    }
    if let Some(shape) = inventory.shape(words)
        && shape != [config.vocab_size, config.embedding_size]
    {
        let expected = [config.vocab_size, config.embedding_size];
        warnings.push(format!("{words} is {shape:?}, the configuration asks for {expected:?}"));
    }
    warnings.extend(inventory.notes().iter().cloned());
    warnings.extend(label_warning(config));
    for name in inventory.canonical_names() {
        if inventory.dtype(name).is_some_and(Dtype::is_float)
            && let Some((count, first)) = inventory.non_finite(name)?
        {
            let file = inventory.name_in_file(name);
            let values =
                if count == 1 { "1 value that is".to_owned() } else { format!("{count} values that are") };
            warnings.push(format!("{file} holds {values} not finite, the first at position {first}"));
        }
    }
    Ok(warnings)
}

/// Describes labels that are not strings in `config.json`.
fn label_warning(config: &AlbertConfig) -> Option<String> {
    let names = config.extra("id2label")?.as_object()?;
    let other = names.values().find(|name| !name.is_string())?;
    Some(format!("id2label has names that are not strings, such as {other}: they are used as text"))
}

/// Returns the parameter names of a model with these heads, with their shapes in PyTorch.
pub(super) fn expected_shapes(config: &AlbertConfig, heads: &[Head]) -> BTreeMap<String, Vec<usize>> {
    #[derive(Default)]
    struct Names {
        path: ModulePath,
        shapes: BTreeMap<String, Vec<usize>>,
    }
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.path.enter(name, container_type);
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.lazy_shape();
            let mut shape: Vec<usize> = (0..D).map(|i| shape[i]).collect();
            if self.path.is_transposed(D) {
                shape.reverse();
            }
            self.shapes.insert(self.path.checkpoint_name(), shape);
        }
    }
    let mut names = Names::default();
    // Parameters are allocated only on first use, so any device works.
    if let Ok(open) = crate::device::open(crate::device::DeviceChoice::Flex, crate::device::Precision::F32)
        .or_else(|_| crate::device::open(crate::device::DeviceChoice::NdArray, crate::device::Precision::F32))
    {
        let device: Device = open.device;
        Albert::new(config, heads, &device).visit(&mut names);
    }
    names.shapes
}
