//! Recognizes the TSV files of GLUE (Wang et al. 2019) by their headers, and reads rows of them whose number of columns
//! differs from the header.
//!
//! Reference: transformers 4.57 `data/processors/glue.py` and the readers of GLUE-baselines. Both access columns by index
//! and take the label from the last column. Rows of QQP that are too short are skipped. A row of another width whose
//! label is not one of the task's was truncated or shifted, and is skipped, too.

use super::columns::Columns;
use crate::data::row::{Header, Row};
use crate::data::table::Rows;

const TWO: &[&str] = &["0", "1"];
const INFERENCE: &[&str] = &["entailment", "neutral", "contradiction", "-"];

/// The column in which a row has its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    /// The column that the header names.
    Named,
    /// The last column of the row.
    Last,
}

/// A kind of GLUE file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GlueTable {
    header: &'static [&'static str],
    label: Label,
    /// The labels of the task. Empty for scores.
    labels: &'static [&'static str],
}

/// Files whose header contains exactly these columns. SST-2 is not listed, because many other tables have its header.
const TABLES: [GlueTable; 5] = [
    GlueTable {
        header: &["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        label: Label::Named,
        labels: TWO,
    },
    GlueTable {
        header: &["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
        label: Label::Named,
        labels: TWO,
    },
    GlueTable {
        header: &[
            "index",
            "genre",
            "filename",
            "year",
            "old_index",
            "source1",
            "source2",
            "sentence1",
            "sentence2",
            "score",
        ],
        label: Label::Last,
        labels: &[],
    },
    GlueTable {
        header: &["index", "question", "sentence", "label"],
        label: Label::Last,
        labels: &["entailment", "not_entailment"],
    },
    // RTE and WNLI.
    GlueTable {
        header: &["index", "sentence1", "sentence2", "label"],
        label: Label::Last,
        labels: &["entailment", "not_entailment", "0", "1"],
    },
];

/// Columns of SNLI and MNLI, in GLUE's files and in the original ones.
const INFERENCE_HEADER: [&str; 5] =
    ["pairID", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1", "sentence2"];

const GOLD: &str = "gold_label";

/// Headers of test files without labels, with the task.
const TESTS: [(&[&str], &str); 6] = [
    (&["index", "sentence"], "CoLA or SST-2"),
    (&["index", "#1 ID", "#2 ID", "#1 String", "#2 String"], "MRPC"),
    (&["id", "question1", "question2"], "QQP"),
    (
        &["index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2"],
        "STS-B",
    ),
    (&["index", "question", "sentence"], "QNLI"),
    (&["index", "sentence1", "sentence2"], "RTE, WNLI or the diagnostic set"),
];

impl GlueTable {
    /// Returns the kind of file with these columns.
    pub(super) fn of_header(names: &[&str]) -> Option<Self> {
        if let Some(table) = TABLES.into_iter().find(|table| table.header == names) {
            return Some(table);
        }
        let is_inference = INFERENCE_HEADER.iter().chain([&GOLD]).all(|name| names.contains(name));
        let label = if names.last() == Some(&GOLD) { Label::Last } else { Label::Named };
        is_inference.then_some(Self { header: &[], label, labels: INFERENCE })
    }

    /// Returns the column of the label in a row whose number of columns differs from the header. The texts are in the
    /// header's columns. Returns `None` if one of them is missing, or if the label is not one of the task's.
    pub(super) fn label_of_ragged(self, row: &Row, header: &Header, columns: &Columns<'_>) -> Option<usize> {
        let place = |name: &str| header.index(name).filter(|column| *column < row.width());
        let text = place(columns.text)?;
        let pair = columns.pair.map_or(Some(0), place)?;
        let named = header.index(columns.label?)?;
        let is_last = self.label == Label::Last && named + 1 == header.width();
        let label = if is_last { row.width() - 1 } else { named };
        if label >= row.width() || (is_last && label <= text.max(pair)) {
            return None;
        }
        self.is_label(row.cell(label)).then_some(label)
    }

    fn is_label(self, cell: &str) -> bool {
        let cell = cell.trim();
        if self.labels.is_empty() { cell.parse::<f64>().is_ok() } else { self.labels.contains(&cell) }
    }

    /// Returns true if nine in ten of the first rows that are as wide as the header have a label of the task. Other
    /// tables may have the same header.
    pub(super) fn has_its_labels(self, rows: &Rows, header: &Header, columns: &Columns<'_>) -> bool {
        let Some(label) = columns.label.and_then(|label| header.index(label)) else { return true };
        let (mut known, mut all) = (0, 0);
        let mut rows = rows.beginning();
        // The first row is the header. Unreadable rows are reported later.
        while let Some(row) = rows.next().ok().flatten() {
            if row.width() == header.width() {
                all += 1;
                known += usize::from(self.is_label(row.cell(label)));
            }
        }
        10 * known >= 9 * (all - 1)
    }
}

/// Returns the task that a test file without labels belongs to.
pub(super) fn test_file(names: &[&str]) -> Option<&'static str> {
    if let Some((_, task)) = TESTS.iter().find(|(header, _)| *header == names) {
        return Some(task);
    }
    let is_inference = INFERENCE_HEADER.iter().all(|name| names.contains(name)) && !names.contains(&GOLD);
    is_inference.then_some("SNLI or MNLI")
}
