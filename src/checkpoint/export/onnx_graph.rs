//! Builds ALBERT as an ONNX graph. Every layer is unrolled, and all layers of a group refer to the same weights, which
//! are stored once.
//!
//! Opset 17, with the names and shapes of Hugging Face's exporters. Reference: transformers 4.57 `modeling_albert.py`.

use crate::checkpoint::architecture::Architecture;
use crate::checkpoint::formats::onnx::proto::{
    Attribute, Dimension, FLOAT, Graph, INT64, Node, Shape, TensorProto, TensorType, TypeProto, ValueInfo,
    kind,
};
use crate::model::{Activation, AlbertConfig, PositionEmbeddingType, group_of_layer};

/// A parameter of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Weight {
    /// The name of the initializer.
    pub name: String,
    /// The canonical name of the parameter.
    pub canonical: String,
    /// True if it is stored as `[in, out]`, the operand order of ONNX's `MatMul`.
    pub transposed: bool,
}

/// A graph without its weights, and the list of these weights.
pub(in crate::checkpoint) struct Built {
    pub graph: Graph,
    pub weights: Vec<Weight>,
}

/// Builds the graph of a class.
///
/// # Errors
/// Features without an ONNX operator.
pub(in crate::checkpoint) fn build(
    config: &AlbertConfig,
    architecture: Architecture,
) -> Result<Built, String> {
    if config.position_embedding_type != PositionEmbeddingType::Absolute {
        return Err("relative positions are not exported to ONNX".to_owned());
    }
    let graph = Graph { name: architecture.class().to_owned(), ..Graph::default() };
    let mut b = Builder { config, graph, weights: Vec::new() };
    let choices = architecture == Architecture::MultipleChoice;
    let (ids, mask, types) = b.inputs(choices);
    let states = b.encoder(&ids, &mask, &types);
    b.outputs(architecture, &states);
    Ok(Built { graph: b.graph, weights: b.weights })
}

struct Builder<'a> {
    config: &'a AlbertConfig,
    graph: Graph,
    weights: Vec<Weight>,
}

fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.to_owned(), i, kind: kind::INT, ..Attribute::default() }
}

fn float(name: &str, f: f32) -> Attribute {
    Attribute { name: name.to_owned(), f, kind: kind::FLOAT, ..Attribute::default() }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), ints: ints.to_vec(), kind: kind::INTS, ..Attribute::default() }
}

