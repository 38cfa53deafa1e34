//! Checks of column names, and of rows against them.

use crate::error::count;

use super::{Delimited, Needed, needs, separator_advice};

/// Describes a row whose number of cells differs from the header.
pub(super) fn ragged(cells: usize, names: &[String], kind: Delimited) -> String {
    let advice = match kind {
        _ if cells < names.len() => MISSING_CELLS,
        Delimited::Csv | Delimited::Separated(_) => separator_advice(kind.delimiter()),
        Delimited::Tsv => "in TSV, quotes are ordinary characters, and no cell holds a tab or a line break",
    };
    format!("{}, but the header has {}: {}; {advice}", count(cells, "cell"), names.len(), quoted(names))
}

/// The advice for a row with too few cells.
pub(crate) const MISSING_CELLS: &str = "every row needs all cells, even empty ones";

/// The problem of a row that equals the header.
pub(crate) const REPEATED_HEADER: &str = "repeats the header, as if files were concatenated; remove the line";

/// Names columns without a name by their position, except the first of them. Spreadsheets add such columns at the end.
pub(super) fn name_blanks(names: Vec<String>) -> Vec<String> {
    let first = names.iter().position(String::is_empty);
    let name = |(i, name): (usize, String)| {
        if name.is_empty() && first != Some(i) { format!("column {}", i + 1) } else { name }
    };
    names.into_iter().enumerate().map(name).collect()
}

/// Checks that names are unique, and that the needed ones exist.
pub(super) fn check_names(names: &[String], needed: &[Needed]) -> std::result::Result<(), String> {
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names[..i].iter().position(|other| other == name) {
            return Err(format!("columns {} and {} are both named \"{name}\"; rename one", first + 1, i + 1));
        }
    }
    needs::check(needed, names.iter().map(String::as_str)).map_err(|problem| match names {
        [name] if name.contains(',') => {
            format!("{problem}; its cells seem to be separated by commas: option input_format=csv")
        }
        _ => problem,
    })
}

/// Returns names in quotes, for messages.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
