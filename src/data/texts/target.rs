//! Targets of texts: labels and scores in JSON values and cells.

use serde_json::Value;

use super::{TargetKind, TextOptions};
use crate::data::example::Target;
use crate::data::shortened::shortened;
use crate::io::{JsonText, lone_surrogate};

/// Reads the target in a JSON field.
///
/// # Errors
/// A message if the value is not of this kind.
pub(super) fn of_json(raw: Option<&JsonText>, name: &str, options: &TextOptions) -> Result<Target, String> {
    let json = raw.map_or("null", JsonText::get);
    let value: Value = serde_json::from_str(json).map_err(|_| match lone_surrogate(json) {
        Some(problem) => format!("field \"{name}\" {problem}"),
        None if matches!(json, "NaN" | "Infinity" | "-Infinity") => {
            let advice = "JSON has no NaN and no infinity: leave the line out or write a number";
            format!("field \"{name}\" is {json}; {advice}")
        }
        None => format!("field \"{name}\" is {}, a value beyond what can be read", shortened(json)),
    })?;
    let problem =
        |expected: &str| Err(format!("field \"{name}\" is {}; expected {expected}", shortened(json)));
    if value.is_null() {
        return if options.unlabelled { Ok(Target::None) } else { problem(expected(options.kind)) };
    }
    match (options.kind, &value) {
        (TargetKind::Label | TargetKind::Labels, value) if is_blank(value) => {
            Err(format!("field \"{name}\" is empty"))
        }
        (TargetKind::Number, Value::Number(number)) => match number.as_f64().and_then(score) {
            Some(number) => Ok(Target::Number(number)),
            None => problem("a number in the range of f32"),
        },
        (TargetKind::Label, Value::Array(_)) => {
            problem("one label (with option goal=labels an example may have several)")
        }
        (TargetKind::Label, value) => match label(value) {
            Some(label) => Ok(Target::Label(label)),
            None if value.is_number() => {
                let label = expected(TargetKind::Label);
                problem(&format!("{label}; option goal=number predicts numbers"))
            }
            None => problem(expected(TargetKind::Label)),
        },
        (TargetKind::Labels, Value::Array(items)) => match of_list(items) {
            Ok(target) => Ok(target),
            Err(ListProblem::EmptyLabel) => Err(format!("field \"{name}\" has an empty label")),
            Err(ListProblem::Expected(what)) => problem(what),
        },
        (TargetKind::Labels, value) => match label(value) {
            Some(label) => Ok(Target::Labels(vec![label])),
            None => problem(expected(TargetKind::Labels)),
        },
        (TargetKind::Number, _) => problem(expected(TargetKind::Number)),
    }
}

/// Reads the target in a cell of a table.
///
/// # Errors
/// Same as [`of_json`]; also for a blank cell, unless examples need no target.
pub(super) fn of_cell(cell: &str, name: &str, options: &TextOptions) -> Result<Target, String> {
    let cell = cell.trim();
    if cell.is_empty() {
        let none = match options.kind {
            TargetKind::Labels => " (write [] if there is no label)",
            TargetKind::Label | TargetKind::Number => "",
        };
        let problem = format!("column \"{name}\" is blank; expected {}{none}", expected(options.kind));
        return if options.unlabelled { Ok(Target::None) } else { Err(problem) };
    }
    let problem =
        |expected: &str| format!("column \"{name}\" is \"{}\"; expected {expected}", shortened(cell));
    match options.kind {
        TargetKind::Label => Ok(Target::Label(cell.to_owned())),
        TargetKind::Labels if cell.starts_with("['") && cell.ends_with("']") => {
            Err(problem("a JSON list such as [\"a\", \"b\"], not a list of Python"))
        }
        TargetKind::Labels
            if cell.starts_with("[\"") && serde_json::from_str::<Vec<Value>>(cell).is_err() =>
        {
            Err(problem("a JSON list such as [\"a\", \"b\"]"))
        }
        TargetKind::Labels => {
            if let Ok(items) = serde_json::from_str::<Vec<Value>>(cell) {
                return of_list(&items).map_err(|found| match found {
                    ListProblem::EmptyLabel => format!("column \"{name}\" has an empty label"),
                    ListProblem::Expected(what) => problem(what),
                });
            }
            let mut labels: Vec<String> =
                cell.split(&options.separator).map(|label| label.trim().to_owned()).collect();
            if labels.iter().any(String::is_empty) {
                return Err(problem(&format!("a label on each side of \"{}\"", options.separator)));
            }
            without_repeats(&mut labels);
            Ok(Target::Labels(labels))
        }
        TargetKind::Number => {
            let number: f64 = cell.parse().map_err(|_| problem(expected(TargetKind::Number)))?;
            score(number).map(Target::Number).ok_or_else(|| problem("a number in the range of f32"))
        }
    }
}

