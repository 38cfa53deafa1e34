//! The metrics of `albert eval` compared with scikit-learn, SciPy, seqeval and the SQuAD scripts.
//!
//! `golden/metrics/make.py` made the expected values.

use albert::Error;
use albert::eval::metrics::{
    EntityScheme, LabelMetrics, QuestionOutcome, classification, entities, multi_label, regression, squad_v1,
    squad_v2,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = format!("{}/{name}", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics"));
    let text = std::fs::read(&path).expect("a golden file");
    serde_json::from_slice(&text).expect("cases")
}

/// Equal to 12 digits.
#[track_caller]
fn close(what: &str, case: usize, found: f64, expected: f64) {
    let difference = (found - expected).abs();
    assert!(difference <= 1e-12 * expected.abs(), "case {case}: {what}: {found}, expected {expected}");
}

#[derive(Deserialize)]
struct Metrics {
    precision: f64,
    recall: f64,
    #[serde(alias = "f1-score")]
    f1: f64,
    support: u64,
}

#[track_caller]
fn close_figures(what: &str, case: usize, found: &LabelMetrics, expected: &Metrics) {
    close(&format!("{what}: precision"), case, found.precision, expected.precision);
    close(&format!("{what}: recall"), case, found.recall, expected.recall);
    close(&format!("{what}: f1"), case, found.f1, expected.f1);
    assert_eq!(found.support, expected.support, "case {case}: {what}: support");
}

#[track_caller]
fn close_classes(case: usize, found: &[LabelMetrics], expected: &[Metrics]) {
    assert_eq!(found.len(), expected.len(), "case {case}");
    for (label, (found, expected)) in found.iter().zip(expected).enumerate() {
        close_figures(&format!("label {label}"), case, found, expected);
    }
}

#[track_caller]
fn close_scores(case: usize, found: &[(f64, f64)], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len(), "case {case}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0, expected.0, "case {case}: exact match");
        close("f1 of a question", case, found.1, expected.1);
    }
}

#[test]
fn classes_as_scikit_learn() {
    #[derive(Deserialize)]
    struct Case {
        gold: Vec<usize>,
        predicted: Vec<usize>,
        labels: usize,
        accuracy: f64,
        matthews: f64,
        macro_f1: f64,
        weighted_f1: f64,
        classes: Vec<Metrics>,
        confusion: Vec<Vec<u64>>,
    }
    for (i, case) in cases::<Case>("classification.json").iter().enumerate() {
        let found = classification(&case.gold, &case.predicted, case.labels);
        close("accuracy", i, found.accuracy, case.accuracy);
        close("matthews", i, found.matthews, case.matthews);
        close("macro_f1", i, found.macro_f1, case.macro_f1);
        close("weighted_f1", i, found.weighted_f1, case.weighted_f1);
        close_classes(i, &found.classes, &case.classes);
        assert_eq!(found.confusion, case.confusion, "case {i}");
    }
}

#[test]
fn several_labels_as_scikit_learn() {
    #[derive(Deserialize)]
    struct Case {
        gold: Vec<Vec<u8>>,
        predicted: Vec<Vec<u8>>,
        labels: usize,
        subset_accuracy: f64,
        micro_f1: f64,
        macro_f1: f64,
        samples_f1: f64,
        weighted_f1: f64,
        classes: Vec<Metrics>,
    }
    let decisions = |rows: &[Vec<u8>]| -> Vec<Vec<bool>> {
        rows.iter().map(|row| row.iter().map(|d| *d == 1).collect()).collect()
    };
    for (i, case) in cases::<Case>("multi_label.json").iter().enumerate() {
        let found = multi_label(&decisions(&case.gold), &decisions(&case.predicted), case.labels);
        close("subset_accuracy", i, found.subset_accuracy, case.subset_accuracy);
        close("micro_f1", i, found.micro_f1, case.micro_f1);
        close("macro_f1", i, found.macro_f1, case.macro_f1);
        close("samples_f1", i, found.samples_f1, case.samples_f1);
        close("weighted_f1", i, found.weighted_f1, case.weighted_f1);
        close_classes(i, &found.classes, &case.classes);
    }
}

#[test]
fn numbers_as_scipy() {
    #[derive(Deserialize)]
    struct Case {
        gold: Vec<f64>,
        predicted: Vec<f64>,
        pearson: Option<f64>,
        spearman: Option<f64>,
        mean_squared_error: f64,
        mean_absolute_error: f64,
    }
    for (i, case) in cases::<Case>("regression.json").iter().enumerate() {
        let found = regression(&case.gold, &case.predicted);
        assert_eq!(found.pearson.is_some(), case.pearson.is_some(), "case {i}: pearson");
        assert_eq!(found.spearman.is_some(), case.spearman.is_some(), "case {i}: spearman");
        close("pearson", i, found.pearson.unwrap_or(0.0), case.pearson.unwrap_or(0.0));
        close("spearman", i, found.spearman.unwrap_or(0.0), case.spearman.unwrap_or(0.0));
        close("mean_squared_error", i, found.mean_squared_error, case.mean_squared_error);
        close("mean_absolute_error", i, found.mean_absolute_error, case.mean_absolute_error);
    }
}

