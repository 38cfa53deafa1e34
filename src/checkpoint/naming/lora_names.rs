//! Interprets the names of tensors in PEFT adapters, in adapter files and in complete models.
//!
//! Reference: PEFT 0.21, `utils/save_and_load.py`, `utils/other.py`, `tuners/lora/layer.py`.

use super::names::canonical_name;

/// The prefix that PEFT adds to the model's names.
const WRAPPER: &str = "base_model.model.";

/// The role of a tensor in a PEFT model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Role {
    /// A parameter of the base model, in a complete model.
    Base(String),
    /// The original of a base model's parameter, of which training changed a copy.
    Original,
    /// A parameter that replaces one of the base model, or is new.
    Whole(String),
    /// A part of the change to a module.
    Part { module: String, part: Part, adapter: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::checkpoint) enum Part {
    A,
    B,
    Bias,
    EmbeddingA,
    EmbeddingB,
    Magnitude,
    /// Anything else. Not supported.
    Other,
}

/// Returns the role of the tensor `name`. In complete models, names of tensors contain the name of the adapter.
pub(in crate::checkpoint) fn role(name: &str, whole_model: bool) -> Role {
    let name = name.rsplit_once(WRAPPER).map_or(name, |(_, rest)| rest).replace(".base_layer.", ".");
    if let Some((module, part)) = name.split_once(".lora_") {
        let (part, adapter) = part_of(part);
        return Role::Part { module: module.to_owned(), part, adapter };
    }
    if let Some((module, _)) = name.split_once(".token_adapter.") {
        return Role::Part { module: module.to_owned(), part: Part::Other, adapter: String::new() };
    }
    if name.contains(".original_module.") {
        return Role::Original;
    }
    if let Some((module, parameter)) = name.split_once(".modules_to_save.") {
        let parameter = match parameter.split_once('.') {
            Some((adapter, rest)) if whole_model || adapter == "default" => rest,
            _ => parameter,
        };
        return Role::Whole(canonical_name(&format!("{module}.{parameter}")));
    }
    if whole_model { Role::Base(name) } else { Role::Whole(canonical_name(&name)) }
}

/// Splits the text after `lora_` into the part and the name of the adapter.
fn part_of(rest: &str) -> (Part, String) {
    let (head, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let part = match head {
        "A" => Part::A,
        "B" => Part::B,
        "embedding_A" => Part::EmbeddingA,
        "embedding_B" => Part::EmbeddingB,
        "magnitude_vector" => Part::Magnitude,
        _ => Part::Other,
    };
    let (adapter, parameter) = match rest.rsplit_once('.') {
        Some((adapter, parameter)) => (adapter, parameter),
        None if matches!(rest, "weight" | "bias") => ("", rest),
        None => (rest, "weight"),
    };
    let part = match (part, parameter) {
        (Part::B, "bias") => Part::Bias,
        (part, "weight") => part,
        _ => Part::Other,
    };
    (part, adapter.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(module: &str, part: Part, adapter: &str) -> Role {
        Role::Part { module: module.to_owned(), part, adapter: adapter.to_owned() }
    }

    #[test]
    fn names_of_adapter_files() {
        let layer = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query";
        for (end, expected) in [
            ("lora_A.weight", Part::A),
            ("lora_B.weight", Part::B),
            ("lora_B.bias", Part::Bias),
            ("lora_embedding_A", Part::EmbeddingA),
            ("lora_magnitude_vector", Part::Magnitude),
            ("lora_magnitude_vector.weight", Part::Magnitude),
            ("lora_E", Part::Other),
        ] {
            assert_eq!(
                role(&format!("base_model.model.{layer}.{end}"), false),
                part(layer, expected, ""),
                "{end}"
            );
        }
        for name in ["classifier.weight", "classifier.modules_to_save.weight", "classifier.base_layer.weight"]
        {
            let name = format!("base_model.model.{name}");
            assert_eq!(role(&name, false), Role::Whole("classifier.weight".to_owned()), "{name}");
        }
        let pooler = role("base_model.model.pooler.bias", false);
        assert_eq!(pooler, Role::Whole("albert.pooler.bias".to_owned()));
    }

    #[test]
    fn names_of_whole_models() {
        let role = |name: &str| role(name, true);
        for (end, expected) in [
            ("lora_A.default.weight", Part::A),
            ("lora_embedding_B.default", Part::EmbeddingB),
            ("lora_magnitude_vector.default.weight", Part::Magnitude),
        ] {
            assert_eq!(
                role(&format!("model.base_model.model.x.{end}")),
                part("x", expected, "default"),
                "{end}"
            );
        }
        assert_eq!(role("base_model.model.classifier.original_module.weight"), Role::Original);
        assert_eq!(
            role("base_model.model.predictions.modules_to_save.other.dense.weight"),
            Role::Whole("predictions.dense.weight".to_owned())
        );
        assert_eq!(role("base_model.model.x.base_layer.weight"), Role::Base("x.weight".to_owned()));
    }
}
