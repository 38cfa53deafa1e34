//! Removes what training programs and wrappers add to the names of an ALBERT's tensors: any prefix, and components that
//! compilers and parallel training insert.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::{Dialect, is_parameter, to_canonical};

/// Prefix of the canonical names of the layers.
const LAYERS: &str = "albert.encoder.albert_layer_groups.";
const WORDS: &str = "albert.embeddings.word_embeddings.weight";

/// Components of prefixes that denote the optimizer's state, as opposed to a second model.
const SLOTS: [&str; 14] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "momentum_buffer",
    "square_avg",
    "acc_delta",
    "grad",
    "grads",
    "gradients",
    "mu",
    "nu",
    "adam_m",
    "adam_v",
    "trace",
];

/// Names after removal of wrappers.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Unwrapped {
    /// The prefix of all names of the model.
    pub prefix: String,
    /// Maps the model's names in the file to their new names.
    pub names: HashMap<String, String>,
    /// Names that do not belong to the model.
    pub outside: Vec<String>,
    /// The removed components, one line each.
    pub notes: Vec<String>,
}

/// The result for the names in a file.
pub(in crate::checkpoint) enum Found {
    /// There is nothing to remove.
    Plain,
    /// One model inside wrappers.
    One(Unwrapped),
    /// Several models, by prefix; the caller decides.
    Several(Vec<String>),
}

/// A name in the file, split into its components.
struct Split<'a> {
    /// The name as in the file.
    original: &'a str,
    /// The name without inserted components.
    clean: String,
    /// The offset of the parameter's own name in `clean`, and its canonical name.
    known: Option<(usize, String)>,
}

impl Split<'_> {
    fn prefix(&self) -> Option<&str> {
        self.known.as_ref().map(|(start, _)| &self.clean[..*start])
    }

    fn canonical(&self) -> &str {
        self.known.as_ref().map_or("", |(_, canonical)| canonical)
    }
}

/// Looks for a model among `names`. `chosen` selects one of several prefixes.
pub(in crate::checkpoint) fn unwrap<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    dialect: Dialect,
    chosen: Option<&str>,
) -> Found {
    // Keras names are recognized by their suffix, after any prefix.
    if dialect == Dialect::Keras || is_plain(names.clone(), dialect) {
        return Found::Plain;
    }
    let splits = split_all(names, dialect);
    let inserted: BTreeSet<&str> = splits
        .iter()
        .filter(|s| s.clean != s.original)
        .flat_map(|s| s.original.split(separator(dialect)).filter(|part| is_inserted(part)))
        .collect();
    let mut candidates = candidates(&splits);
    if let Some(chosen) = chosen {
        candidates.retain(|prefix| *prefix == chosen);
    }
    let prefix = match candidates.as_slice() {
        _ if candidates.contains(&"") => "",
        [] if inserted.is_empty() => return Found::Plain,
        [] => "",
        [only] => only,
        several => return Found::Several(several.iter().map(|s| (*s).to_owned()).collect()),
    }
    .to_owned();
    if prefix.is_empty() && inserted.is_empty() {
        return Found::Plain;
    }
    Found::One(strip_prefix(&splits, &prefix, &inserted))
}

fn separator(dialect: Dialect) -> char {
    match dialect {
        Dialect::PyTorch | Dialect::Onnx => '.',
        Dialect::Google | Dialect::Keras | Dialect::Flax => '/',
    }
}

/// Returns true for names as libraries write them, which need no closer inspection.
fn is_plain<'a>(mut names: impl Iterator<Item = &'a str> + Clone, dialect: Dialect) -> bool {
    let starts: [&str; 2] = match dialect {
        Dialect::PyTorch | Dialect::Onnx => [LAYERS, &LAYERS["albert.".len()..]],
        Dialect::Google => ["bert/encoder/transformer/", "module/bert/encoder/transformer/"],
        Dialect::Keras | Dialect::Flax => ["albert/encoder/", "encoder/"],
    };
    let separator = separator(dialect);
    let inserted = |name: &str| name.split(separator).any(is_inserted) && !name.starts_with("module/");
    !names.clone().any(inserted) && names.any(|name| starts.iter().any(|start| name.starts_with(start)))
}

