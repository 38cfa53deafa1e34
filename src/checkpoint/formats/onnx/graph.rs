//! The nodes of an ONNX graph that show which module a weight belongs to.
//!
//! Exporters leave traces of the module in different places: the node's name is a path (`torch.onnx.export` with
//! TorchScript), the node's metadata has the module's name (`torch.onnx.export` since PyTorch 2.9), or only the bias
//! that is added to the product has a name (the same file after a program such as ONNX Runtime dropped the metadata).

use std::collections::BTreeMap;

use prost::Message;

use super::proto::{MAX_NAME, Node, NodeMetadata};

/// Key of the names of the modules around a node, from the outermost to the node itself, as a list in Python's syntax.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";

/// Operators that may stand between a multiplication and the addition of its bias.
const BETWEEN: [&str; 6] = ["Cast", "Mul", "Reshape", "Identity", "QuantizeLinear", "DequantizeLinear"];

/// Operators that add a bias, among others.
const ADDING: [&str; 4] = ["Add", "BiasGelu", "FastGelu", "SkipLayerNormalization"];

/// Maximum number of nodes between a product and its bias or between an attention and its output layer.
const MAX_STEPS: usize = 6;

/// Number of inputs of a node that are kept: a bias is the fifth at the latest.
const MAX_INPUTS: usize = 5;

/// A node that multiplies by a weight.
pub(super) struct Product {
    pub weight: String,
    pub transposed: bool,
    /// The module according to the node's metadata or its name.
    pub module: Option<String>,
    /// The bias, if it is an input of the node.
    pub bias: Option<String>,
    /// True for an operator that takes a bias, without one.
    pub lacks_bias: bool,
    pub output: String,
}

/// A node that multiplies by the weights of query, key and value side by side.
pub(super) struct Attention {
    pub weight: String,
    pub bias: Option<String>,
    pub output: String,
}

/// An input that is a parameter according to the node's metadata, if it is an initializer.
pub(super) struct Scoped {
    pub input: String,
    /// The parameter's name.
    pub name: String,
}

/// A node that is followed on the way from a product to its bias.
struct Step {
    operator: String,
    inputs: Vec<String>,
    output: String,
}

/// The nodes that matter.
#[derive(Default)]
pub(super) struct Graph {
    pub products: Vec<Product>,
    pub attentions: Vec<Attention>,
    pub scoped: Vec<Scoped>,
    /// First inputs of `Gather`: embedding tables, among others.
    pub tables: Vec<String>,
    steps: Vec<Step>,
    /// Maps tensors to the steps that read them.
    readers: BTreeMap<String, Vec<usize>>,
    /// Maps tensors to the products that multiply them.
    multiplied: BTreeMap<String, usize>,
}

impl Graph {
    /// Registers a node. `quantized` is its weight, if that is quantized, and whether it is stored as `[in, out]`.
    /// `bytes` is the encoded node.
    pub(super) fn add(&mut self, node: Node, bytes: &[u8], quantized: Option<(String, bool)>) {
        let short = node.input.iter().chain(&node.output).chain([&node.name]).all(|name| is_short(name));
        let Some(output) = node.output.first().filter(|_| short).cloned() else { return };
        let operator = node.op_type.as_str();
        let input = |i: usize| node.input.get(i).filter(|name| !name.is_empty()).cloned();
        let scope = scope(bytes);
        if let Some(module) = &scope {
            let places: &[(usize, &str)] = match operator {
                "Add" => &[(0, "bias"), (1, "bias")],
                "Gemm" => &[(2, "bias")],
                "LayerNormalization" => &[(1, "weight"), (2, "bias")],
                _ => &[],
            };
            for (place, ending) in places {
                let name = format!("{module}.{ending}");
                self.scoped.extend(input(*place).map(|input| Scoped { input, name }));
            }
        }
        let plain = || match operator {
            "MatMul" => Some((input(1)?, true)),
            "Gemm" => Some((input(1)?, !node.attribute.iter().any(|a| a.name == "transB" && a.i == 1))),
            _ => None,
        };
        if let Some((weight, transposed)) = quantized.or_else(plain) {
            let bias = match operator {
                "Gemm" => input(2),
                "DynamicQuantizeMatMul" => input(4),
                "MatMulNBits" => input(5),
                "QGemm" | "MatMulIntegerToFloat" => input(6),
                _ => None,
            };
            if let Some(multiplied) = input(0) {
                self.multiplied.entry(multiplied).or_insert(self.products.len());
            }
            let module = scope.or_else(|| path(&node.name));
            let lacks_bias = operator == "Gemm" && bias.is_none();
            self.products.push(Product { weight, transposed, module, bias, lacks_bias, output });
        } else if operator == "Gather" {
            self.tables.extend(input(0));
        } else if operator == "Attention" {
            let packed = input(1).filter(|_| !node.attribute.iter().any(|a| a.name == "qkv_hidden_sizes"));
            self.attentions.extend(packed.map(|weight| Attention { weight, bias: input(2), output }));
        } else if BETWEEN.contains(&operator) || ADDING.contains(&operator) {
            let inputs: Vec<String> = node.input.into_iter().take(MAX_INPUTS).collect();
            for input in &inputs {
                self.readers.entry(input.clone()).or_default().push(self.steps.len());
            }
            self.steps.push(Step { operator: node.op_type, inputs, output });
        }
    }

