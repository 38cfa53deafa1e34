//! The table of parameter names, in both directions: burn's module paths, transformers' PyTorch names (the canonical
//! ones), and the names in Google's TensorFlow 1 checkpoints, in transformers' TensorFlow 2 and Flax files, and in ONNX
//! models.
//!
//! burn's module tree uses transformers' field names, so four rules map a path to its checkpoint name: `layer_norm`
//! becomes `LayerNorm`; a normalization's `gamma` and `beta` become `weight` and `bias`; a linear layer's weight is
//! stored transposed, `[out, in]`; and the untied decoder of the masked-LM head becomes `predictions.decoder.weight`.
//!
//! References: google-research/albert `modeling.py`; transformers 4.57 `modeling_tf_albert.py`,
//! `modeling_flax_albert.py`, and `load_tf_weights_in_albert`.

pub use super::table::Dialect;
use super::table::{ModuleKind, TABLE, parameters, pattern};

/// The position of a stored tensor in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalName {
    /// The name in transformers for PyTorch.
    pub canonical: String,
    /// True if the file stores `[in, out]` and the canonical tensor is `[out, in]`.
    pub transposed: bool,
}

/// Translates a name in a file. Returns `None` for tensors that are not part of a model (optimizer slots, counters).
pub fn to_canonical(name: &str, dialect: Dialect) -> Option<CanonicalName> {
    match dialect {
        Dialect::PyTorch => Some(CanonicalName { canonical: canonical_name(name), transposed: false }),
        Dialect::Onnx => {
            let stem = name.strip_suffix(".T");
            Some(CanonicalName {
                canonical: canonical_name(stem.unwrap_or(name)),
                transposed: stem.is_some(),
            })
        }
        Dialect::Google => find(name.strip_prefix("module/").unwrap_or(name), dialect),
        Dialect::Flax => {
            let whole = find(name, dialect);
            // A base model's names lack the `albert` prefix.
            whole.or_else(|| find(&format!("albert/{name}"), dialect))
        }
        Dialect::Keras => {
            // Names start with the layer and the class, possibly numbered, which are ignored.
            let mut rest = Some(name);
            while let Some(name) = rest {
                if name == "predictions/decoder/bias:0" {
                    let canonical = "predictions.decoder.bias".to_owned();
                    return Some(CanonicalName { canonical, transposed: false });
                }
                if let Some(place) = find(name, dialect) {
                    return Some(place);
                }
                rest = name.split_once('/').map(|(_, rest)| rest);
            }
            None
        }
    }
}

fn find(name: &str, dialect: Dialect) -> Option<CanonicalName> {
    for row in &TABLE {
        let Some(pattern) = pattern(row, dialect) else { continue };
        for (canonical, ending, transposed) in parameters(row.kind, dialect) {
            let pattern = format!("{pattern}{ending}");
            // At the top level, Google's names have no leading slash.
            let pattern = pattern.strip_prefix('/').unwrap_or(&pattern);
            if let Some(numbers) = matched(pattern, name) {
                let canonical = filled(&format!("{}{canonical}", row.canonical), &numbers);
                return Some(CanonicalName { canonical, transposed: *transposed });
            }
        }
    }
    None
}

/// Returns the name of a canonical tensor in a dialect, and whether it is stored transposed. Returns `None` if the
/// dialect has no such tensor.
pub fn from_canonical(canonical: &str, dialect: Dialect) -> Option<(String, bool)> {
    if dialect == Dialect::PyTorch {
        return Some((canonical.to_owned(), false));
    }
    if dialect == Dialect::Onnx {
        let row = TABLE.iter().find(|row| matched(&format!("{}.weight", row.canonical), canonical).is_some());
        let transposed = row.is_some_and(|row| matches!(row.kind, ModuleKind::Linear | ModuleKind::Output));
        return Some((if transposed { format!("{canonical}.T") } else { canonical.to_owned() }, transposed));
    }
    if canonical == "predictions.decoder.bias" && dialect == Dialect::Keras {
        return Some(("predictions/decoder/bias:0".to_owned(), false));
    }
    for row in &TABLE {
        let Some(pattern) = pattern(row, dialect) else { continue };
        for (end, ending, transposed) in parameters(row.kind, dialect) {
            if let Some(numbers) = matched(&format!("{}{end}", row.canonical), canonical) {
                let name = filled(&format!("{pattern}{ending}"), &numbers);
                return Some((name.strip_prefix('/').unwrap_or(&name).to_owned(), *transposed));
            }
        }
    }
    None
}

