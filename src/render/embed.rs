//! Renders embeddings.

use serde_json::value::RawValue;

use super::heading;
use crate::io::{Cell, Column, ColumnType};
use crate::stream::{ExtraFields, Render};
use crate::tasks::{Embed, EmbedItem, Embedding, Vectors};

impl Render for Embed<'_> {
    fn text_field(&self) -> &str {
        &self.options.fields.text
    }

    fn json(&self, _item: &EmbedItem, prediction: &Embedding) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&[prediction])
    }

    fn extra_fields(&self, item: &EmbedItem, prediction: &Embedding) -> serde_json::Result<ExtraFields> {
        if !self.options.attentions {
            return Ok(ExtraFields::new());
        }
        let tokens: Vec<String> =
            item.rows.iter().flat_map(|row| self.pipeline.tokenizer.tokens(row)).collect();
        Ok(vec![
            ("tokens", serde_json::value::to_raw_value(&tokens)?),
            ("attentions", serde_json::value::to_raw_value(&prediction.attentions)?),
        ])
    }

    fn columns(&self) -> Vec<Column> {
        let vector = if self.options.half {
            ColumnType::HalfVector(self.width)
        } else {
            ColumnType::Vector(self.width)
        };
        if self.options.is_per_token() {
            vec![Column::new("tokens", ColumnType::Text.list()), Column::new("embedding", vector.list())]
        } else {
            vec![Column::new("embedding", vector)]
        }
    }

    fn cells(&self, _item: &EmbedItem, prediction: &Embedding) -> std::result::Result<Vec<Cell>, String> {
        let tokens = prediction.tokens.as_ref();
        let mut cells: Vec<Cell> = tokens
            .map(|tokens| Cell::of(tokens, true, |token| Cell::Text(token.clone())))
            .into_iter()
            .collect();
        cells.push(match &prediction.embedding {
            Vectors::One(vector) => Cell::Vector(vector.clone()),
            Vectors::Many(vectors) => Cell::of(vectors, true, |vector| Cell::Vector(vector.clone())),
        });
        Ok(cells)
    }

    fn text(&self, item: &EmbedItem, prediction: &Embedding, _color: bool) -> String {
        use std::fmt::Write;
        let mut out = heading(&item.text.text, item.text.text_pair.as_deref());
        let mut line = |name: &str, vector: &[f32]| {
            let first: Vec<String> = vector.iter().take(6).map(|v| format!("{v:>8.4}")).collect();
            let dots = if vector.len() > 6 { " ..." } else { "" };
            let _infallible = writeln!(out, "  {name}{}{dots}  ({} values)", first.join(" "), vector.len());
        };
        match &prediction.embedding {
            Vectors::One(vector) => line("", vector),
            Vectors::Many(vectors) => {
                for (token, vector) in prediction.tokens.iter().flatten().zip(vectors) {
                    line(&format!("{token:<14}"), vector);
                }
            }
        }
        out
    }

    /// Returns the rows of an array file.
    fn native(&self, _item: &EmbedItem, prediction: &Embedding) -> Vec<u8> {
        prediction.values().flat_map(f32::to_le_bytes).collect()
    }

    /// Returns a row of NaN, so that the rows of an array match the records.
    fn native_failure(&self) -> Vec<u8> {
        if self.options.is_per_token() {
            return Vec::new();
        }
        std::iter::repeat_n(f32::NAN.to_le_bytes(), self.width).flatten().collect()
    }
}
