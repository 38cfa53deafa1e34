//! The table of the names of modules and their parameters, by naming convention.

/// Naming convention of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// transformers for PyTorch, including old names.
    PyTorch,
    /// google-research/albert for TensorFlow 1.
    Google,
    /// transformers for TensorFlow 2 (Keras).
    Keras,
    /// transformers for Flax.
    Flax,
    /// PyTorch names in an ONNX model, with `.T` appended for transposed matrices.
    Onnx,
}

/// The kind of a module, which determines its parameters and their names in each dialect.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ModuleKind {
    /// `weight` `[out, in]` (`kernel` `[in, out]` in other dialects) and `bias`.
    Linear,
    /// Like [`ModuleKind::Linear`], but Google stores `output_weights` `[out, in]` and `output_bias`.
    Output,
    /// `weight` and `bias` (`gamma`, `scale` and `beta` in other dialects).
    Norm,
    /// The word embedding table.
    Words,
    /// Another embedding table.
    Table,
    /// A vector that is a module of its own.
    Vector,
}

/// The names of a module. `{g}` is the index of the group and `{l}` that of the inner layer.
pub(super) struct Row {
    pub(super) kind: ModuleKind,
    pub(super) canonical: &'static str,
    /// Empty at the top level. `None` if Google's models have no such module.
    pub(super) google: Option<&'static str>,
    /// The name in Flax. Keras joins the names of lists with `_._`.
    pub(super) tree: &'static str,
}

pub(super) const fn row(
    kind: ModuleKind,
    canonical: &'static str,
    google: Option<&'static str>,
    tree: &'static str,
) -> Row {
    Row { kind, canonical, google, tree }
}

pub(super) const TABLE: [Row; 20] = [
    row(
        ModuleKind::Words,
        "albert.embeddings.word_embeddings",
        Some("bert/embeddings/word_embeddings"),
        "albert/embeddings/word_embeddings",
    ),
    row(
        ModuleKind::Table,
        "albert.embeddings.position_embeddings",
        Some("bert/embeddings/position_embeddings"),
        "albert/embeddings/position_embeddings",
    ),
    row(
        ModuleKind::Table,
        "albert.embeddings.token_type_embeddings",
        Some("bert/embeddings/token_type_embeddings"),
        "albert/embeddings/token_type_embeddings",
    ),
    row(
        ModuleKind::Norm,
        "albert.embeddings.LayerNorm",
        Some("bert/embeddings/LayerNorm"),
        "albert/embeddings/LayerNorm",
    ),
    row(
        ModuleKind::Linear,
        "albert.encoder.embedding_hidden_mapping_in",
        Some("bert/encoder/embedding_hidden_mapping_in"),
        "albert/encoder/embedding_hidden_mapping_in",
    ),
    layer(ModuleKind::Linear, Layer::Query),
    layer(ModuleKind::Linear, Layer::Key),
    layer(ModuleKind::Linear, Layer::Value),
    layer(ModuleKind::Linear, Layer::Dense),
    layer(ModuleKind::Norm, Layer::AttentionNorm),
    layer(ModuleKind::Linear, Layer::Ffn),
    layer(ModuleKind::Linear, Layer::FfnOutput),
    layer(ModuleKind::Norm, Layer::FullNorm),
    row(ModuleKind::Linear, "albert.pooler", Some("bert/pooler/dense"), "albert/pooler"),
    row(
        ModuleKind::Linear,
        "predictions.dense",
        Some("cls/predictions/transform/dense"),
        "predictions/dense",
    ),
    row(
        ModuleKind::Norm,
        "predictions.LayerNorm",
        Some("cls/predictions/transform/LayerNorm"),
        "predictions/LayerNorm",
    ),
    row(ModuleKind::Vector, "predictions.bias", Some("cls/predictions/output_bias"), "predictions/bias"),
    row(
        ModuleKind::Output,
        "sop_classifier.classifier",
        Some("cls/seq_relationship"),
        "sop_classifier/classifier",
    ),
    row(ModuleKind::Output, "classifier", Some(""), "classifier"),
    row(ModuleKind::Output, "qa_outputs", Some("cls/squad"), "qa_outputs"),
];

