//! Checks of column names, and of rows against them.

use crate::error::count;

use super::{Delimited, Needed, needs};

/// Describes a row whose number of cells differs from the header.
pub(super) fn ragged(cells: usize, names: &[String], kind: Delimited) -> String {
    let advice = match kind {
        _ if cells < names.len() => "every row needs all cells, even empty ones",
        Delimited::Csv => "a cell with commas needs quotes around it",
        Delimited::Semicolons => "a cell with semicolons needs quotes around it",
        Delimited::Tsv => "in TSV, quotes are ordinary characters, and no cell holds a tab or a line break",
    };
    format!("{}, but the header has {}: {}; {advice}", count(cells, "cell"), names.len(), quoted(names))
}

/// Checks that names are unique, and that the needed ones exist.
pub(super) fn check_names(names: &[String], needed: &[Needed]) -> std::result::Result<(), String> {
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names[..i].iter().position(|other| other == name) {
            return Err(format!("columns {} and {} are both named \"{name}\"; rename one", first + 1, i + 1));
        }
    }
    needs::check(needed, names.iter().map(String::as_str)).map_err(|problem| match names {
        [name] if name.contains('\t') => {
            format!("{problem}; its cells seem to be separated by tabs: option input_format=tsv")
        }
        _ => problem,
    })
}

/// Returns names in quotes, for messages.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