#[derive(Deserialize)]
struct Question {
    answers: Vec<String>,
    prediction: String,
    #[serde(default)]
    no_answer: f64,
}

fn outcomes(questions: &[Question]) -> Vec<QuestionOutcome> {
    let outcome = |(i, q): (usize, &Question)| QuestionOutcome {
        id: i.to_string(),
        answers: q.answers.clone(),
        prediction: q.prediction.clone(),
        no_answer: q.no_answer,
    };
    questions.iter().enumerate().map(outcome).collect()
}

#[test]
fn answers_as_squad_1_1() {
    #[derive(Deserialize)]
    struct Case {
        questions: Vec<Question>,
        exact: f64,
        f1: f64,
        scores: Vec<(f64, f64)>,
    }
    for (i, case) in cases::<Case>("squad_v1.json").iter().enumerate() {
        let found = squad_v1(&outcomes(&case.questions));
        close("exact", i, found.exact, case.exact);
        close("f1", i, found.f1, case.f1);
        close_scores(i, &found.scores, &case.scores);
    }
}

#[test]
fn answers_as_squad_2_0() {
    #[derive(Deserialize)]
    struct Case {
        questions: Vec<Question>,
        threshold: f64,
        report: BTreeMap<String, f64>,
        scores: Vec<(f64, f64)>,
    }
    for (i, case) in cases::<Case>("squad_v2.json").iter().enumerate() {
        let found = squad_v2(&outcomes(&case.questions), case.threshold);
        for (name, value) in [
            ("exact", found.exact),
            ("f1", found.f1),
            ("HasAns_total", found.has_answer_total as f64),
            ("HasAns_exact", found.has_answer_exact),
            ("HasAns_f1", found.has_answer_f1),
            ("NoAns_total", found.no_answer_total as f64),
            ("NoAns_exact", found.no_answer_exact),
            ("NoAns_f1", found.no_answer_exact),
            ("best_exact", found.best_exact),
            ("best_f1", found.best_f1),
        ] {
            // The script omits a group without questions.
            close(name, i, value, case.report.get(name).copied().unwrap_or(0.0));
        }
        assert_eq!(found.best_exact_threshold, case.report["best_exact_thresh"], "case {i}");
        assert_eq!(found.best_f1_threshold, case.report["best_f1_thresh"], "case {i}");
        close_scores(i, &found.scores, &case.scores);
    }
}

/// Articles next to every kind of character, tested with exact match: an answer equals its normalized form, and an
/// additional word makes a difference.
#[test]
fn answers_are_normalized_as_in_python() {
    for (i, (text, normalized)) in cases::<(String, String)>("normalized.json").into_iter().enumerate() {
        let words: Vec<&str> = normalized.split(' ').filter(|w| !w.is_empty()).collect();
        let question = |answer: &str, prediction: &str| QuestionOutcome {
            answers: vec![answer.to_owned()],
            prediction: prediction.to_owned(),
            ..QuestionOutcome::default()
        };
        let found = squad_v1(&[question(&text, &normalized), question(&normalized, &text)]);
        assert_eq!(found.exact, 100.0, "case {i}: {text:?} is {normalized:?}");
        assert_eq!(found.f1, if words.is_empty() { 0.0 } else { 100.0 }, "case {i}: {text:?}");
    }
}

fn scheme(name: &str) -> EntityScheme {
    match name {
        "IOB1" => EntityScheme::Iob1,
        "IOB2" => EntityScheme::Iob2,
        "IOE1" => EntityScheme::Ioe1,
        "IOE2" => EntityScheme::Ioe2,
        "IOBES" => EntityScheme::Iobes,
        "BILOU" => EntityScheme::Bilou,
        other => panic!("no scheme {other}"),
    }
}