    /// Returns the bias that is added to the output of a product. `is_bias` accepts names of biases.
    pub(super) fn bias<'a>(
        &'a self,
        product: &'a Product,
        is_bias: impl Fn(&str) -> bool,
    ) -> Option<&'a str> {
        if let Some(bias) = &product.bias {
            return Some(bias.as_str()).filter(|bias| is_bias(bias));
        }
        let mut tensor = product.output.as_str();
        for _ in 0..MAX_STEPS {
            let readers = || self.readers.get(tensor).into_iter().flatten().map(|i| &self.steps[*i]);
            let found = readers().find_map(|step| {
                let inputs = match step.operator.as_str() {
                    // Inputs 2 and 3 are the parameters of the normalization.
                    "SkipLayerNormalization" => step.inputs.get(4..5)?,
                    operator if ADDING.contains(&operator) => step.inputs.as_slice(),
                    _ => return None,
                };
                inputs.iter().find(|input| is_bias(input))
            });
            if let Some(bias) = found {
                return Some(bias);
            }
            tensor = &readers().find(|step| BETWEEN.contains(&step.operator.as_str()))?.output;
        }
        None
    }

    /// Returns the product that multiplies the output of an attention: the attention's output layer.
    pub(super) fn output_layer(&self, attention: &Attention) -> Option<&Product> {
        let mut tensor = attention.output.as_str();
        for _ in 0..MAX_STEPS {
            if let Some(product) = self.multiplied.get(tensor) {
                return self.products.get(*product);
            }
            let readers = self.readers.get(tensor)?.iter().map(|i| &self.steps[*i]);
            tensor = &readers.into_iter().find(|step| BETWEEN.contains(&step.operator.as_str()))?.output;
        }
        None
    }
}

/// Returns the module of a node whose name is a path. The node `/albert/encoder/.../query/MatMul` belongs to the module
/// `albert.encoder...query`.
fn path(node: &str) -> Option<String> {
    let mut path: Vec<&str> = node.split('/').filter(|part| !part.is_empty()).collect();
    path.pop();
    (!path.is_empty()).then(|| path.join("."))
}

/// Returns the module that the metadata of a node names. Calls after the first may be numbered, as in `query@1`.
fn scope(node: &[u8]) -> Option<String> {
    let metadata = NodeMetadata::decode(node).ok()?.metadata;
    let scopes = &metadata.iter().find(|entry| entry.key == SCOPES)?.value;
    // Every second part lies between quotes. The last name is that of the node.
    let names: Vec<&str> = scopes.split('\'').skip(1).step_by(2).collect();
    let module = names.get(names.len().checked_sub(2)?)?;
    let plain = |part: &str| part.split('@').next().unwrap_or(part).to_owned();
    let module = module.split('.').map(plain).collect::<Vec<_>>().join(".");
    (!module.is_empty() && is_short(&module)).then_some(module)
}

fn is_short(name: &str) -> bool {
    name.len() as u64 <= MAX_NAME
}

#[cfg(test)]
mod tests {
    use super::super::proto::Entry;
    use super::*;

    #[test]
    fn modules_of_nodes() {
        assert_eq!(path("/albert/encoder/query/MatMul").as_deref(), Some("albert.encoder.query"));
        assert_eq!(path("node_MatMul_29"), None);
        assert_eq!(path("/"), None);
        let of = |key: &str, value: &str| {
            let entry = Entry { key: key.to_owned(), value: value.to_owned() };
            scope(&NodeMetadata { metadata: vec![entry] }.encode_to_vec())
        };
        assert_eq!(
            of(SCOPES, "['', 'albert', 'albert.pooler', 'linear_13']").as_deref(),
            Some("albert.pooler")
        );
        assert_eq!(of(SCOPES, "['', 'a@1', 'a@1.b@2', 'linear']").as_deref(), Some("a.b"));
        for odd in ["", "'", "['linear']", "['', 'linear']", "[]", "x"] {
            assert_eq!(of(SCOPES, odd), None, "{odd}");
        }
        assert_eq!(of("namespace", "['', 'albert', 'linear']"), None);
    }

    #[test]
    fn the_bias_of_a_product() {
        let node = |operator: &str, inputs: &[&str], output: &str| Node {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: String::new(),
            op_type: operator.to_owned(),
            attribute: Vec::new(),
        };
        let bias = |nodes: &[Node]| {
            let mut graph = Graph::default();
            nodes.iter().for_each(|node| graph.add(node.clone(), &[], None));
            graph.bias(&graph.products[0], |name| name.ends_with(".bias")).map(str::to_owned)
        };
        let product = node("MatMul", &["x", "val_1"], "p");
        let found = Some("a.bias".to_owned());
        assert_eq!(bias(&[product.clone(), node("Add", &["a.bias", "p"], "y")]), found);
        let cast = node("Cast", &["p"], "c");
        assert_eq!(bias(&[product.clone(), cast, node("FastGelu", &["c", "a.bias"], "y")]), found);
        let normalized = ["p", "x", "n.weight", "n.bias", "a.bias"];
        assert_eq!(bias(&[product.clone(), node("SkipLayerNormalization", &normalized, "y")]), found);
        assert_eq!(bias(&[product.clone(), node("SkipLayerNormalization", &normalized[..4], "y")]), None);
        assert_eq!(bias(&[product.clone(), node("Softmax", &["p"], "y")]), None);
        // A circle ends.
        assert_eq!(bias(&[product, node("Cast", &["p"], "p")]), None);
        assert_eq!(bias(&[node("Gemm", &["x", "val_1", "a.bias"], "p")]), found);
    }
}