/// Matches a name against a pattern with `{g}` and `{l}` and returns their indices, in this order.
fn matched(pattern: &str, name: &str) -> Option<Vec<String>> {
    let mut numbers = Vec::new();
    let mut rest = name;
    let mut parts = pattern.split(['{', '}']);
    rest = rest.strip_prefix(parts.next()?)?;
    while let (Some(_), Some(literal)) = (parts.next(), parts.next()) {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || digits > 9 {
            return None;
        }
        numbers.push(rest[..digits].to_owned());
        rest = rest[digits..].strip_prefix(literal)?;
    }
    rest.is_empty().then_some(numbers)
}

fn filled(pattern: &str, numbers: &[String]) -> String {
    let mut out = pattern.to_owned();
    for (place, number) in ["{g}", "{l}"].iter().zip(numbers) {
        out = out.replace(place, number);
    }
    out
}

/// Returns the checkpoint name of the parameter at `path`, a burn module path such as
/// `["albert", "embeddings", "layer_norm", "gamma"]`.
pub fn checkpoint_name(path: &[String]) -> String {
    let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let last = parts.len().saturating_sub(1);
    for (i, part) in parts.iter_mut().enumerate() {
        *part = match *part {
            "layer_norm" => "LayerNorm",
            "gamma" if i == last => "weight",
            "beta" if i == last => "bias",
            other => other,
        };
    }
    match parts.join(".") {
        name if name == "predictions.decoder" => "predictions.decoder.weight".to_owned(),
        name => name,
    }
}

/// Returns the current form of a name in a file: replaces old names of normalizations, and adds the `albert.` prefix to
/// names of a base model.
pub fn canonical_name(name: &str) -> String {
    let mut name = name.to_owned();
    for (old, new) in [("gamma", "weight"), ("beta", "bias")] {
        if let Some(stem) = name.strip_suffix(old)
            && ["LayerNorm.", "full_layer_layer_norm."].iter().any(|norm| stem.ends_with(norm))
        {
            name = format!("{stem}{new}");
        }
    }
    if ["embeddings.", "encoder.", "pooler."].iter().any(|part| name.starts_with(part)) {
        name = format!("albert.{name}");
    }
    name
}

/// Returns true for the head of Google's SQuAD 2.0 training (`squad_utils.create_v2_model`), whose end logits depend on the
/// start and which has a separate output for answerability. transformers has no such class.
pub(in crate::checkpoint) fn is_google_squad2(name: &str) -> bool {
    let name = name.strip_prefix("module/").unwrap_or(name);
    let head = ["start_logits/", "end_logits/", "answer_class/"].iter().any(|scope| name.starts_with(scope));
    head && !["/adam_m", "/adam_v"].iter().any(|slot| name.ends_with(slot))
}

/// Returns true for the canonical name of an ALBERT's parameter or buffer, whatever the model's size and head.
pub(in crate::checkpoint) fn is_parameter(canonical: &str) -> bool {
    let starts = ["albert.", "predictions.", "sop_classifier.", "classifier.", "qa_outputs."];
    if !starts.iter().any(|start| canonical.starts_with(start)) {
        return false;
    }
    let distances = canonical.starts_with("albert.encoder.albert_layer_groups.")
        && canonical.ends_with(".attention.distance_embedding.weight");
    let decoder = matches!(canonical, "predictions.decoder.weight" | "predictions.decoder.bias");
    distances || decoder || is_buffer(canonical) || find(canonical, Dialect::PyTorch).is_some()
}