#[test]
fn entities_as_seqeval() {
    #[derive(Deserialize)]
    struct Case {
        gold: Vec<Vec<String>>,
        predicted: Vec<Vec<String>>,
        scheme: Option<String>,
        error: Option<String>,
        #[serde(flatten)]
        report: BTreeMap<String, Value>,
    }
    fn metrics(value: &Value) -> Metrics {
        // seqeval's mean over no types is NaN, which is null in the file.
        let number = |name: &str| value[name].as_f64().unwrap_or(0.0);
        let support = value["support"].as_u64().unwrap();
        Metrics { precision: number("precision"), recall: number("recall"), f1: number("f1-score"), support }
    }
    for (i, case) in cases::<Case>("entities.json").iter().enumerate() {
        let found = entities(&case.gold, &case.predicted, case.scheme.as_deref().map(scheme));
        if let Some(error) = &case.error {
            let Err(Error::Input(problem)) = found else { panic!("case {i}: no {error}") };
            assert!(problem.contains("sentence "), "case {i}: {problem}");
            continue;
        }
        let found = found.unwrap();
        close_figures("micro", i, &found.micro, &metrics(&case.report["micro"]));
        close_figures("macro", i, &found.macro_average, &metrics(&case.report["macro"]));
        close_figures("weighted", i, &found.weighted_average, &metrics(&case.report["weighted"]));
        close("accuracy", i, found.accuracy, case.report["accuracy"].as_f64().unwrap());
        let types = case.report["types"].as_object().unwrap();
        assert_eq!(found.types.len(), types.len(), "case {i}");
        assert!(found.types.is_sorted_by(|a, b| a.0 < b.0), "case {i}");
        for (name, found) in &found.types {
            close_figures(name, i, found, &metrics(&types[name]));
        }
    }
}

/// SplitMix64, for arbitrary inputs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn list<T>(&mut self, longest: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(longest + 1)).map(|_| one(self)).collect()
    }

    fn number(&mut self) -> f64 {
        match self.below(6) {
            0 => f64::from_bits(self.next()),
            1 => f64::NAN,
            2 => 0.0,
            _ => self.below(4) as f64 - 1.5,
        }
    }

    fn text(&mut self) -> String {
        let letters = [
            'a', 'T', 'h', 'e', 'n', ' ', '-', 'B', 'I', 'E', 'S', 'O', '.', 'é', '\u{301}', 'Σ', '京',
            '\u{1F}',
        ];
        self.list(8, |r| letters[r.below(letters.len())]).into_iter().collect()
    }

    fn tag(&mut self) -> String {
        let letter = ["O", "B-", "I-", "E-", "S-", "U-", "L-", "I", "X"][self.below(9)];
        let kind = if letter == "O" { "" } else { ["a", "b-c", "", "-"][self.below(4)] };
        if self.below(40) == 0 { self.text() } else { format!("{letter}{kind}") }
    }
}

/// Different lengths, ids that are not labels, NaN, and arbitrary tags.
#[test]
fn no_input_is_too_odd() {
    use EntityScheme::{Bilou, Iob1, Iob2, Iobes, Ioe1, Ioe2};
    let mut random = Random(7);
    for _ in 0..3_000 {
        let labels = random.below(5);
        let id = |r: &mut Random| if r.below(20) == 0 { r.next() as usize } else { r.below(6) };
        let found = classification(&random.list(6, id), &random.list(6, id), labels);
        for metric in [found.accuracy, found.macro_f1, found.weighted_f1] {
            assert!((0.0..=1.0).contains(&metric), "{found:?}");
        }
        assert!((-1.000_001..=1.000_001).contains(&found.matthews), "{found:?}");

        let row = |r: &mut Random| r.list(5, |r| r.below(2) == 1);
        let found = multi_label(&random.list(4, row), &random.list(4, row), labels);
        for metric in [found.subset_accuracy, found.micro_f1, found.macro_f1, found.samples_f1] {
            assert!((0.0..=1.0).contains(&metric), "{found:?}");
        }

        let found = regression(&random.list(5, Random::number), &random.list(5, Random::number));
        for metric in [found.pearson, found.spearman].into_iter().flatten() {
            assert!((-1.0..=1.0).contains(&metric), "{found:?}");
        }

        let outcomes = random.list(40, |r| QuestionOutcome {
            id: r.text(),
            answers: r.list(2, Random::text),
            prediction: r.text(),
            no_answer: r.number(),
        });
        let found = squad_v1(&outcomes);
        assert!((0.0..=100.0).contains(&found.f1) && found.exact <= 100.0, "{found:?}");
        let found = squad_v2(&outcomes, random.number());
        for metric in [found.exact, found.f1, found.best_exact, found.best_f1] {
            assert!((0.0..=100.000_001).contains(&metric), "{found:?}");
        }
        assert_eq!(found.scores.len(), outcomes.len());

        let gold = random.list(3, |r| r.list(6, Random::tag));
        let mut predicted = gold.clone();
        for tag in predicted.iter_mut().flatten() {
            if random.below(3) == 0 {
                *tag = random.tag();
            }
        }
        if random.below(10) == 0 {
            predicted.push(Vec::new());
        }
        for scheme in [None, Some(Iob1), Some(Iob2), Some(Ioe1), Some(Ioe2), Some(Iobes), Some(Bilou)] {
            if let Ok(found) = entities(&gold, &predicted, scheme) {
                for metric in
                    [found.micro.f1, found.macro_average.f1, found.weighted_average.f1, found.accuracy]
                {
                    assert!((0.0..=1.0).contains(&metric), "{found:?}");
                }
            }
        }
    }
}
