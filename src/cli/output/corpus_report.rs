//! Formats messages about a corpus that was read.

use albert::error::count;
use albert::training::corpus::CorpusReport;

use super::report::Reporter;

/// Warns about repaired and skipped input, with the locations of the first cases.
pub(crate) fn warn(report: &CorpusReport, reporter: &Reporter) {
    for problem in &report.problems {
        reporter.warn(&problem.to_string());
    }
    let shown = report.problems.len() as u64;
    let more = report.problem_count().saturating_sub(shown);
    if more > 0 {
        reporter.warn(&format!("and {} in the corpus", count(more, "more such place")));
    }
}

/// Returns the counts on one line.
pub(crate) fn summary(report: &CorpusReport) -> String {
    let mut parts = vec![
        count(report.files, "file"),
        count(report.documents, "document"),
        count(report.lines, "line"),
        format!("{} of text", count(report.bytes, "byte")),
    ];
    for (number, noun, what) in [
        (report.skipped_files, "file", "of other kinds left out"),
        (report.empty_files, "file", "empty"),
        (report.damaged_files, "file", "damaged"),
        (report.bad_records, "record", "left out"),
        (report.bad_utf8, "line", "not UTF-8"),
        (report.nul_lines, "line", "with NULs"),
        (report.long_lines, "line", "cut"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number, noun)));
        }
    }
    parts.join(", ")
}
