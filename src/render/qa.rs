//! Renders answers.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;

use crate::io::{Cell, Column, ColumnType};
use crate::stream::{ExtraFields, Render};
use crate::tasks::{AnswerSpan, Answers, Qa, QaItem};

impl Render for Qa<'_> {
    fn text_field(&self) -> &str {
        &self.options.question_field
    }

    fn json(&self, _item: &QaItem, prediction: &Answers) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&prediction.answers)
    }

    fn extra_fields(&self, _item: &QaItem, prediction: &Answers) -> serde_json::Result<ExtraFields> {
        let mut more = ExtraFields::new();
        for (name, value) in
            [("null_score", prediction.null_score), ("null_score_diff", prediction.null_score_diff)]
        {
            if let Some(value) = value {
                more.push((name, serde_json::value::to_raw_value(&value)?));
            }
        }
        Ok(more)
    }

    fn columns(&self) -> Vec<Column> {
        let lists = self.options.top_k > 1;
        let of = |name: &str, kind: ColumnType| Column::new(name, if lists { kind.list() } else { kind });
        let mut columns = vec![
            of("answer", ColumnType::Text),
            of("score", ColumnType::Float),
            of("start", ColumnType::Integer),
            of("end", ColumnType::Integer),
        ];
        if self.options.impossible || self.options.null_threshold.is_some() {
            columns.push(Column::new("null_score", ColumnType::Float));
            columns.push(Column::new("null_score_diff", ColumnType::Float));
        }
        columns
    }

    fn cells(&self, _item: &QaItem, prediction: &Answers) -> std::result::Result<Vec<Cell>, String> {
        let (answers, lists) = (&prediction.answers, self.options.top_k > 1);
        let mut cells = vec![
            Cell::of(answers, lists, |answer| Cell::Text(answer.answer.clone())),
            Cell::of(answers, lists, |answer| Cell::Float(answer.score)),
            Cell::of(answers, lists, |answer| Cell::integer(Some(answer.start))),
            Cell::of(answers, lists, |answer| Cell::integer(Some(answer.end))),
        ];
        if self.options.impossible || self.options.null_threshold.is_some() {
            cells.push(Cell::float(prediction.null_score));
            cells.push(Cell::float(prediction.null_score_diff));
        }
        Ok(cells)
    }

    fn text(&self, item: &QaItem, prediction: &Answers, color: bool) -> String {
        use std::fmt::Write;
        let (bold, dim) = if color {
            (AnsiColor::Green.on_default().bold(), Style::new().dimmed())
        } else {
            (Style::new(), Style::new())
        };
        let text = &item.context.text;
        let sentences = text.sentences();
        let mut out = format!("{}\n", item.question);
        if prediction.answers.is_empty() {
            out.push_str("  no answer in this context\n");
        }
        for AnswerSpan { score, start, end, answer } in &prediction.answers {
            let percent = score * 100.0;
            if answer.is_empty() {
                let _infallible = writeln!(out, "  {percent:>6.2} %  {bold}no answer{bold:#}");
                continue;
            }
            let from = sentences.partition_point(|s| s.1 <= *start);
            let to = sentences.partition_point(|s| s.0 < *end).max(from + 1);
            let sentence =
                (sentences.get(from).map_or(*start, |s| s.0), sentences.get(to - 1).map_or(*end, |s| s.1));
            let one_line = |place| text.slice(place).split_whitespace().collect::<Vec<_>>().join(" ");
            let space = |place: (usize, usize), at_end: bool| {
                let slice = text.slice(place);
                let edge = if at_end { slice.chars().next_back() } else { slice.chars().next() };
                if edge.is_some_and(char::is_whitespace) { " " } else { "" }
            };
            let (before, after) = ((sentence.0, *start), (*end, sentence.1));
            let mark = if color { ("", "") } else { ("[", "]") };
            let _infallible = writeln!(
                out,
                "  {percent:>6.2} %  {bold}{}{bold:#}  {dim}{}{}{dim:#}{bold}{}{}{}{bold:#}{dim}{}{}{dim:#}",
                one_line((*start, *end)),
                one_line(before),
                space(before, true),
                mark.0,
                one_line((*start, *end)),
                mark.1,
                space(after, false),
                one_line(after),
            );
        }
        out
    }

    /// Returns an entry of SQuAD's predictions file: the id and the answer.
    fn native(&self, item: &QaItem, prediction: &Answers) -> Vec<u8> {
        let answer = prediction.answers.first().map_or("", |answer| answer.answer.as_str());
        format!("{}: {}", key(item), serde_json::Value::from(answer)).into_bytes()
    }

    fn native_key(&self, item: &QaItem) -> Option<String> {
        Some(key(item))
    }
}

/// Returns the key of a record in SQuAD's predictions file, as JSON: its id, or else its question.
fn key(item: &QaItem) -> String {
    match item.id.as_deref() {
        Some(id) if id.starts_with('"') => id.to_owned(),
        // Keys of JSON objects are strings.
        Some(id) => serde_json::Value::from(id).to_string(),
        None => serde_json::Value::from(item.question.as_str()).to_string(),
    }
}
