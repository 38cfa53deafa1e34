//! The types at the crate root return the results that the program prints. Other tests compare those with transformers.

mod common;

use albert::device::{DeviceChoice, Precision};
use albert::tasks::{ClassifyOptions, FieldNames, FillMaskOptions, OverflowStrategy, QaOptions};
use albert::{Choose, Classify, Embed, FillMask, Ner, Qa, ZeroShot};
use common::cases::case;
use common::{albert, golden};
use serde_json::{Value, json};

/// The predictions that the program prints for one record.
fn printed(args: &[&str], record: &Value) -> Value {
    let output = albert()
        .args(args)
        .args(["-q", "--format", "jsonl"])
        .write_stdin(format!("{record}\n"))
        .output()
        .expect("runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
    serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["predictions"].clone()
}

/// Compares with the printed value. Floats in JSON have the digits of f32.
fn same(found: impl serde::Serialize, printed: &Value) {
    let found = serde_json::to_string(&found).expect("JSON");
    assert_eq!(serde_json::from_str::<Value>(&found).expect("JSON"), *printed);
}

#[test]
fn masks_are_filled() {
    let model = golden("fill_mask/json_2020").display().to_string();
    let text = "The capital of [MASK] is Paris.";
    let fill = FillMask::open(&model).expect("opens");
    let one = fill.predict(text).expect("predicts");
    same(&one[0], &printed(&["fill-mask", "-m", &model], &json!({"text": text})));
    let all = fill.predict_all(&["A [MASK].", text]).expect("predicts");
    assert_eq!(all.len(), 2);
    let near = |a: f32, b: f32| (a - b).abs() < 1e-5;
    assert!(all[1][0].iter().zip(&one[0]).all(|(a, b)| a.token_str == b.token_str && near(a.score, b.score)));
    let error = fill.predict_all(&["A [MASK].", "None."]).expect_err("no mask").to_string();
    assert!(error.contains("input 1: ") && error.contains("[MASK]"), "{error}");
}

#[test]
fn texts_are_classified() {
    let models = case("00-models");
    let model = models.text("classify");
    let options = ClassifyOptions { top_k: None, ..ClassifyOptions::default() };
    let classify =
        Classify::builder().device(DeviceChoice::Flex).options(options).open(&model).expect("opens");
    let found = classify.predict("good film").expect("predicts");
    same(&found, &printed(&["classify", "-m", &model, "-k", "all"], &json!({"text": "good film"})));
    let pair = classify.predict_pair("good film", "a bad one").expect("predicts");
    let record = json!({"text": "good film", "text_pair": "a bad one"});
    same(&pair, &printed(&["classify", "-m", &model, "-k", "all"], &record));
    assert_eq!(Classify::open(&model).expect("opens").predict("good film").expect("predicts").len(), 1);
}

#[test]
fn the_built_in_model_serves_every_task() {
    let text = "Angela Merkel met Tim Cook in Berlin.";
    same(
        Ner::built_in().expect("opens").predict(text).expect("predicts"),
        &printed(&["ner"], &json!({"text": text})),
    );
    let (question, context) = ("Who founded Amazon?", "Amazon was founded by Jeff Bezos in Seattle in 1994.");
    let answers = Qa::built_in().expect("opens").predict(question, context).expect("predicts");
    same(&answers.answers, &printed(&["qa"], &json!({"question": question, "context": context})));
    let (prompt, choices) = ("The man dropped the glass.", ["It broke.", "It flew away."]);
    let chosen = Choose::built_in().expect("opens").predict(prompt, &choices, None).expect("predicts");
    same(&chosen, &printed(&["choose"], &json!({"prompt": prompt, "choices": choices})));
    let labels = ["sport", "politics"];
    let found =
        ZeroShot::built_in().expect("opens").predict("The team won the match.", &labels).expect("predicts");
    let record = json!({"text": "The team won the match.", "labels": labels});
    same(&found, &printed(&["zero-shot"], &record));
    let embed = Embed::built_in().expect("opens");
    let vector = embed.predict(text).expect("predicts");
    same(&vector, &printed(&["embed"], &json!({"text": text}))[0]["embedding"]);
    assert_eq!(embed.predict_all(&[]).expect("predicts"), Vec::<Vec<f32>>::new());
}

#[test]
fn sentence_transformers_are_honoured() {
    let models = case("90-open-questions");
    let model = models.text("sentence-transformers");
    let vector = Embed::open(&model).expect("opens").predict("good film").expect("predicts");
    same(&vector, &printed(&["embed", "-m", &model], &json!({"text": "good film"}))[0]["embedding"]);
}

#[test]
fn settings_are_checked() {
    let models = case("00-models");
    let model = models.text("classify");
    let refused = |builder: albert::pipelines::Builder<Classify>| {
        builder.open(&model).err().expect("refused").to_string()
    };
    let error = refused(Classify::builder().max_length(100_000));
    assert!(error.contains("100000 is more than the 128 positions"), "{error}");
    let error = refused(Classify::builder().max_length(2));
    assert!(error.contains("2 is too small; the minimum is 4"), "{error}");
    let fill =
        FillMask::builder().overflow(OverflowStrategy::Window).built_in().err().expect("refused").to_string();
    assert!(fill.contains("does not read text in windows"), "{fill}");
    let missing = Classify::open("./no-such-model").err().expect("refused").to_string();
    assert!(missing.contains("no such file or directory"), "{missing}");
    let missing = Qa::builder().offline(true).open("org/never-seen").err().expect("refused").to_string();
    assert!(missing.contains("org/never-seen"), "{missing}");
    let options = FillMaskOptions { top_k: 2, targets: Vec::new(), fields: FieldNames::default() };
    let fill = FillMask::builder().precision(Precision::Int8).options(options).built_in().expect("opens");
    assert_eq!(fill.predict("She is a [MASK].").expect("predicts")[0].len(), 2);
    let options = QaOptions { top_k: 3, ..QaOptions::default() };
    let qa = Qa::builder().options(options).built_in().expect("opens");
    let all =
        qa.predict_all(&[("Who?", "Anna met Bob."), ("Where?", "They met in Rome.")]).expect("predicts");
    assert!(all.len() == 2 && all.iter().all(|answers| !answers.answers.is_empty()));
}
