//! Formats the predictions of each task as JSON, tables, human-readable text, and native formats such as CoNLL and SQuAD.

mod choose;
mod classify;
mod embed;
mod entities;
mod fill_mask;
mod labels;
mod ner;
mod qa;
mod text_task;
mod tokenize;
mod zero_shot;

/// Returns the line above a prediction: the text, and the second text if there is one.
fn heading(text: &str, pair: Option<&str>) -> String {
    match pair {
        Some(pair) => format!("{text} | {pair}\n"),
        None => format!("{text}\n"),
    }
}
