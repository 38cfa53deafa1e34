//! Evaluation reports as human-readable tables.

use std::fmt::Write;

use albert::error::count;
use albert::eval::{ClassMetrics, Confusion, EvalReport};
use albert::padding::{padded, right_aligned, widest, width};

/// Maximum width of labels in the confusion matrix.
const LABEL_WIDTH: usize = 16;

/// Maximum number of labels for which a confusion matrix is readable.
const MOST_LABELS: usize = 20;

/// Formats the report.
pub(crate) fn table(name: &str, report: &EvalReport) -> String {
    let mut out = format!("{name}: {}", count(report.examples, "example"));
    if report.unlabelled > 0 {
        let _infallible = write!(out, ", {} more without a label left out", report.unlabelled);
    }
    out.push_str("\n\n");
    metrics(&mut out, &report.metrics);
    for (group, own) in &report.groups {
        let _infallible = writeln!(out, "\n{group}");
        metrics(&mut out, own);
    }
    if !report.classes.is_empty() {
        out.push('\n');
        classes(&mut out, &report.classes);
    }
    if let Some(matrix) = report.confusion.as_ref().filter(|c| c.labels.len() <= MOST_LABELS) {
        out.push('\n');
        confusion(&mut out, matrix);
    }
    for warning in &report.warnings {
        let _infallible = writeln!(out, "\nwarning: {warning}");
    }
    out
}

fn metrics(out: &mut String, metrics: &[(&'static str, f64)]) {
    let width = metrics.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in metrics {
        let _infallible = writeln!(out, "  {name:<width$}  {value:>10.4}");
    }
}

fn classes(out: &mut String, classes: &[ClassMetrics]) {
    let width = widest(classes.iter().map(|class| &class.label)).max(5);
    let _infallible = writeln!(
        out,
        "  {:<width$}  {:>9}  {:>9}  {:>9}  {:>9}",
        "label", "precision", "recall", "f1", "support"
    );
    for ClassMetrics { label, precision, recall, f1, support } in classes {
        let label = padded(label, width);
        let _infallible =
            writeln!(out, "  {label}  {precision:>9.4}  {recall:>9.4}  {f1:>9.4}  {support:>9}");
    }
}

fn confusion(out: &mut String, confusion: &Confusion) {
    let short = |label: &str| -> String {
        if label.chars().count() <= LABEL_WIDTH {
            return label.to_owned();
        }
        label.chars().take(LABEL_WIDTH - 1).chain(['…']).collect()
    };
    let labels: Vec<String> = confusion.labels.iter().map(|label| short(label)).collect();
    let first = widest(&labels).max("gold \\ predicted".len());
    let _infallible = write!(out, "  {:<first$}", "gold \\ predicted");
    for label in &labels {
        let _infallible = write!(out, "  {}", right_aligned(label, 7));
    }
    out.push('\n');
    for (label, counts) in labels.iter().zip(&confusion.counts) {
        let _infallible = write!(out, "  {}", padded(label, first));
        for (count, column) in counts.iter().zip(&labels) {
            let width = width(column).max(7);
            let _infallible = write!(out, "  {count:>width$}");
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_in_its_column() {
        let class = |label: &str, f1: f64| ClassMetrics {
            label: label.to_owned(),
            precision: 0.5,
            recall: 0.25,
            f1,
            support: 3,
        };
        let report = EvalReport {
            examples: 4,
            unlabelled: 1,
            metrics: vec![("accuracy", 0.75), ("f1_macro", 0.5)],
            groups: vec![("high".to_owned(), vec![("accuracy", 1.0)])],
            classes: vec![class("no", 1.0), class("a label longer than most", 0.0)],
            confusion: Some(Confusion {
                labels: vec!["no".to_owned(), "a label longer than most".to_owned()],
                counts: vec![vec![3, 0], vec![1, 0]],
            }),
            warnings: vec!["every prediction is \"no\"".to_owned()],
            ..EvalReport::default()
        };
        let expected = "\
dev.jsonl: 4 examples, 1 more without a label left out

  accuracy      0.7500
  f1_macro      0.5000

high
  accuracy      1.0000

  label                     precision     recall         f1    support
  no                           0.5000     0.2500     1.0000          3
  a label longer than most     0.5000     0.2500     0.0000          3

  gold \\ predicted       no  a label longer …
  no                      3                 0
  a label longer …        1                 0

warning: every prediction is \"no\"
";
        assert_eq!(table("dev.jsonl", &report), expected);
    }
}