/// Returns true for buffers of old files that models do not need.
pub(crate) fn is_buffer(canonical: &str) -> bool {
    matches!(canonical, "albert.embeddings.position_ids" | "albert.embeddings.token_type_ids")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> String {
        checkpoint_name(&path.split('.').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn module_paths_become_transformers_names() {
        assert_eq!(name("albert.embeddings.layer_norm.gamma"), "albert.embeddings.LayerNorm.weight");
        let layer = "albert.encoder.albert_layer_groups.0.albert_layers.1";
        assert_eq!(
            name(&format!("{layer}.full_layer_layer_norm.beta")),
            format!("{layer}.full_layer_layer_norm.bias")
        );
        assert_eq!(
            name(&format!("{layer}.attention.layer_norm.gamma")),
            format!("{layer}.attention.LayerNorm.weight")
        );
        assert_eq!(name("predictions.decoder"), "predictions.decoder.weight");
        assert_eq!(name("predictions.bias"), "predictions.bias");
    }

    #[test]
    fn old_names_become_new_ones() {
        assert_eq!(canonical_name("encoder.x.LayerNorm.gamma"), "albert.encoder.x.LayerNorm.weight");
        assert_eq!(
            canonical_name("albert.encoder.x.full_layer_layer_norm.beta"),
            "albert.encoder.x.full_layer_layer_norm.bias"
        );
        assert_eq!(canonical_name("pooler.bias"), "albert.pooler.bias");
        assert_eq!(canonical_name("predictions.bias"), "predictions.bias");
    }

    /// Returns the name of every tensor of a model with all heads and two groups of two layers.
    fn all_names() -> Vec<String> {
        let mut names = Vec::new();
        for row in &TABLE {
            for (end, _, _) in parameters(row.kind, Dialect::PyTorch) {
                for numbers in [["0", "0"], ["1", "12"]] {
                    let numbers = numbers.map(str::to_owned);
                    names.push(filled(&format!("{}{end}", row.canonical), &numbers));
                }
            }
        }
        names.push("predictions.decoder.bias".to_owned());
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn every_name_maps_out_and_back_to_itself() {
        let names = all_names();
        assert!(names.len() > 50, "{}", names.len());
        for dialect in [Dialect::PyTorch, Dialect::Google, Dialect::Keras, Dialect::Flax, Dialect::Onnx] {
            let mut seen = std::collections::BTreeSet::new();
            for canonical in &names {
                let Some((name, transposed)) = from_canonical(canonical, dialect) else {
                    assert_eq!(canonical, "predictions.decoder.bias");
                    continue;
                };
                assert!(seen.insert(name.clone()), "{name} stands for two tensors");
                let place = CanonicalName { canonical: canonical.clone(), transposed };
                assert_eq!(to_canonical(&name, dialect), Some(place), "{dialect:?} {name}");
            }
        }
    }

    #[test]
    fn names_are_those_of_the_libraries() {
        let layer = "albert.encoder.albert_layer_groups.1.albert_layers.0";
        for (dialect, name, canonical, transposed) in [
            (
                Dialect::Google,
                "bert/encoder/transformer/group_1/inner_group_0/attention_1/self/query/kernel",
                format!("{layer}.attention.query.weight"),
                true,
            ),
            (
                Dialect::Google,
                "module/bert/encoder/transformer/group_1/inner_group_0/LayerNorm_1/gamma",
                format!("{layer}.full_layer_layer_norm.weight"),
                false,
            ),
            (Dialect::Google, "output_weights", "classifier.weight".to_owned(), false),
            (Dialect::Google, "cls/squad/output_bias", "qa_outputs.bias".to_owned(), false),
            (
                Dialect::Keras,
                "albert/tf_albert_for_masked_lm_3/albert/encoder/albert_layer_groups_._1/albert_layers_._0/ffn/kernel:0",
                format!("{layer}.ffn.weight"),
                true,
            ),
            (
                Dialect::Keras,
                "predictions/tf_albert_for_masked_lm/predictions/decoder/bias:0",
                "predictions.decoder.bias".to_owned(),
                false,
            ),
            (Dialect::Flax, "predictions/LayerNorm/scale", "predictions.LayerNorm.weight".to_owned(), false),
            (
                Dialect::Flax,
                "encoder/albert_layer_groups/1/albert_layers/0/ffn_output/kernel",
                format!("{layer}.ffn_output.weight"),
                true,
            ),
        ] {
            assert_eq!(to_canonical(name, dialect), Some(CanonicalName { canonical, transposed }), "{name}");
        }
        assert!(
            is_google_squad2("end_logits/dense_0/kernel") && !is_google_squad2("bert/pooler/dense/kernel")
        );
        assert!(!is_google_squad2("end_logits/dense_0/kernel/adam_m"));
        for name in ["global_step", "bert/embeddings/word_embeddings/adam_m", "output_weights/adam_v"] {
            assert_eq!(to_canonical(name, Dialect::Google), None);
        }
    }
}
