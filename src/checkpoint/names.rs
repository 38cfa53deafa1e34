//! The one table of parameter names: module paths, checkpoint names, and back.
//!
//! burn's module tree carries transformers' field names, so a path maps to its checkpoint name by
//! four rules: `layer_norm` is `LayerNorm`; a normalization's `gamma` and `beta` are `weight` and
//! `bias`; a linear layer's weight is stored `[out, in]`, transposed; and the masked-LM head's own
//! decoder is `predictions.decoder.weight`.

/// The checkpoint name of the parameter at `path`, a burn module path such as
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

/// The name that `name`, as a file has it, stands for today: old normalization names become new,
/// a base model's names get the `albert.` prefix.
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

/// Buffers that old files carry and no model needs.
pub fn is_buffer(canonical: &str) -> bool {
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
}
