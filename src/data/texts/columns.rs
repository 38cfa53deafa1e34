//! Finds the fields of a record, or the columns of a table, that contain the parts of an example.
//!
//! Names come from the options, otherwise from GLUE's tasks (its TSV files, and `task_to_keys` in transformers'
//! `run_glue.py`).

use super::{TargetKind, TextOptions};
use crate::data::objects::missing;
use crate::error::Error;

/// Names of the text, of the second text if there is one, and of a label that only belongs to these names.
const GLUE: [(&str, Option<&str>, Option<&str>); 7] = [
    // MNLI, SNLI, RTE, WNLI, STS-B, AX
    ("sentence1", Some("sentence2"), None),
    // QNLI
    ("question", Some("sentence"), None),
    // QQP
    ("question1", Some("question2"), Some("is_duplicate")),
    // MNLI, SNLI, AX in the Hugging Face data sets
    ("premise", Some("hypothesis"), None),
    // The diagnostic set with its labels
    ("Premise", Some("Hypothesis"), Some("Label")),
    // MRPC
    ("#1 String", Some("#2 String"), Some("Quality")),
    // SST-2, and CoLA's test file
    ("sentence", None, None),
];

/// The label of SNLI and MNLI; `-` if there is none.
const GOLD: &str = "gold_label";

/// Other names of ids: in GLUE's test files, in its Hugging Face data sets, and in MNLI.
const IDS: [&str; 3] = ["index", "idx", "pairID"];

/// JSON fields or columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Field,
    Column,
}

/// The names of the fields or columns that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns<'a> {
    pub(super) text: &'a str,
    pub(super) pair: Option<&'a str>,
    /// `None` only if examples need no target, or if columns of 0 and 1 contain it.
    pub(super) label: Option<&'a str>,
    pub(super) id: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// Finds the names among the fields of a record or the columns of a table.
    ///
    /// # Errors
    /// A message that names the missing name and the existing ones.
    pub(super) fn find(names: &[&'a str], options: &'a TextOptions, kind: FieldKind) -> Result<Self, String> {
        let has = |name: &str| names.contains(&name);
        let what = if kind == FieldKind::Field { "field" } else { "column" };
        let lacks = |name: &str, option: &str| missing(what, &mut names.iter().copied(), name, option);
        let defaults = TextOptions::default();
        let may_guess = options.text == defaults.text && options.text_pair == defaults.text_pair;
        let found = if has(&options.text) {
            let pair = Some(options.text_pair.as_str()).filter(|pair| has(pair));
            Some((options.text.as_str(), pair, None))
        } else {
            let matches = |(text, pair, _): &(&str, Option<&str>, _)| has(text) && pair.is_none_or(has);
            GLUE.into_iter().find(matches).filter(|_| may_guess)
        };
        let (text, pair, own_label) = found.ok_or_else(|| lacks(&options.text, "text_field"))?;
        if pair.is_none() && options.text_pair != defaults.text_pair {
            return Err(lacks(&options.text_pair, "pair_field"));
        }
        let (score, label) = (options.score.as_str(), options.label.as_str());
        let known: &[Option<&str>] = match options.kind {
            _ if !options.label_columns.is_empty() => &[],
            _ if label != defaults.label => &[Some(label)],
            TargetKind::Number => &[Some(score), Some(label)],
            TargetKind::Labels => &[Some(label), Some("labels")],
            TargetKind::Label => &[Some(label), Some(GOLD), own_label],
        };
        let label = known.iter().copied().flatten().find(|name| has(name));
        if !options.unlabelled {
            if let Some(column) = options.label_columns.iter().find(|column| !has(column)) {
                return Err(lacks(column, "label_columns"));
            }
            if label.is_none() && options.label_columns.is_empty() {
                let name = known.first().copied().flatten().unwrap_or(&options.label);
                let scores = has(score) && options.kind == TargetKind::Label && name == defaults.label;
                let advice = match options.kind {
                    _ if scores => format!("; option goal=number predicts \"{score}\""),
                    TargetKind::Labels => "; option label_columns reads fields that are 0 or 1".to_owned(),
                    _ => String::new(),
                };
                return Err(lacks(name, "label_field") + &advice);
            }
        }
        let ids = std::iter::once(options.id.as_str()).chain(IDS);
        let id = ids.into_iter().find(|name| has(name));
        if id != Some(&options.id) && options.id != defaults.id {
            return Err(lacks(&options.id, "id_field"));
        }
        Ok(Self { text, pair, label, id })
    }

    /// Returns all names that were found.
    pub(super) fn used(self) -> impl Iterator<Item = &'a str> {
        [Some(self.text), self.pair, self.label, self.id].into_iter().flatten()
    }

    /// Returns true if an example of SNLI or MNLI has no label: `-`, or -1 in the Hugging Face data sets. `is` compares a field
    /// with a value.
    pub(super) fn is_left_out(self, is: impl FnOnce(&str, &str) -> bool) -> bool {
        match self.label {
            Some(label) if label == GOLD => is(label, "-"),
            Some(label) if self.text == "premise" && self.pair == Some("hypothesis") => is(label, "-1"),
            _ => false,
        }
    }
}