/// Returns true for components that wrappers insert anywhere: `_orig_mod`, `_fsdp_wrapped_module`,
/// `_checkpoint_wrapped_module`, `_forward_module`, `module`.
fn is_inserted(part: &str) -> bool {
    let wraps = part.contains("wrapped") || part.ends_with("_module") || part.ends_with("_mod");
    part == "module" || part == "mod" || (part.starts_with('_') && wraps) || part == "wrapped_module"
}

fn split_all<'a>(names: impl Iterator<Item = &'a str>, dialect: Dialect) -> Vec<Split<'a>> {
    let separator = separator(dialect);
    let mut splits: Vec<Split> = names
        .map(|original| {
            let parts: Vec<&str> = original.split(separator).filter(|part| !is_inserted(part)).collect();
            Split { original, clean: parts.join(&separator.to_string()), known: None }
        })
        .collect();
    // If two names became equal, both stay unchanged.
    let mut seen: HashMap<String, usize> = HashMap::new();
    splits.iter().for_each(|split| *seen.entry(split.clean.clone()).or_insert(0) += 1);
    for split in &mut splits {
        if seen.get(&split.clean).is_some_and(|count| *count > 1) {
            split.clean = split.original.to_owned();
        }
        split.known = known_end(&split.clean, dialect, separator);
    }
    splits
}

/// Returns the longest suffix of a name that is the name of a parameter.
fn known_end(name: &str, dialect: Dialect, separator: char) -> Option<(usize, String)> {
    let starts = std::iter::once(0).chain(name.match_indices(separator).map(|(i, _)| i + 1));
    starts.into_iter().find_map(|start| {
        let place = to_canonical(&name[start..], dialect)?;
        is_parameter(&place.canonical).then_some((start, place.canonical))
    })
}