/// Why a JSON list does not hold labels.
enum ListProblem {
    EmptyLabel,
    /// Something else was expected.
    Expected(&'static str),
}

/// Reads several labels from a JSON list.
fn of_list(items: &[Value]) -> Result<Target, ListProblem> {
    if items.iter().any(is_blank) {
        return Err(ListProblem::EmptyLabel);
    }
    let labels: Option<Vec<String>> = items.iter().map(label).collect();
    let mut labels = labels.ok_or(ListProblem::Expected(expected(TargetKind::Labels)))?;
    let is_repeated = |i: usize| items[i].is_number() && items[..i].contains(&items[i]);
    if (0..items.len()).any(is_repeated) {
        return Err(ListProblem::Expected("names of labels, not a 0 or a 1 for each"));
    }
    without_repeats(&mut labels);
    Ok(Target::Labels(labels))
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Returns the labels whose columns or JSON fields are 1; `None` stands for an absent one.
///
/// # Errors
/// A message if one is neither 0 nor 1, or is absent, unless examples need no target and all are absent.
pub(super) fn of_switches<'a>(
    columns: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    options: &TextOptions,
) -> Result<Target, String> {
    let (mut labels, mut known, mut unknown) = (Vec::new(), false, None);
    for (name, cell) in columns {
        match cell.unwrap_or_default().trim() {
            "1" | "1.0" | "true" | "True" | "TRUE" => labels.push(name.to_owned()),
            "0" | "0.0" | "false" | "False" | "FALSE" => {}
            "" => {
                unknown = Some(name);
                continue;
            }
            other => {
                return Err(format!("label column \"{name}\" is {}; expected 0 or 1", shortened(other)));
            }
        }
        known = true;
    }
    match unknown {
        None => Ok(Target::Labels(labels)),
        Some(_) if options.unlabelled && !known => Ok(Target::None),
        Some(name) => Err(format!("label column \"{name}\" is blank; expected 0 or 1")),
    }
}

fn expected(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Label => "a label: a string, a whole number, true or false",
        TargetKind::Labels => "a list of labels",
        TargetKind::Number => "a finite number",
    }
}

/// Reads a label from JSON: a string that is not blank, an integer, or a boolean.
fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        // Integers in a column with missing values are often written as floats.
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15)?;
            Some((number as i64).to_string())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a score that is finite in f32.
fn score(number: f64) -> Option<f64> {
    (number as f32).is_finite().then_some(number)
}

