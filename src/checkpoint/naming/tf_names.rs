//! Maps other programs' names for the variables of a TensorFlow checkpoint to Google's.
//!
//! brightmart/albert_zh shares one layer `layer_shared` and projects words by `word_embeddings_2`. Programs based on
//! Keras' normalization layers number these in order of creation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The scopes in albert_zh's shared layer, and Google's names for them.
const SHARED: [(&str, &str); 6] = [
    ("attention/self/", "attention_1/self/"),
    ("attention/output/dense/", "attention_1/output/dense/"),
    ("attention/output/LayerNorm/", "LayerNorm/"),
    ("intermediate/dense/", "ffn_1/intermediate/dense/"),
    ("output/dense/", "ffn_1/intermediate/output/dense/"),
    ("output/LayerNorm/", "LayerNorm_1/"),
];

/// The matrix that projects words to the width of the encoder.
const PROJECTION: &str = "word_embeddings_2";

/// Maps each variable whose name differs from Google's to Google's name.
pub(in crate::checkpoint) fn aliases<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
) -> HashMap<String, String> {
    let mut aliases = HashMap::new();
    // The numbers of the normalizations in each scope.
    let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for name in names.clone() {
        if let Some((scope, number, end)) = normalization(name)
            && end == "gamma"
        {
            numbers.entry(scope).or_default().push(number);
        }
    }
    numbers.values_mut().for_each(|numbers| numbers.sort_unstable());
    // With several shared layers, their names do not reveal how they are shared.
    let scopes: BTreeSet<&str> = names.clone().filter_map(|name| Some(shared_scope(name)?.1)).collect();
    let one_shared = scopes.len() == 1;
    for name in names {
        let alias = normalization(name)
            .and_then(|(scope, number, end)| {
                let order = numbers.get(scope)?.iter().position(|n| *n == number)?;
                let norm = if order == 0 { "LayerNorm".to_owned() } else { format!("LayerNorm_{order}") };
                Some(format!("{scope}{norm}/{end}"))
            })
            .or_else(|| shared(name).filter(|_| one_shared))
            .or_else(|| projection(name));
        if let Some(alias) = alias {
            aliases.insert(name.to_owned(), alias);
        }
    }
    aliases
}

/// Returns the scope, the number and the parameter of a Keras normalization.
fn normalization(name: &str) -> Option<(&str, u32, &str)> {
    let (rest, end) = name.rsplit_once('/')?;
    if !matches!(end, "gamma" | "beta") {
        return None;
    }
    let start = rest.rfind('/').map_or(0, |i| i + 1);
    let number = match rest[start..].strip_prefix("layer_normalization")? {
        "" => 0,
        number => number.strip_prefix('_')?.parse().ok()?,
    };
    Some((&name[..start], number, end))
}

/// Returns the prefix of the scope of a shared layer, the number of the scope (usually none), and the rest of the name.
fn shared_scope(name: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = name.split_once("encoder/layer_shared")?;
    let (number, rest) = rest.split_once('/')?;
    let digits = number.strip_prefix('_').unwrap_or("0");
    let is_number = number.is_empty() || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    is_number.then_some((before, number, rest))
}

fn shared(name: &str) -> Option<String> {
    let (before, _, rest) = shared_scope(name)?;
    let layer = format!("{before}encoder/transformer/group_0/inner_group_0/");
    SHARED.iter().find_map(|(own, google)| Some(format!("{layer}{google}{}", rest.strip_prefix(own)?)))
}

fn projection(name: &str) -> Option<String> {
    let (before, rest) = name.split_once("embeddings/")?;
    let parameter = match rest.strip_prefix(PROJECTION)? {
        "" => "kernel",
        "/bias" | "/bias_unused" => "bias",
        _ => return None,
    };
    Some(format!("{before}encoder/embedding_hidden_mapping_in/{parameter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_map_to_googles() {
        let layer = "bert/encoder/transformer/group_0/inner_group_0";
        let pairs = [
            ("bert/embeddings/layer_normalization/beta", "bert/embeddings/LayerNorm/beta".to_owned()),
            (
                "bert/encoder/transformer/group_0/inner_group_0/layer_normalization_9/gamma",
                format!("{layer}/LayerNorm/gamma"),
            ),
            (
                "bert/encoder/transformer/group_0/inner_group_0/layer_normalization_10/gamma",
                format!("{layer}/LayerNorm_1/gamma"),
            ),
            ("bert/embeddings/layer_normalization/gamma", "bert/embeddings/LayerNorm/gamma".to_owned()),
            (
                "cls/predictions/transform/layer_normalization_25/gamma",
                "cls/predictions/transform/LayerNorm/gamma".to_owned(),
            ),
            ("bert/encoder/layer_shared/output/LayerNorm/beta", format!("{layer}/LayerNorm_1/beta")),
            (
                "bert/encoder/layer_shared/attention/output/dense/kernel",
                format!("{layer}/attention_1/output/dense/kernel"),
            ),
            (
                "bert/embeddings/word_embeddings_2",
                "bert/encoder/embedding_hidden_mapping_in/kernel".to_owned(),
            ),
        ];
        let aliases = aliases(pairs.iter().map(|(name, _)| *name));
        for (name, expected) in &pairs {
            assert_eq!(aliases.get(*name), Some(expected));
        }
        assert_eq!(aliases.len(), pairs.len());
        let numbered = "bert/encoder/layer_shared_3/output/LayerNorm/beta";
        let alias = super::aliases([numbered].into_iter());
        assert_eq!(alias.get(numbered), Some(&format!("{layer}/LayerNorm_1/beta")));
        let several = [numbered, "bert/encoder/layer_shared_4/output/LayerNorm/beta"];
        assert!(super::aliases(several.into_iter()).is_empty());
        for name in ["bert/embeddings/word_embeddings", "bert/embeddings/word_embeddings_2/adam_m"] {
            assert!(super::aliases(std::iter::once(name)).is_empty(), "{name}");
        }
    }
}
