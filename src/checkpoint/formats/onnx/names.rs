//! Finds the parameter names of the weights of ONNX models.
//!
//! Exporters keep the names of most parameters, but not those of matrices in matrix multiplications, which they store
//! `[in, out]`. Those are named after the module that the graph shows. Such a tensor is listed as `NAME.weight.T`.

use std::collections::{BTreeMap, BTreeSet};

use super::Initializer;
use super::graph::{Graph, Product, Scoped};
use super::quantized::{self, QuantizedNodes};
use super::recipes::Recipe;

/// The table of the masked-LM decoder and that of the words, which are usually the same.
const DECODER: &str = "predictions.decoder.weight";
const WORDS: &str = "albert.embeddings.word_embeddings.weight";

/// The parts of an attention's packed weight, in order.
const PACKED: [&str; 3] = ["query", "key", "value"];

/// The part of an initializer that a listed tensor consists of.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Whole,
    /// One of `count` equal parts of the columns.
    Part {
        index: usize,
        count: usize,
    },
    /// As many zeros, of the initializer's type.
    Zeros(usize),
}

/// The source of a listed tensor.
pub(super) struct Listed<'a> {
    pub initializer: &'a Initializer,
    pub content: Content,
    /// All initializers for which the same name was derived from their bias. It is only right if they are equal.
    pub others: Vec<&'a Initializer>,
}

impl<'a> From<&'a Initializer> for Listed<'a> {
    fn from(initializer: &'a Initializer) -> Self {
        Self { initializer, content: Content::Whole, others: Vec::new() }
    }
}

/// Maps parameter names to initializers.
pub(super) fn names<'a>(
    graph: &Graph,
    initializers: &'a [Initializer],
    quantized: &QuantizedNodes,
    recipes: &BTreeMap<String, Recipe>,
) -> BTreeMap<String, Listed<'a>> {
    let is_weight = |i: &&Initializer| i.dtype.is_float() || recipes.contains_key(&i.name);
    let weights: BTreeMap<&str, &'a Initializer> =
        initializers.iter().filter(is_weight).map(|i| (i.name.as_str(), i)).collect();
    let weight_of = |name: &str| weights.get(quantized.source(name)).copied();
    let own_name = |initializer: &Initializer| {
        let name = initializer.name.as_str();
        let plain = if recipes.contains_key(name) { quantized::stem(name).unwrap_or(name) } else { name };
        is_parameter(plain).then(|| plain.to_owned())
    };
    let mut names = Names::default();
    for product in &graph.products {
        if let Some(weight) = weight_of(&product.weight)
            && let Some(own) = own_name(weight)
        {
            names.first(weight, own.trim_end_matches(".T"), product.transposed);
        }
    }
    for weight in initializers.iter().filter(is_weight) {
        if let Some(own) = own_name(weight)
            && !names.named.contains_key(weight.name.as_str())
        {
            names.first(weight, own.trim_end_matches(".T"), own.ends_with(".T"));
        }
    }
    for product in &graph.products {
        let anonymous = weight_of(&product.weight).filter(|weight| own_name(weight).is_none());
        let Some(weight) = anonymous else { continue };
        if let Some(module) = &product.module {
            names.first(weight, &format!("{module}.weight"), product.transposed);
            continue;
        }
        let width = width(weight, recipes.get(&weight.name), product);
        let stem_of = |bias: &str| {
            let bias = weight_of(bias).filter(|bias| Some(bias.shape.iter().product()) == width)?;
            Some(own_name(bias)?.strip_suffix(".bias")?.to_owned())
        };
        let bias = graph.bias(product, |bias| stem_of(bias).is_some());
        if let Some(module) = bias.and_then(stem_of) {
            // The bias of the masked-LM decoder has two names.
            let decoder = if module.ends_with("predictions") { ".decoder" } else { "" };
            names.derived(weight, &format!("{module}{decoder}.weight"), product.transposed);
        }
    }
    // Some exporters store equal vectors once, under the name of the first.
    for Scoped { input, name } in &graph.scoped {
        if let Some(vector) = weight_of(input).filter(|vector| vector.shape.len() == 1) {
            names.first(vector, name, false);
        }
    }
    // The embedding table may have the name of the masked-LM decoder that shares it.
    for table in &graph.tables {
        if let Some(weight) = weight_of(table)
            && let Some(prefix) = own_name(weight).as_deref().and_then(|own| own.strip_suffix(DECODER))
        {
            names.first(weight, &format!("{prefix}{WORDS}"), false);
        }
    }
    // PyTorch's exporter leaves out a bias that is zero.
    for product in graph.products.iter().filter(|product| product.lacks_bias) {
        let Some(weight) = weight_of(&product.weight) else { continue };
        let stem = names.named.get(weight.name.as_str()).and_then(|name| name.strip_suffix(".weight"));
        if let Some(name) = stem.map(|stem| format!("{stem}.bias"))
            && let Some(width) = width(weight, recipes.get(&weight.name), product)
            && !recipes.contains_key(&weight.name)
        {
            names.add(Listed { content: Content::Zeros(width), ..Listed::from(weight) }, &name, false);
        }
    }
    for attention in &graph.attentions {
        let layer = graph.output_layer(attention).and_then(|dense| weight_of(&dense.weight));
        let Some(dense) = layer.and_then(|dense| names.named.get(dense.name.as_str())) else { continue };
        let Some(module) = dense.strip_suffix(".dense.weight").map(str::to_owned) else { continue };
        let packed = |name: &str, axes: usize| {
            weight_of(name).filter(|weight| {
                let columns = weight.shape.last().copied().unwrap_or_default();
                weight.shape.len() == axes && columns % 3 == 0 && !recipes.contains_key(&weight.name)
            })
        };
        for (index, part) in PACKED.iter().enumerate() {
            let bias = attention.bias.as_deref().and_then(|bias| packed(bias, 1));
            for (source, ending, transposed) in
                [(packed(&attention.weight, 2), "weight", true), (bias, "bias", false)]
            {
                if let Some(source) = source {
                    let content = Content::Part { index, count: PACKED.len() };
                    let listed = Listed { content, ..Listed::from(source) };
                    names.add(listed, &format!("{module}.{part}.{ending}"), transposed);
                }
            }
        }
    }
    names.listed
}

