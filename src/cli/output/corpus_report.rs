//! Formats messages about a corpus that was read.

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
        reporter.warn(&format!("and {more} more such places in the corpus"));
    }
}

/// Returns the counts on one line.
pub(crate) fn summary(report: &CorpusReport) -> String {
    let mut parts = vec![
        format!("{} files", report.files),
        format!("{} documents", report.documents),
        format!("{} lines", report.lines),
        format!("{} bytes of text", report.bytes),
    ];
    for (count, what) in [
        (report.skipped_files, "files of other kinds left out"),
        (report.empty_files, "files empty"),
        (report.damaged_files, "files damaged"),
        (report.bad_records, "records left out"),
        (report.bad_utf8, "lines not UTF-8"),
        (report.nul_lines, "lines with NULs"),
        (report.long_lines, "lines cut"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}
