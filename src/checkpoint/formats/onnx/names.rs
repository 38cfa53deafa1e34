//! Finds the parameter names of the weights of ONNX models.
//!
//! Exporters keep the names of most parameters, but not those of matrices in matrix multiplications. These are named
//! after the node that uses them, whose name contains the path of the module, and are stored `[in, out]`. Such a tensor
//! is listed as `NAME.weight.T`.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::Node;
use super::quantized::{self, QuantizedNodes};
use super::recipes::Recipe;
use super::{Initializer, MAX_NAME};

/// A node that multiplies by a weight.
pub(super) struct Product {
    pub weight: String,
    pub node: String,
    pub transposed: bool,
}

/// Maps initializers that are parameters to their parameter names.
pub(super) fn names(
    products: &[Product],
    initializers: &[Initializer],
    quantized: &QuantizedNodes,
    recipes: &BTreeMap<String, Recipe>,
) -> BTreeMap<String, String> {
    let is_weight = |i: &&Initializer| i.dtype.is_float() || recipes.contains_key(&i.name);
    let is_initializer: BTreeSet<&str> =
        initializers.iter().filter(is_weight).map(|i| i.name.as_str()).collect();
    let plain = |name: &str| match recipes.contains_key(name) {
        true => quantized::stem(name).unwrap_or(name).to_owned(),
        false => name.to_owned(),
    };
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for Product { weight, node, transposed } in products {
        let weight = quantized.source(weight);
        if !is_initializer.contains(weight) {
            continue;
        }
        let own = plain(weight);
        let named = if is_parameter(&own) {
            own.trim_end_matches(".T").to_owned()
        } else {
            // The node "/albert/encoder/.../query/MatMul" belongs to the module albert.encoder...query.
            let mut path: Vec<&str> = node.split('/').filter(|part| !part.is_empty()).collect();
            path.pop();
            format!("{}.weight", path.join("."))
        };
        let name = if *transposed { format!("{named}.T") } else { named };
        names.entry(weight.to_owned()).or_insert(name);
    }
    for initializer in initializers.iter().filter(is_weight) {
        let own = plain(&initializer.name);
        if is_parameter(&own) {
            names.entry(initializer.name.clone()).or_insert(own);
        }
    }
    names
}

/// Returns the weight of a node, if the node multiplies by one.
pub(super) fn product(node: Node) -> Option<Product> {
    let transposed = match node.op_type.as_str() {
        "MatMul" => true,
        "Gemm" => !node.attribute.iter().any(|a| a.name == "transB" && a.i == 1),
        _ => return None,
    };
    let weight = node.input.into_iter().nth(1)?;
    (is_short(&weight) && is_short(&node.name)).then_some(Product { weight, node: node.name, transposed })
}

pub(super) fn is_short(name: &str) -> bool {
    name.len() as u64 <= MAX_NAME
}

fn is_parameter(name: &str) -> bool {
    let stem = name.strip_suffix(".T").unwrap_or(name);
    stem.contains('.') && [".weight", ".bias"].iter().any(|end| stem.ends_with(end))
}