#[derive(Default)]
struct Names<'a> {
    listed: BTreeMap<String, Listed<'a>>,
    /// Names of `listed` without the mark of transposed matrices.
    taken: BTreeSet<String>,
    /// The first parameter name of each initializer.
    named: BTreeMap<&'a str, String>,
}

impl<'a> Names<'a> {
    fn add(&mut self, listed: Listed<'a>, name: &str, transposed: bool) {
        if self.taken.insert(name.to_owned()) {
            let mark = if transposed { ".T" } else { "" };
            self.listed.insert(format!("{name}{mark}"), listed);
        }
    }

    /// Lists an initializer under a name, unless it is taken: exporters may store shared weights once per layer,
    /// with equal values.
    fn first(&mut self, initializer: &'a Initializer, name: &str, transposed: bool) {
        self.named.entry(&initializer.name).or_insert_with(|| name.to_owned());
        self.add(initializer.into(), name, transposed);
    }

    /// Like [`Self::first`] for an uncertain name. Remembers all initializers for which it was derived.
    fn derived(&mut self, initializer: &'a Initializer, name: &str, transposed: bool) {
        let is_new = !self.taken.contains(name);
        self.first(initializer, name, transposed);
        let mark = if transposed { ".T" } else { "" };
        if let Some(listed) = self.listed.get_mut(&format!("{name}{mark}"))
            && (is_new || !listed.others.is_empty())
            && listed.others.iter().all(|other| other.name != initializer.name)
        {
            listed.others.push(initializer);
        }
    }
}

/// Returns the number of outputs of a product.
fn width(weight: &Initializer, recipe: Option<&Recipe>, product: &Product) -> Option<usize> {
    let shape = recipe.map_or_else(|| weight.shape.clone(), |r| quantized::shape(&weight.shape, r.form));
    if product.transposed { shape.last().copied() } else { shape.first().copied() }
}

fn is_parameter(name: &str) -> bool {
    let stem = name.strip_suffix(".T").unwrap_or(name);
    stem.contains('.') && [".weight", ".bias"].iter().any(|end| stem.ends_with(end))
}
