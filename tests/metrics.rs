//! Metrics against their reference implementations.
//!
//! `golden/metrics/make.py` made the expected values.

mod common;

use common::golden;
use serde_json::Value;

use albert::eval::metrics::{
    EntityScheme, LabelFigures, QuestionOutcome, classification, entities, multi_label, regression, squad_v1,
    squad_v2,
};

fn cases(name: &str) -> Vec<Value> {
    let text = std::fs::read(golden("metrics").join(name)).expect("a golden file");
    serde_json::from_slice(&text).expect("JSON")
}

fn ids(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|n| n.as_u64().expect("an id") as usize).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number")).collect()
}

#[track_caller]
fn same(own: f64, wanted: &Value, what: &str, case: &Value) {
    let wanted = wanted.as_f64().unwrap_or_else(|| panic!("{what} in {case}"));
    assert!((own - wanted).abs() <= 1e-12 * wanted.abs().max(1.0), "{what}: {own}, not {wanted}: {case}");
}

#[track_caller]
fn same_class(own: LabelFigures, wanted: &[f64], case: &Value) {
    for (own, wanted) in [own.precision, own.recall, own.f1, own.support as f64].into_iter().zip(wanted) {
        same(own, &Value::from(*wanted), "a label", case);
    }
}

#[test]
fn labels_are_judged_as_by_scikit_learn() {
    for case in cases("classification.json") {
        let labels = case["labels"].as_u64().expect("a number") as usize;
        let found = classification(&ids(&case["gold"]), &ids(&case["predicted"]), labels);
        same(found.accuracy, &case["accuracy"], "accuracy", &case);
        same(found.matthews, &case["matthews"], "matthews", &case);
        same(found.macro_f1, &case["macro_f1"], "macro_f1", &case);
        same(found.weighted_f1, &case["weighted_f1"], "weighted_f1", &case);
        for (own, wanted) in found.classes.iter().zip(case["classes"].as_array().expect("a list")) {
            same_class(*own, &numbers(wanted), &case);
        }
        assert_eq!(serde_json::json!(found.confusion), case["confusion"]);
    }
    let nothing = classification(&[], &[], 2);
    assert_eq!((nothing.accuracy, nothing.matthews, nothing.macro_f1), (0.0, 0.0, 0.0));
}

#[test]
fn several_labels_are_judged_as_by_scikit_learn() {
    let rows = |value: &Value| -> Vec<Vec<bool>> {
        value.as_array().expect("rows").iter().map(|row| ids(row).iter().map(|n| *n == 1).collect()).collect()
    };
    for case in cases("multi_label.json") {
        let labels = case["labels"].as_u64().expect("a number") as usize;
        let found = multi_label(&rows(&case["gold"]), &rows(&case["predicted"]), labels);
        same(found.subset_accuracy, &case["subset_accuracy"], "subset_accuracy", &case);
        same(found.micro_f1, &case["micro_f1"], "micro_f1", &case);
        same(found.macro_f1, &case["macro_f1"], "macro_f1", &case);
        same(found.samples_f1, &case["samples_f1"], "samples_f1", &case);
        for (own, wanted) in found.classes.iter().zip(case["classes"].as_array().expect("a list")) {
            same_class(*own, &numbers(wanted), &case);
        }
    }
}

#[test]
fn numbers_are_judged_as_by_scipy() {
    for case in cases("regression.json") {
        let found = regression(&numbers(&case["gold"]), &numbers(&case["predicted"]));
        for (own, name) in [(found.pearson, "pearson"), (found.spearman, "spearman")] {
            match own {
                Some(own) => same(own, &case[name], name, &case),
                None => assert!(case[name].is_null(), "{name}: {case}"),
            }
        }
        same(found.mean_squared_error, &case["mean_squared_error"], "mean_squared_error", &case);
        same(found.mean_absolute_error, &case["mean_absolute_error"], "mean_absolute_error", &case);
    }
}

#[test]
fn answers_are_judged_as_by_the_scripts_of_squad() {
    for case in cases("squad.json") {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let outcomes: Vec<QuestionOutcome> = case["questions"]
            .as_array()
            .expect("questions")
            .iter()
            .map(|q| QuestionOutcome {
                id: text(&q["id"]),
                answers: q["answers"].as_array().expect("answers").iter().map(text).collect(),
                prediction: text(&q["prediction"]),
                no_answer: q["no_answer"].as_f64().expect("a number"),
            })
            .collect();
        let Some(threshold) = case["threshold"].as_f64() else {
            let found = squad_v1(&outcomes);
            same(found.exact, &case["exact"], "exact", &case);
            same(found.f1, &case["f1"], "f1", &case);
            for (own, wanted) in found.scores.iter().zip(case["scores"].as_array().expect("a list")) {
                same(own.0, &wanted[0], "exact of one", &case);
                same(own.1, &wanted[1], "f1 of one", &case);
            }
            continue;
        };
        let found = squad_v2(&outcomes, threshold);
        for (own, name) in [
            (found.exact, "exact"),
            (found.f1, "f1"),
            (found.has_answer_exact, "has_answer_exact"),
            (found.has_answer_f1, "has_answer_f1"),
            (found.no_answer_exact, "no_answer_exact"),
            (found.best_exact, "best_exact"),
            (found.best_exact_threshold, "best_exact_threshold"),
            (found.best_f1, "best_f1"),
            (found.best_f1_threshold, "best_f1_threshold"),
        ] {
            same(own, &case[name], name, &case);
        }
    }
    assert_eq!(squad_v1(&[]).f1, 0.0);
    assert_eq!(squad_v2(&[], 0.0).best_f1, 0.0);
}

fn scheme(name: &Value) -> Option<EntityScheme> {
    Some(match name.as_str()? {
        "iob1" => EntityScheme::Iob1,
        "iob2" => EntityScheme::Iob2,
        "ioe1" => EntityScheme::Ioe1,
        "ioe2" => EntityScheme::Ioe2,
        "iobes" => EntityScheme::Iobes,
        "bilou" => EntityScheme::Bilou,
        other => panic!("{other}"),
    })
}

#[test]
fn entities_are_judged_as_by_seqeval() {
    let mut refused = 0;
    for case in cases("entities.json") {
        let rows =
            |value: &Value| -> Vec<Vec<String>> { serde_json::from_value(value.clone()).expect("tags") };
        let found = entities(&rows(&case["gold"]), &rows(&case["predicted"]), scheme(&case["scheme"]));
        let expected = &case["expected"];
        if expected.is_null() {
            assert!(found.is_err(), "{case}");
            refused += 1;
            continue;
        }
        let found = found.unwrap_or_else(|e| panic!("{e}: {case}"));
        for (own, name) in
            [(found.micro, "micro"), (found.macro_average, "macro"), (found.weighted_average, "weighted")]
        {
            same_class(own, &numbers(&expected[name]), &case);
        }
        same(found.accuracy, &expected["accuracy"], "accuracy", &case);
        let types = expected["types"].as_array().expect("types");
        assert_eq!(found.types.len(), types.len(), "{case}");
        for ((name, own), wanted) in found.types.iter().zip(types) {
            assert_eq!(Some(name.as_str()), wanted[0].as_str(), "{case}");
            same_class(*own, &numbers(&Value::from(&wanted.as_array().expect("a list")[1..])), &case);
        }
    }
    assert!(refused > 0);
    let tags = |text: &str| vec![text.split(' ').map(str::to_owned).collect::<Vec<_>>()];
    let error = entities(&tags("O O"), &tags("O"), None).expect_err("lengths differ");
    assert!(error.to_string().contains("sentence 1"), "{error}");
}
