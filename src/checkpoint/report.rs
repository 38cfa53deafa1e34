//! The report of loading: what happened to each tensor of the checkpoint and each parameter of the model.

use std::fmt;

/// A tensor whose shape differs from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its name in the file.
    pub name: String,
    /// The shape that follows from `config.json`.
    pub expected: Vec<usize>,
    /// The shape in the file.
    pub found: Vec<usize>,
}

/// The result of loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters that were loaded.
    pub loaded: Vec<String>,
    /// Parameters without a tensor, each with a similar name in the file or the reason why its tensor cannot be read.
    pub missing: Vec<(String, Option<String>)>,
    /// Tensors that are not part of this model.
    pub unused: Vec<String>,
    /// Tensors of known parts that the task does not use.
    pub unused_heads: Vec<String>,
    /// Number of tensors that are not parameters: optimizer slots, counters.
    pub unrecognized: usize,
    /// Tensors with a wrong shape.
    pub mismatched: Vec<Mismatch>,
    /// Unusual properties, one line each.
    pub notes: Vec<String>,
    /// Changes to the names of the file's tensors, one line each.
    pub details: Vec<String>,
}

impl fmt::Display for LoadReport {
    /// Formats the counts on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tensors loaded, {} missing, {} not needed, {} unused, {} of the wrong shape",
            self.loaded.len(),
            self.missing.len(),
            self.unused_heads.len(),
            self.unused.len(),
            self.mismatched.len()
        )?;
        match self.unrecognized {
            0 => Ok(()),
            n => write!(f, ", {n} that are not parameters"),
        }
    }
}

/// Returns the name in `candidates` that is most similar to `name`, if any is similar enough.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let score = strsim::normalized_damerau_levenshtein(name, candidate);
        if score > 0.75 && best.is_none_or(|(s, _)| score > s) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}