/// The modules of one layer.
#[derive(Clone, Copy)]
pub(super) enum Layer {
    Query,
    Key,
    Value,
    Dense,
    AttentionNorm,
    Ffn,
    FfnOutput,
    FullNorm,
}

pub(super) const fn layer(kind: ModuleKind, which: Layer) -> Row {
    macro_rules! layer {
        ($canonical:literal, $google:literal, $tree:literal) => {
            row(
                kind,
                concat!("albert.encoder.albert_layer_groups.{g}.albert_layers.{l}.", $canonical),
                Some(concat!("bert/encoder/transformer/group_{g}/inner_group_{l}/", $google)),
                concat!("albert/encoder/albert_layer_groups/{g}/albert_layers/{l}/", $tree),
            )
        };
    }
    match which {
        Layer::Query => layer!("attention.query", "attention_1/self/query", "attention/query"),
        Layer::Key => layer!("attention.key", "attention_1/self/key", "attention/key"),
        Layer::Value => layer!("attention.value", "attention_1/self/value", "attention/value"),
        Layer::Dense => layer!("attention.dense", "attention_1/output/dense", "attention/dense"),
        Layer::AttentionNorm => layer!("attention.LayerNorm", "LayerNorm", "attention/LayerNorm"),
        Layer::Ffn => layer!("ffn", "ffn_1/intermediate/dense", "ffn"),
        Layer::FfnOutput => layer!("ffn_output", "ffn_1/intermediate/output/dense", "ffn_output"),
        Layer::FullNorm => layer!("full_layer_layer_norm", "LayerNorm_1", "full_layer_layer_norm"),
    }
}

/// Returns the parameters of a kind of module: the canonical suffix, the dialect's suffix, and whether the dialect stores
/// it transposed.
pub(super) fn parameters(
    kind: ModuleKind,
    dialect: Dialect,
) -> &'static [(&'static str, &'static str, bool)] {
    use Dialect::{Flax, Google, Keras, Onnx, PyTorch};
    match (kind, dialect) {
        (ModuleKind::Linear | ModuleKind::Output | ModuleKind::Norm, PyTorch | Onnx) => {
            &[(".weight", ".weight", false), (".bias", ".bias", false)]
        }
        (ModuleKind::Words | ModuleKind::Table, PyTorch | Onnx) => &[(".weight", ".weight", false)],
        (ModuleKind::Vector, PyTorch | Onnx | Google | Flax) => &[("", "", false)],
        (ModuleKind::Vector, Keras) => &[("", ":0", false)],
        (ModuleKind::Linear, Google) | (ModuleKind::Linear | ModuleKind::Output, Flax) => {
            &[(".weight", "/kernel", true), (".bias", "/bias", false)]
        }
        (ModuleKind::Linear | ModuleKind::Output, Keras) => {
            &[(".weight", "/kernel:0", true), (".bias", "/bias:0", false)]
        }
        (ModuleKind::Output, Google) => {
            &[(".weight", "/output_weights", false), (".bias", "/output_bias", false)]
        }
        (ModuleKind::Norm, Google) => &[(".weight", "/gamma", false), (".bias", "/beta", false)],
        (ModuleKind::Norm, Keras) => &[(".weight", "/gamma:0", false), (".bias", "/beta:0", false)],
        (ModuleKind::Norm, Flax) => &[(".weight", "/scale", false), (".bias", "/bias", false)],
        (ModuleKind::Words | ModuleKind::Table, Google) => &[(".weight", "", false)],
        (ModuleKind::Words, Keras) => &[(".weight", "/weight:0", false)],
        (ModuleKind::Table, Keras) => &[(".weight", "/embeddings:0", false)],
        (ModuleKind::Words | ModuleKind::Table, Flax) => &[(".weight", "/embedding", false)],
    }
}

/// Returns a module's name pattern in a dialect.
pub(super) fn pattern(row: &Row, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::PyTorch | Dialect::Onnx => Some(row.canonical.to_owned()),
        Dialect::Google => row.google.map(str::to_owned),
        Dialect::Flax => Some(row.tree.to_owned()),
        Dialect::Keras => {
            Some(row.tree.replace("_groups/{g}", "_groups_._{g}").replace("_layers/{l}", "_layers_._{l}"))
        }
    }
}
