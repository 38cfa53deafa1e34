//! Renders tokens.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::io::{Cell, Column, ColumnType};
use crate::stream::Render;
use crate::tasks::Tokenize;
use crate::tokenizer::Encoding;

/// The JSON output.
#[derive(Serialize)]
struct Shown<'a> {
    ids: &'a [u32],
    tokens: &'a [String],
    offsets: &'a [(usize, usize)],
    type_ids: &'a [u32],
    special_tokens_mask: Vec<u8>,
}

impl Render for Tokenize {
    fn text_field(&self) -> &str {
        &self.fields.text
    }

    fn json(&self, item: &Encoding, (): &()) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&[Shown {
            ids: &item.ids,
            tokens: &self.tokenizer.tokens(item),
            offsets: &item.offsets,
            type_ids: &item.type_ids,
            special_tokens_mask: item.special_tokens_mask.iter().map(|s| u8::from(*s)).collect(),
        }])
    }

    fn columns(&self) -> Vec<Column> {
        let integers = || ColumnType::Integer.list();
        vec![
            Column::new("ids", integers()),
            Column::new("tokens", ColumnType::Text.list()),
            Column::new("offsets", integers().list()),
            Column::new("type_ids", integers()),
            Column::new("special_tokens_mask", integers()),
        ]
    }

    fn cells(&self, item: &Encoding, (): &()) -> std::result::Result<Vec<Cell>, String> {
        let integer = |number: &u32| Cell::Integer(i64::from(*number));
        let place = |(start, end): &(usize, usize)| {
            Cell::List(vec![Cell::integer(Some(*start)), Cell::integer(Some(*end))])
        };
        Ok(vec![
            Cell::of(&item.ids, true, integer),
            Cell::of(&self.tokenizer.tokens(item), true, |token| Cell::Text(token.clone())),
            Cell::of(&item.offsets, true, place),
            Cell::of(&item.type_ids, true, integer),
            Cell::of(&item.special_tokens_mask, true, |special| Cell::Integer(i64::from(*special))),
        ])
    }

    fn text(&self, item: &Encoding, (): &(), _color: bool) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        for (i, token) in self.tokenizer.tokens(item).iter().enumerate() {
            let (start, end) = item.offsets[i];
            let _infallible =
                writeln!(out, "{:>6}  {}  {:>4}..{:<4} {token}", item.ids[i], item.type_ids[i], start, end);
        }
        out.push('\n');
        out
    }
}