fn value(name: &str, elem_type: i32, dims: &[&str]) -> ValueInfo {
    let dim = |d: &&str| match d.parse::<i64>() {
        Ok(n) => Dimension { dim_value: Some(n), dim_param: None },
        Err(_) => Dimension { dim_value: None, dim_param: Some((*d).to_owned()) },
    };
    let shape = Shape { dim: dims.iter().map(dim).collect() };
    let tensor_type = TensorType { elem_type, shape: Some(shape) };
    ValueInfo { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

impl Builder<'_> {
    /// Adds a node with one output, named after its module, and returns the output's name.
    fn op(&mut self, op_type: &str, scope: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let number = self.graph.node.len();
        let name = format!("/{}/{op_type}", scope.replace('.', "/"));
        let output = format!("{name}_output_{number}");
        self.graph.node.push(Node {
            input: inputs.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![output.clone()],
            name: format!("{name}_{number}"),
            op_type: op_type.to_owned(),
            attribute,
        });
        output
    }

    /// Makes the output of the last node an output of the graph with this name.
    fn named(&mut self, output: &str, dims: &[&str]) {
        if let Some(last) = self.graph.node.last_mut() {
            last.output = vec![output.to_owned()];
        }
        self.graph.output.push(value(output, FLOAT, dims));
    }

    /// Adds constants to the graph, each stored once.
    fn numbers(&mut self, values: &[i64], scalar: bool) -> String {
        let text: Vec<String> = values.iter().map(i64::to_string).collect();
        let name = format!("{}_{}", if scalar { "int" } else { "ints" }, text.join("_").replace('-', "m"));
        self.constant(
            name,
            INT64,
            if scalar { vec![] } else { vec![values.len() as i64] },
            values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        )
    }

    fn number(&mut self, v: f32) -> String {
        self.constant(format!("float_{v:e}").replace('-', "m"), FLOAT, vec![], v.to_le_bytes().to_vec())
    }

    fn constant(&mut self, name: String, data_type: i32, dims: Vec<i64>, raw_data: Vec<u8>) -> String {
        if !self.graph.initializer.iter().any(|t| t.name == name) {
            self.graph.initializer.push(TensorProto { dims, data_type, name: name.clone(), raw_data });
        }
        name
    }

    fn weight(&mut self, canonical: &str, transposed: bool) -> String {
        let name = if transposed { format!("{canonical}.T") } else { canonical.to_owned() };
        if !self.weights.iter().any(|w| w.name == name) {
            self.weights.push(Weight { name: name.clone(), canonical: canonical.to_owned(), transposed });
        }
        name
    }

    fn linear(&mut self, module: &str, x: &str) -> String {
        let weight = self.weight(&format!("{module}.weight"), true);
        let bias = self.weight(&format!("{module}.bias"), false);
        let product = self.op("MatMul", module, &[x, &weight], vec![]);
        self.op("Add", module, &[&product, &bias], vec![])
    }

    fn norm(&mut self, module: &str, x: &str) -> String {
        let scale = self.weight(&format!("{module}.weight"), false);
        let bias = self.weight(&format!("{module}.bias"), false);
        let epsilon = float("epsilon", self.config.layer_norm_eps as f32);
        self.op("LayerNormalization", module, &[x, &scale, &bias], vec![int("axis", -1), epsilon])
    }

    /// Adds the inputs, as `[rows, length]`.
    fn inputs(&mut self, choices: bool) -> (String, String, String) {
        let names = ["input_ids", "attention_mask", "token_type_ids"];
        let dims: &[&str] = if choices {
            &["batch_size", "num_choices", "sequence_length"]
        } else {
            &["batch_size", "sequence_length"]
        };
        self.graph.input = names.iter().map(|name| value(name, INT64, dims)).collect();
        let [ids, mask, types] = names.map(|name| {
            if !choices {
                return name.to_owned();
            }
            let length = self.extent("input_ids", 2);
            let rest = self.numbers(&[-1], false);
            let shape = self.op("Concat", "choices", &[&rest, &length], vec![int("axis", 0)]);
            self.op("Reshape", "choices", &[name, &shape], vec![])
        });
        (ids, mask, types)
    }

    /// Returns one dimension of a tensor, as a vector of one element.
    fn extent(&mut self, x: &str, axis: i64) -> String {
        let shape = self.op("Shape", "shape", &[x], vec![]);
        let axis = self.numbers(&[axis], false);
        self.op("Gather", "shape", &[&shape, &axis], vec![int("axis", 0)])
    }

    fn encoder(&mut self, ids: &str, mask: &str, types: &str) -> String {
        let embeddings = "albert.embeddings";
        let table = |b: &mut Self, which: &str, index: &str| {
            let table = b.weight(&format!("{embeddings}.{which}.weight"), false);
            b.op("Gather", &format!("{embeddings}.{which}"), &[&table, index], vec![])
        };
        let words = table(self, "word_embeddings", ids);
        let segments = table(self, "token_type_embeddings", types);
        let shape = self.op("Shape", embeddings, &[ids], vec![]);
        let second = self.numbers(&[1], true);
        let length = self.op("Gather", embeddings, &[&shape, &second], vec![int("axis", 0)]);
        let (zero, one) = (self.numbers(&[0], true), self.numbers(&[1], true));
        let range = self.op("Range", embeddings, &[&zero, &length, &one], vec![]);
        let positions = table(self, "position_embeddings", &range);
        let sum = self.op("Add", embeddings, &[&words, &segments], vec![]);
        let sum = self.op("Add", embeddings, &[&sum, &positions], vec![]);
        let normed = self.norm("albert.embeddings.LayerNorm", &sum);
        let mut x = self.linear("albert.encoder.embedding_hidden_mapping_in", &normed);

        // Padding gets the lowest float, so that its probability is zero.
        let mask = self.op("Cast", "mask", &[mask], vec![int("to", i64::from(FLOAT))]);
        let axes = self.numbers(&[1, 2], false);
        let mask = self.op("Unsqueeze", "mask", &[&mask, &axes], vec![]);
        let (unit, lowest) = (self.number(1.0), self.number(f32::MIN));
        let mask = self.op("Sub", "mask", &[&unit, &mask], vec![]);
        let mask = self.op("Mul", "mask", &[&mask, &lowest], vec![]);

        let groups = self.config.num_hidden_groups;
        for i in 0..self.config.num_hidden_layers {
            let group = group_of_layer(i, self.config.num_hidden_layers, groups).min(groups - 1);
            for inner in 0..self.config.inner_group_num {
                let layer = format!("albert.encoder.albert_layer_groups.{group}.albert_layers.{inner}");
                x = self.layer(&layer, &x, &mask);
            }
        }
        x
    }

    fn layer(&mut self, layer: &str, x: &str, mask: &str) -> String {
        let attention = format!("{layer}.attention");
        let (heads, width) = (self.config.num_attention_heads as i64, self.config.head_size() as i64);
        let split = self.numbers(&[0, 0, heads, width], false);
        let part = |b: &mut Self, which: &str, perm: &[i64]| {
            let module = format!("{attention}.{which}");
            let y = b.linear(&module, x);
            let y = b.op("Reshape", &module, &[&y, &split], vec![]);
            b.op("Transpose", &module, &[&y], vec![ints("perm", perm)])
        };
        let query = part(self, "query", &[0, 2, 1, 3]);
        let key = part(self, "key", &[0, 2, 3, 1]);
        let values = part(self, "value", &[0, 2, 1, 3]);
        let scores = self.op("MatMul", &attention, &[&query, &key], vec![]);
        let root = self.number((width as f32).sqrt());
        let scores = self.op("Div", &attention, &[&scores, &root], vec![]);
        let scores = self.op("Add", &attention, &[&scores, mask], vec![]);
        let probs = self.op("Softmax", &attention, &[&scores], vec![int("axis", -1)]);
        let mixed = self.op("MatMul", &attention, &[&probs, &values], vec![]);
        let mixed = self.op("Transpose", &attention, &[&mixed], vec![ints("perm", &[0, 2, 1, 3])]);
        let joined = self.numbers(&[0, 0, self.config.hidden_size as i64], false);
        let mixed = self.op("Reshape", &attention, &[&mixed, &joined], vec![]);
        let projected = self.linear(&format!("{attention}.dense"), &mixed);
        let sum = self.op("Add", &attention, &[x, &projected], vec![]);
        let attended = self.norm(&format!("{attention}.LayerNorm"), &sum);
        let wide = self.linear(&format!("{layer}.ffn"), &attended);
        let wide = self.activation(&format!("{layer}.activation"), &wide);
        let narrow = self.linear(&format!("{layer}.ffn_output"), &wide);
        let sum = self.op("Add", layer, &[&narrow, &attended], vec![]);
        self.norm(&format!("{layer}.full_layer_layer_norm"), &sum)
    }

    fn activation(&mut self, scope: &str, x: &str) -> String {
        let simple = |b: &mut Self, op: &str| b.op(op, scope, &[x], vec![]);
        match self.config.hidden_act {
            Activation::Relu => simple(self, "Relu"),
            Activation::Tanh => simple(self, "Tanh"),
            Activation::Sigmoid => simple(self, "Sigmoid"),
            Activation::Linear => simple(self, "Identity"),
            Activation::Silu | Activation::Swish => {
                let gate = simple(self, "Sigmoid");
                self.op("Mul", scope, &[x, &gate], vec![])
            }
            Activation::Gelu | Activation::GeluPython => self.gelu(scope, x),
            Activation::Gelu10 => {
                let y = self.gelu(scope, x);
                let (low, high) = (self.number(-10.0), self.number(10.0));
                self.op("Clip", scope, &[&y, &low, &high], vec![])
            }
            Activation::Relu2 => {
                let y = simple(self, "Relu");
                self.op("Mul", scope, &[&y, &y], vec![])
            }
            Activation::Relu6 => {
                let (low, high) = (self.number(0.0), self.number(6.0));
                self.op("Clip", scope, &[x, &low, &high], vec![])
            }
            Activation::LeakyRelu => self.op("LeakyRelu", scope, &[x], vec![float("alpha", 0.01)]),
            Activation::Mish => {
                let y = simple(self, "Softplus");
                let y = self.op("Tanh", scope, &[&y], vec![]);
                self.op("Mul", scope, &[x, &y], vec![])
            }
            Activation::QuickGelu => {
                let factor = self.number(1.702);
                let y = self.op("Mul", scope, &[x, &factor], vec![]);
                let y = self.op("Sigmoid", scope, &[&y], vec![]);
                self.op("Mul", scope, &[x, &y], vec![])
            }
            Activation::Laplace => {
                #[allow(clippy::approx_constant, reason = "the reference's own six digits")]
                let (mu, sigma) = (0.707_107, 0.282_095);
                let (mu, scale) = (self.number(mu), self.number(sigma * std::f32::consts::SQRT_2));
                let (one, half) = (self.number(1.0), self.number(0.5));
                let y = self.op("Sub", scope, &[x, &mu], vec![]);
                let y = self.op("Div", scope, &[&y, &scale], vec![]);
                let y = self.op("Erf", scope, &[&y], vec![]);
                let y = self.op("Add", scope, &[&y, &one], vec![]);
                self.op("Mul", scope, &[&y, &half], vec![])
            }
            Activation::GeluNew
            | Activation::GeluFast
            | Activation::GeluPytorchTanh
            | Activation::GeluPythonTanh
            | Activation::GeluAccurate => {
                let root = (2.0 / std::f64::consts::PI).sqrt() as f32;
                let (three, factor, root) = (self.number(3.0), self.number(0.044_715), self.number(root));
                let (one, half) = (self.number(1.0), self.number(0.5));
                let cube = self.op("Pow", scope, &[x, &three], vec![]);
                let y = self.op("Mul", scope, &[&cube, &factor], vec![]);
                let y = self.op("Add", scope, &[x, &y], vec![]);
                let y = self.op("Mul", scope, &[&y, &root], vec![]);
                let y = self.op("Tanh", scope, &[&y], vec![]);
                let y = self.op("Add", scope, &[&y, &one], vec![]);
                let scaled = self.op("Mul", scope, &[x, &half], vec![]);
                self.op("Mul", scope, &[&scaled, &y], vec![])
            }
        }
    }

    fn gelu(&mut self, scope: &str, x: &str) -> String {
        let (root, one, half) = (self.number(std::f32::consts::SQRT_2), self.number(1.0), self.number(0.5));
        let y = self.op("Div", scope, &[x, &root], vec![]);
        let y = self.op("Erf", scope, &[&y], vec![]);
        let y = self.op("Add", scope, &[&y, &one], vec![]);
        let y = self.op("Mul", scope, &[x, &y], vec![]);
        self.op("Mul", scope, &[&y, &half], vec![])
    }

    fn pooled(&mut self, states: &str) -> String {
        let first = self.numbers(&[0], true);
        let first = self.op("Gather", "albert.pooler", &[states, &first], vec![int("axis", 1)]);
        let dense = self.linear("albert.pooler", &first);
        self.op("Tanh", "albert.pooler", &[&dense], vec![])
    }

    fn masked_lm(&mut self, states: &str) {
        let x = self.linear("predictions.dense", states);
        let x = self.activation("predictions.activation", &x);
        let x = self.norm("predictions.LayerNorm", &x);
        // The decoder is the word embedding table, which is stored once.
        let table = if self.config.tie_word_embeddings {
            "albert.embeddings.word_embeddings.weight"
        } else {
            "predictions.decoder.weight"
        };
        let table = self.weight(table, false);
        let decoder = self.op("Transpose", "predictions.decoder", &[&table], vec![ints("perm", &[1, 0])]);
        let product = self.op("MatMul", "predictions.decoder", &[&x, &decoder], vec![]);
        let bias = self.weight("predictions.bias", false);
        self.op("Add", "predictions.decoder", &[&product, &bias], vec![]);
    }

    fn outputs(&mut self, architecture: Architecture, states: &str) {
        let (batch, length) = ("batch_size", "sequence_length");
        let hidden = self.config.hidden_size.to_string();
        let vocabulary = self.config.vocab_size.to_string();
        let labels = self.config.num_labels.to_string();
        match architecture {
            Architecture::Base => {
                self.op("Identity", "albert", &[states], vec![]);
                self.named("last_hidden_state", &[batch, length, &hidden]);
                self.pooled(states);
                self.named("pooler_output", &[batch, &hidden]);
            }
            Architecture::MaskedLm => {
                self.masked_lm(states);
                self.named("logits", &[batch, length, &vocabulary]);
            }
            Architecture::PreTraining => {
                self.masked_lm(states);
                self.named("prediction_logits", &[batch, length, &vocabulary]);
                let pooled = self.pooled(states);
                self.linear("sop_classifier.classifier", &pooled);
                self.named("sop_logits", &[batch, &labels]);
            }
            Architecture::SequenceClassification => {
                let pooled = self.pooled(states);
                self.linear("classifier", &pooled);
                self.named("logits", &[batch, &labels]);
            }
            Architecture::TokenClassification => {
                self.linear("classifier", states);
                self.named("logits", &[batch, length, &labels]);
            }
            Architecture::MultipleChoice => {
                let pooled = self.pooled(states);
                let scores = self.linear("classifier", &pooled);
                let (rows, choices) = (self.extent("input_ids", 0), self.extent("input_ids", 1));
                let shape = self.op("Concat", "classifier", &[&rows, &choices], vec![int("axis", 0)]);
                self.op("Reshape", "classifier", &[&scores, &shape], vec![]);
                self.named("logits", &[batch, "num_choices"]);
            }
            Architecture::QuestionAnswering => {
                let both = self.linear("qa_outputs", states);
                for (which, name) in [(0, "start_logits"), (1, "end_logits")] {
                    let which = self.numbers(&[which], true);
                    self.op("Gather", "qa_outputs", &[&both, &which], vec![int("axis", 2)]);
                    self.named(name, &[batch, length]);
                }
            }
        }
    }
}
