//! Renders entities.

use serde_json::value::RawValue;

use super::entities::{conll, marked, visible_words};
use crate::io::{Cell, Column, ColumnType};
use crate::stream::Render;
use crate::tasks::{Aggregation, Entity, Ner, NerItem};

impl Render for Ner<'_> {
    fn text_field(&self) -> &str {
        &self.options.text_field
    }

    fn json(&self, _item: &NerItem, prediction: &Vec<Entity>) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(prediction)
    }

    /// A list of entities. Values that an entity lacks are null.
    fn columns(&self) -> Vec<Column> {
        let single = self.options.aggregation == Aggregation::None;
        let integer = |name: &str| Column::new(name, ColumnType::Integer);
        let mut parts = vec![
            Column::new(if single { "entity" } else { "entity_group" }, ColumnType::Text),
            Column::new("score", ColumnType::Float),
        ];
        parts.extend(single.then(|| integer("index")));
        parts.push(Column::new("word", ColumnType::Text));
        parts.extend(["start", "end", "start_token", "end_token"].map(integer));
        vec![Column::new("entities", ColumnType::Struct(parts).list())]
    }

    fn cells(&self, _item: &NerItem, prediction: &Vec<Entity>) -> std::result::Result<Vec<Cell>, String> {
        let single = self.options.aggregation == Aggregation::None;
        let entity = |entity: &Entity| {
            let label = entity.entity.as_deref().or(entity.entity_group.as_deref());
            let mut parts = vec![Cell::text(label), Cell::Float(entity.score)];
            parts.extend(single.then(|| Cell::integer(entity.index)));
            parts.push(Cell::Text(entity.word.clone()));
            let places = [Some(entity.start), Some(entity.end), entity.start_token, entity.end_token];
            parts.extend(places.map(Cell::integer));
            Cell::Struct(parts)
        };
        Ok(vec![Cell::of(prediction, true, entity)])
    }

    fn text(&self, item: &NerItem, prediction: &Vec<Entity>, color: bool) -> String {
        marked(&item.text, prediction, color)
    }

    /// CoNLL: one word and its tag per line, followed by a blank line.
    fn native(&self, item: &NerItem, prediction: &Vec<Entity>) -> Vec<u8> {
        let words = item.given.clone().unwrap_or_else(|| visible_words(&item.text));
        conll(&item.text, &words, prediction, self.has_prefixes()).into_bytes()
    }

    fn native_failure(&self) -> Vec<u8> {
        b"\n".to_vec()
    }
}