fn without_repeats(labels: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    labels.retain(|label| seen.insert(label.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(kind: TargetKind) -> TextOptions {
        TextOptions { kind, ..TextOptions::default() }
    }

    fn json(json: &str, kind: TargetKind) -> Result<Target, String> {
        let raw = JsonText::from(serde_json::value::RawValue::from_string(json.to_owned()).expect("JSON"));
        of_json(Some(&raw), "label", &options(kind))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn labels_from_json() {
        for (value, label) in [
            ("\"a b\"", "a b"),
            ("\" a\"", "a"),
            ("1", "1"),
            ("-3", "-3"),
            ("2.0", "2"),
            ("true", "true"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(json(value, TargetKind::Label), Ok(Target::Label(label.to_owned())), "{value}");
            let list = format!("[{value}]");
            assert_eq!(json(&list, TargetKind::Labels), Ok(Target::Labels(names(&[label]))), "{value}");
        }
        for value in ["null", "1.5", "\" \"", "{}", "[]", "1e30", "[\"a\"]"] {
            assert!(json(value, TargetKind::Label).is_err(), "{value}");
        }
        assert!(json("[\"a\"]", TargetKind::Label).is_err_and(|e| e.contains("option goal=labels")));
        assert_eq!(
            json("1.5", TargetKind::Label),
            Err("field \"label\" is 1.5; expected a label: a string, a whole number, true or false; option goal=number \
                 predicts numbers"
                .to_owned())
        );
    }

    #[test]
    fn empty_labels() {
        let empty = Err("field \"label\" is empty".to_owned());
        assert_eq!(json("\"\"", TargetKind::Label), empty);
        assert_eq!(json("\" \"", TargetKind::Labels), empty);
        let one = Err("field \"label\" has an empty label".to_owned());
        assert_eq!(json("[\"a\", \"\"]", TargetKind::Labels), one);
    }

    #[test]
    fn several_labels_from_json() {
        assert_eq!(json("[]", TargetKind::Labels), Ok(Target::Labels(Vec::new())));
        assert_eq!(json("\"a\"", TargetKind::Labels), Ok(Target::Labels(names(&["a"]))));
        assert_eq!(json("[\"b\", \"a\", \"b\"]", TargetKind::Labels), Ok(Target::Labels(names(&["b", "a"]))));
        assert_eq!(json("[3, 1]", TargetKind::Labels), Ok(Target::Labels(names(&["3", "1"]))));
        for value in ["[0, 1, 0]", "[null]", "[[]]", "null", "[\"\"]"] {
            assert!(json(value, TargetKind::Labels).is_err(), "{value}");
        }
    }

    #[test]
    fn scores_from_json() {
        assert_eq!(json("3.5", TargetKind::Number), Ok(Target::Number(3.5)));
        assert_eq!(json("-4", TargetKind::Number), Ok(Target::Number(-4.0)));
        for value in ["\"3.5\"", "1e39", "1e400", "true", "null", "[1]"] {
            assert!(json(value, TargetKind::Number).is_err(), "{value}");
        }
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert!(json(&deep, TargetKind::Number).is_err_and(|e| e.contains("beyond")));
    }

    #[test]
    fn cells() {
        let cell = |cell: &str, kind| of_cell(cell, "label", &options(kind));
        assert_eq!(cell(" 1 ", TargetKind::Label), Ok(Target::Label("1".to_owned())));
        assert_eq!(cell("a | b|a", TargetKind::Labels), Ok(Target::Labels(names(&["a", "b"]))));
        assert_eq!(cell("[\"a|b\", \"c\"]", TargetKind::Labels), Ok(Target::Labels(names(&["a|b", "c"]))));
        assert_eq!(cell("[]", TargetKind::Labels), Ok(Target::Labels(Vec::new())));
        assert_eq!(cell("[a]|[b]", TargetKind::Labels), Ok(Target::Labels(names(&["[a]", "[b]"]))));
        assert_eq!(cell(" 2.5", TargetKind::Number), Ok(Target::Number(2.5)));
        for (text, kind) in [
            ("", TargetKind::Label),
            (" ", TargetKind::Labels),
            ("a||b", TargetKind::Labels),
            ("['a', 'b']", TargetKind::Labels),
            ("[\"\"]", TargetKind::Labels),
            ("[\"a\"", TargetKind::Labels),
            ("[1, 0, 1]", TargetKind::Labels),
            ("nan", TargetKind::Number),
            ("inf", TargetKind::Number),
            ("1e39", TargetKind::Number),
            ("good", TargetKind::Number),
        ] {
            assert!(cell(text, kind).is_err(), "{text}");
        }
    }

    #[test]
    fn examples_that_need_no_target() {
        let options = TextOptions { unlabelled: true, ..TextOptions::default() };
        assert_eq!(of_json(None, "label", &options), Ok(Target::None));
        assert_eq!(of_cell(" ", "label", &options), Ok(Target::None));
        let absent = [("a", None), ("b", Some(""))];
        assert_eq!(of_switches(absent.into_iter(), &options), Ok(Target::None));
        assert!(of_switches([("a", None), ("b", Some("1"))].into_iter(), &options).is_err());
    }

    #[test]
    fn columns_of_0_and_1() {
        let columns = |cells: [&'static str; 3]| {
            of_switches(["x", "y", "z"].into_iter().zip(cells.map(Some)), &options(TargetKind::Labels))
        };
        assert_eq!(columns(["1", "0", "1.0"]), Ok(Target::Labels(names(&["x", "z"]))));
        assert_eq!(columns(["0", "0", "false"]), Ok(Target::Labels(Vec::new())));
        assert_eq!(columns(["1", "-1", "0"]), Err("label column \"y\" is -1; expected 0 or 1".to_owned()));
        assert!(columns(["1", "", "0"]).is_err_and(|e| e.contains("blank")));
    }
}
