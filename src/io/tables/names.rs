//! Checks of column names, and of rows against them.

use std::collections::HashSet;

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

/// Returns true for a row of several cells that equals the header, as in concatenated files, which may have byte order marks.
pub(crate) fn repeats_header<'a>(
    cells: impl Iterator<Item = &'a str>,
    mut names: impl Iterator<Item = &'a str>,
) -> bool {
    let mut count = 0;
    for cell in cells {
        let cell = if count == 0 { cell.trim_start_matches('\u{feff}') } else { cell };
        if names.next() != Some(cell) {
            return false;
        }
        count += 1;
    }
    count > 1 && names.next().is_none()
}

/// Names columns without a name by their position, except the first of them. Spreadsheets add such columns at the end.
pub(super) fn name_blanks(names: Vec<String>) -> Vec<String> {
    let first = names.iter().position(String::is_empty);
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut name = |(i, name): (usize, String)| {
        if !name.is_empty() || first == Some(i) {
            return name;
        }
        let mut name = format!("column {}", i + 1);
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    };
    names.into_iter().enumerate().map(&mut name).collect()
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
