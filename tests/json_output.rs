//! The JSON output of every task, parsed into strict types. A missing, renamed or additional field fails.

mod common;

use std::io::Write;

use common::albert;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<P> {
    text: String,
    predictions: Vec<P>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filled {
    score: f64,
    token: u32,
    token_str: String,
    sequence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labelled {
    label: String,
    score: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entity {
    entity_group: String,
    score: f64,
    word: String,
    start: usize,
    end: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    entity: String,
    score: f64,
    index: usize,
    word: String,
    start: usize,
    end: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    predictions: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoubtfulQuestion {
    question: String,
    predictions: Vec<Answer>,
    null_score: f64,
    null_score_diff: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    score: f64,
    start: usize,
    end: usize,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    prompt: String,
    predictions: Vec<Choice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    choice: String,
    index: usize,
    score: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Embedding {
    embedding: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEmbeddings {
    embedding: Vec<Vec<f64>>,
    tokens: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    ids: Vec<u32>,
    tokens: Vec<String>,
    offsets: Vec<(usize, usize)>,
    type_ids: Vec<u32>,
    special_tokens_mask: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    line: Option<usize>,
    text: Option<f64>,
    error: String,
}

/// The only record of the output.
fn run<T: DeserializeOwned>(arguments: &[&str]) -> T {
    let output = albert().args(arguments).args(["--quiet", "--format", "jsonl"]).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {text}"))
}

fn is_probability(score: f64) -> bool {
    (0.0..=1.0).contains(&score)
}

#[test]
fn fill_mask() {
    let text = "The [MASK] was cold.";
    let record: Record<Filled> = run(&["fill-mask", text]);
    assert_eq!(record.text, text);
    assert_eq!(record.predictions.len(), 5);
    for filled in record.predictions {
        assert!(is_probability(filled.score) && filled.token > 4);
        assert!(filled.sequence.contains(filled.token_str.trim()));
    }
    let several: Record<Vec<Filled>> = run(&["fill-mask", "-k", "2", "A [MASK] and a [MASK]."]);
    assert_eq!(several.predictions.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn classify_and_zero_shot() {
    let record: Record<Labelled> = run(&["classify", "-k", "all", "Very good."]);
    assert_eq!(record.text, "Very good.");
    assert!(record.predictions.iter().all(|p| is_probability(p.score) && !p.label.is_empty()));
    let record: Record<Labelled> = run(&["zero-shot", "--labels", "sport,money", "The bank closed."]);
    assert_eq!(record.predictions.len(), 2);
}

#[test]
fn ner() {
    let text = "Anna works for Microsoft in Seattle.";
    let record: Record<Entity> = run(&["ner", text]);
    assert!(!record.predictions.is_empty());
    for entity in record.predictions {
        assert!(is_probability(entity.score) && !entity.entity_group.is_empty());
        assert_eq!(&text[entity.start..entity.end], entity.word);
    }
    let record: Record<Token> = run(&["ner", "--aggregation", "none", text]);
    for token in record.predictions {
        assert!(is_probability(token.score) && token.index > 0 && token.start < token.end);
        assert!(!token.entity.is_empty() && !token.word.is_empty());
    }
}

#[test]
fn qa() {
    let context = "It was built in 1873.";
    let arguments = ["qa", "When was it built?", "--context-text", context];
    let record: Question = run(&arguments);
    assert_eq!(record.question, "When was it built?");
    for answer in &record.predictions {
        assert!(answer.score >= 0.0);
        assert_eq!(&context[answer.start..answer.end], answer.answer);
    }
    let record: DoubtfulQuestion = run(&[&arguments[..], &["--impossible"]].concat());
    assert_eq!((record.question.as_str(), record.predictions.len()), ("When was it built?", 1));
    assert!(is_probability(record.null_score) && record.null_score_diff.is_finite());
}

#[test]
fn choose() {
    let choices = ["He froze.", "He ate."];
    let record: Prompt = run(&["choose", "It was cold.", "--choice", choices[0], "--choice", choices[1]]);
    assert_eq!(record.prompt, "It was cold.");
    for choice in record.predictions {
        assert!(is_probability(choice.score));
        assert_eq!(choices[choice.index], choice.choice);
    }
}

#[test]
fn embed_and_tokenize() {
    let record: Record<Embedding> = run(&["embed", "A text."]);
    assert_eq!(record.predictions[0].embedding.len(), 384);
    let record: Record<TokenEmbeddings> = run(&["embed", "--pooling", "tokens", "A text."]);
    let tokens = &record.predictions[0];
    assert_eq!(tokens.embedding.len(), tokens.tokens.len());
    let record: Record<Tokens> = run(&["tokenize", "A text."]);
    let tokens = &record.predictions[0];
    let lengths = [tokens.ids.len(), tokens.tokens.len(), tokens.offsets.len(), tokens.type_ids.len()];
    assert_eq!(lengths, [tokens.special_tokens_mask.len(); 4]);
}

#[test]
fn failed_records() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"{\"text\": 1}\n{\"text\n").expect("writes");
    let path = file.path().display().to_string();
    let output = albert()
        .args(["classify", "--quiet", "--on-error", "skip", "--format", "jsonl", "-i", &path])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let records: Vec<Failed> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].text, records[1].line), (Some(1.0), Some(2)));
    assert!(records.iter().all(|record| !record.error.is_empty()));
}