/// Returns the prefixes that may denote a model, shortest first.
fn candidates<'a>(splits: &'a [Split<'_>]) -> Vec<&'a str> {
    let with = |holds: &dyn Fn(&str) -> bool| {
        let found: BTreeSet<&str> =
            splits.iter().filter(|s| holds(s.canonical())).filter_map(Split::prefix).collect();
        let mut found: Vec<&str> = found.into_iter().collect();
        found.sort_by_key(|prefix| (prefix.len(), *prefix));
        let models: Vec<&str> = found.iter().copied().filter(|prefix| !is_slot(prefix)).collect();
        if models.is_empty() { found } else { models }
    };
    let layers = with(&|name| name.starts_with(LAYERS));
    if layers.is_empty() {
        return with(&|name| name.starts_with("albert."));
    }
    // Next to a complete model, a part of a model does not count as a second one.
    let words = with(&|name| name == WORDS);
    let whole: Vec<&str> = layers.iter().copied().filter(|prefix| words.contains(prefix)).collect();
    if whole.is_empty() { layers } else { whole }
}

fn is_slot(prefix: &str) -> bool {
    let parts = || prefix.split(['.', '/']);
    parts().any(|part| SLOTS.contains(&part) || part.to_lowercase().starts_with("opt"))
}

fn strip_prefix(splits: &[Split<'_>], prefix: &str, inserted: &BTreeSet<&str>) -> Unwrapped {
    let mut found = Unwrapped { prefix: prefix.to_owned(), ..Unwrapped::default() };
    let mut held: BTreeSet<&str> = BTreeSet::new();
    for split in splits {
        if split.prefix() == Some(prefix) {
            held.insert(split.canonical());
        }
    }
    // Heads (and a pooler) may be outside of the prefix. The nearest level that contains them counts.
    let mut outer: BTreeMap<&str, &Split> = BTreeMap::new();
    for split in splits.iter().filter(|s| s.known.is_some() && !held.contains(s.canonical())) {
        let Some(level) = split.prefix().filter(|level| prefix.starts_with(level)) else { continue };
        let nearer = outer.get(split.canonical()).and_then(|other| other.prefix());
        if is_outer(split.canonical()) && nearer.is_none_or(|other| other.len() < level.len()) {
            outer.insert(split.canonical(), split);
        }
    }
    let beside = head_beside(splits, prefix, &held, &outer);
    let mut from: BTreeSet<&str> = BTreeSet::new();
    for split in splits {
        let outside = outer.get(split.canonical()).is_some_and(|s| std::ptr::eq(*s, split));
        let own = split.prefix() == Some(prefix);
        if own || outside || (beside.is_some() && split.prefix() == beside && is_outer(split.canonical())) {
            let start = split.known.as_ref().map_or(0, |(start, _)| *start);
            found.names.insert(split.original.to_owned(), split.clean[start..].to_owned());
            if !own && split.prefix().is_some_and(|p| !p.is_empty()) {
                from.extend(split.prefix());
            }
        } else if let Some(rest) = split.clean.strip_prefix(prefix).filter(|_| split.known.is_none()) {
            found.names.insert(split.original.to_owned(), rest.to_owned());
        } else if prefix.is_empty() {
            found.names.insert(split.original.to_owned(), split.original.to_owned());
        } else {
            found.outside.push(split.original.to_owned());
        }
    }
    if !prefix.is_empty() {
        found.notes.push(format!("removed the prefix \"{prefix}\" from the names of the tensors"));
    }
    for prefix in from {
        found.notes.push(format!("removed the prefix \"{prefix}\" from the names of the head's tensors"));
    }
    if !inserted.is_empty() {
        let parts: Vec<String> = inserted.iter().map(|part| format!("\"{part}\"")).collect();
        found.notes.push(format!("removed {} from the names of the tensors", parts.join(", ")));
    }
    found
}

/// Returns true for parts that may be outside of the encoder's prefix.
fn is_outer(canonical: &str) -> bool {
    !canonical.is_empty() && (!canonical.starts_with("albert.") || canonical.starts_with("albert.pooler."))
}

/// If no level up to the top has a head, returns the only other prefix that has one.
fn head_beside<'a>(
    splits: &'a [Split<'_>],
    prefix: &str,
    held: &BTreeSet<&str>,
    outer: &BTreeMap<&str, &Split<'_>>,
) -> Option<&'a str> {
    let is_head = |canonical: &str| is_outer(canonical) && !canonical.starts_with("albert.");
    if held.iter().any(|name| is_head(name)) || outer.keys().any(|name| is_head(name)) {
        return None;
    }
    let models: BTreeSet<&str> =
        splits.iter().filter(|s| s.canonical().starts_with(LAYERS)).filter_map(Split::prefix).collect();
    let others: BTreeSet<&str> = splits
        .iter()
        .filter(|s| is_head(s.canonical()))
        .filter_map(Split::prefix)
        .filter(|other| *other != prefix && !is_slot(other) && !models.contains(other))
        .collect();
    let mut others = others.into_iter();
    others.next().filter(|_| others.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENSORS: [&str; 4] = [
        "albert.embeddings.word_embeddings.weight",
        "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight",
        "albert.pooler.bias",
        "classifier.weight",
    ];

    fn found(names: &[String], dialect: Dialect) -> Found {
        unwrap(names.iter().map(String::as_str), dialect, None)
    }

    fn one(names: &[String]) -> Unwrapped {
        match found(names, Dialect::PyTorch) {
            Found::One(unwrapped) => unwrapped,
            Found::Plain => panic!("{names:?}: taken for plain"),
            Found::Several(several) => panic!("{names:?}: {several:?}"),
        }
    }

    fn renamed(names: &[String]) -> Vec<String> {
        let unwrapped = one(names);
        let mut names: Vec<String> = unwrapped.names.values().cloned().collect();
        names.sort();
        names
    }

    fn prefixed(prefix: &str, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{name}")).collect()
    }

    #[test]
    fn any_single_prefix_is_taken_off() {
        for prefix in ["_orig_mod.", "module._orig_mod.", "backbone.", "a.b.c.d.", "state_dict.net.", "0."] {
            assert_eq!(renamed(&prefixed(prefix, &TENSORS)), TENSORS, "{prefix}");
        }
        let bare: Vec<&str> = TENSORS.iter().map(|name| name.trim_start_matches("albert.")).collect();
        let mut expected = bare.clone();
        expected.sort_unstable();
        assert_eq!(renamed(&prefixed("encoder.model.", &bare)), expected);
        assert!(one(&prefixed("x.", &TENSORS)).notes[0].contains("\"x.\""));
    }

    #[test]
    fn inserted_parts_are_taken_out() {
        let names = [
            "albert._orig_mod.embeddings.word_embeddings.weight",
            "albert.encoder.albert_layer_groups.0._fsdp_wrapped_module.albert_layers.0._checkpoint_wrapped_module.ffn.weight",
            "albert.module.pooler.bias",
            "classifier._forward_module.weight",
        ];
        assert_eq!(renamed(&prefixed("", &names)), TENSORS);
        assert_eq!(renamed(&prefixed("module.", &names)), TENSORS);
    }

    #[test]
    fn heads_may_lie_outside() {
        let mut names = prefixed("model.encoder.", &TENSORS[..3]);
        names.push("model.classifier.weight".to_owned());
        assert_eq!(renamed(&names), TENSORS);
        names[3] = "classifier.weight".to_owned();
        assert_eq!(renamed(&names), TENSORS);
        names[3] = "heads.main.classifier.weight".to_owned();
        assert_eq!(renamed(&names), TENSORS);
    }

    #[test]
    fn two_models_are_told_apart() {
        let two = [prefixed("student.", &TENSORS), prefixed("teacher.", &TENSORS)].concat();
        assert!(matches!(found(&two, Dialect::PyTorch), Found::Several(s) if s == ["student.", "teacher."]));
        let with_slots = [prefixed("model.", &TENSORS), prefixed("optimizer.exp_avg.", &TENSORS)].concat();
        let unwrapped = one(&with_slots);
        assert_eq!((unwrapped.names.len(), unwrapped.outside.len()), (4, 4));
        let plain = [prefixed("", &TENSORS), prefixed("ema.", &TENSORS)].concat();
        assert!(matches!(found(&plain, Dialect::PyTorch), Found::Plain));
        let bert = [
            prefixed("student.", &TENSORS),
            prefixed(
                "teacher.",
                &["embeddings.word_embeddings.weight", "encoder.layer.0.output.dense.weight"],
            ),
        ]
        .concat();
        assert_eq!(renamed(&bert), TENSORS);
    }

    #[test]
    fn plain_names_stay() {
        assert!(matches!(found(&prefixed("", &TENSORS), Dialect::PyTorch), Found::Plain));
        assert!(matches!(found(&prefixed("", &["a.weight"]), Dialect::PyTorch), Found::Plain));
    }

    #[test]
    fn other_frameworks_have_prefixes_too() {
        let google = [
            "bert/embeddings/word_embeddings",
            "bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/kernel",
            "output_weights",
        ];
        let flax = [
            "embeddings/word_embeddings/embedding",
            "encoder/albert_layer_groups/0/albert_layers/0/ffn/kernel",
        ];
        for (names, dialect) in [(&google[..], Dialect::Google), (&flax[..], Dialect::Flax)] {
            let Found::One(unwrapped) = found(&prefixed("trainer/model/", names), dialect) else {
                panic!("{dialect:?}")
            };
            let new: BTreeSet<&str> = unwrapped.names.values().map(String::as_str).collect();
            assert_eq!(new, names.iter().copied().collect());
        }
    }
}
