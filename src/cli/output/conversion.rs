//! Formats the report of `albert convert`.

use std::fmt::Write as _;
use std::path::Path;

use albert::checkpoint::Converted;
use albert::error::count;

/// Returns a summary of the conversion.
pub(crate) fn summary(source: &str, destination: &Path, converted: &Converted) -> String {
    const SHOWN: usize = 6;
    let mut out = format!("{source} -> {}\n", destination.display());
    let mut line = |name: &str, value: String| {
        let _infallible = writeln!(out, "  {name:<14} {value}");
    };
    line("class", converted.architecture.class().to_owned());
    line("tensors", format!("{}, {}", converted.tensors, count(converted.parameters, "value")));
    if !converted.left_out.is_empty() {
        let shown: Vec<&str> = converted.left_out.iter().take(SHOWN).map(String::as_str).collect();
        let more = match converted.left_out.len() - shown.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        line(
            "left out",
            format!("{}{more}: not part of this class (--head selects another)", shown.join(", ")),
        );
    }
    if converted.unrecognized > 0 {
        line(
            "no parameters",
            format!("{} of the source (optimizer slots, counters)", count(converted.unrecognized, "tensor")),
        );
    }
    for (name, size) in &converted.files {
        line("wrote", format!("{name}  {}", count(*size, "byte")));
    }
    out
}