/// Checks that the options are consistent.
pub(super) fn check_options(options: &TextOptions) -> Result<(), Error> {
    let usage = |name: &str, problem: &str| {
        Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
    };
    if !options.label_columns.is_empty() && options.kind != TargetKind::Labels {
        return usage(
            "label_columns",
            "these columns allow any number of labels per example: add option goal=labels",
        );
    }
    if options.separator.is_empty() {
        return usage("label_separator", "is empty; set the text between two labels, for instance \"|\"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &str, options: &TextOptions) -> Result<String, String> {
        let names: Vec<&str> = names.split('\t').collect();
        let columns = Columns::find(&names, options, FieldKind::Column)?;
        let show = |name: Option<&str>| name.unwrap_or("-").to_owned();
        Ok(format!("{} {} {} {}", columns.text, show(columns.pair), show(columns.label), show(columns.id)))
    }

    #[test]
    fn the_headers_of_glue() {
        let labels = TextOptions::default();
        let scores = TextOptions { kind: TargetKind::Number, ..TextOptions::default() };
        let test = TextOptions { unlabelled: true, ..TextOptions::default() };
        for (header, options, expected) in [
            ("sentence\tlabel", &labels, "sentence - label -"),
            ("index\tsentence1\tsentence2\tlabel", &labels, "sentence1 sentence2 label index"),
            ("index\tquestion\tsentence\tlabel", &labels, "question sentence label index"),
            (
                "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
                &labels,
                "question1 question2 is_duplicate id",
            ),
            ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", &labels, "#1 String #2 String Quality -"),
            (
                "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
                 sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
                &labels,
                "sentence1 sentence2 gold_label index",
            ),
            ("premise\thypothesis\tlabel\tidx", &labels, "premise hypothesis label idx"),
            (
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
                &scores,
                "sentence1 sentence2 score index",
            ),
            ("text\tlabel", &scores, "text - label -"),
            ("index\tsentence", &test, "sentence - - index"),
            ("index\t#1 ID\t#2 ID\t#1 String\t#2 String", &test, "#1 String #2 String - index"),
        ] {
            assert_eq!(find(header, options).as_deref(), Ok(expected), "{header}");
        }
    }

    #[test]
    fn names_that_were_given_are_not_guessed() {
        let named = |text: &str, pair: &str, label: &str| TextOptions {
            text: text.to_owned(),
            text_pair: pair.to_owned(),
            label: label.to_owned(),
            ..TextOptions::default()
        };
        let header = "sentence\tlabel\tb\tintent";
        assert_eq!(find(header, &named("sentence", "b", "intent")).as_deref(), Ok("sentence b intent -"));
        assert_eq!(
            find(header, &named("review", "text_pair", "label")),
            Err(
                "column \"review\" is missing; the table has sentence, label, b, intent (option text_field names \
                 another)"
                    .to_owned()
            )
        );
        assert!(find(header, &named("text", "b", "label")).is_err_and(|e| e.contains("\"text\" is missing")));
        assert!(find(header, &named("b", "c", "label")).is_err_and(|e| e.contains("pair_field")));
        assert!(find(header, &named("b", "intent", "x")).is_err_and(|e| e.contains("label_field")));
        let id = TextOptions { id: "key".to_owned(), ..TextOptions::default() };
        assert!(find(header, &id).is_err_and(|e| e.contains("id_field")));
    }

    #[test]
    fn labels_of_other_tasks_are_not_taken() {
        let options = TextOptions::default();
        assert!(find("text\tQuality", &options).is_err_and(|e| e.contains("\"label\" is missing")));
        assert_eq!(find("text\tgold_label", &options).as_deref(), Ok("text - gold_label -"));
        let columns = TextOptions {
            kind: TargetKind::Labels,
            label_columns: vec!["a".to_owned(), "b".to_owned()],
            ..TextOptions::default()
        };
        assert_eq!(find("text\ta\tb", &columns).as_deref(), Ok("text - - -"));
        assert!(find("text\ta", &columns).is_err_and(|e| e.contains("\"b\" is missing")));
    }

    #[test]
    fn options_that_do_not_fit() {
        let name = |options: &TextOptions| match check_options(options) {
            Err(Error::InvalidOption { name, .. }) => name,
            other => format!("{other:?}"),
        };
        let columns = TextOptions { label_columns: vec!["a".to_owned()], ..TextOptions::default() };
        assert_eq!(name(&columns), "label_columns");
        assert_eq!(
            name(&TextOptions { separator: String::new(), ..TextOptions::default() }),
            "label_separator"
        );
        assert!(check_options(&TextOptions::default()).is_ok());
    }
}
