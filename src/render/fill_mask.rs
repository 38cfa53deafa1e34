//! Renders predictions for masks.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;

use super::heading;
use crate::io::{Cell, Column, ColumnType};
use crate::padding::{padded, widest};
use crate::stream::Render;
use crate::tasks::{FillMask, FillMaskItem, MaskPredictions, Prediction, Token};

impl Render for FillMask<'_> {
    fn text_field(&self) -> &str {
        &self.options.fields.text
    }

    fn json(&self, _item: &FillMaskItem, prediction: &MaskPredictions) -> serde_json::Result<Box<RawValue>> {
        match prediction.as_slice() {
            [one] => serde_json::value::to_raw_value(one),
            several => serde_json::value::to_raw_value(several),
        }
    }

    /// One prediction, or a list of all predictions, each with the number of its mask.
    fn columns(&self) -> Vec<Column> {
        let lists = self.options.top_k > 1;
        let of = |name: &str, kind: ColumnType| Column::new(name, if lists { kind.list() } else { kind });
        let words = self.options.targets.iter().any(|target| target.pieces.len() > 1);
        let token = if words { ColumnType::Integer.list() } else { ColumnType::Integer };
        let mask = lists.then(|| of("mask", ColumnType::Integer));
        mask.into_iter()
            .chain([
                of("score", ColumnType::Float),
                of("token", token),
                of("token_str", ColumnType::Text),
                of("sequence", ColumnType::Text),
            ])
            .collect()
    }

    fn cells(
        &self,
        item: &FillMaskItem,
        prediction: &MaskPredictions,
    ) -> std::result::Result<Vec<Cell>, String> {
        let lists = self.options.top_k > 1;
        if !lists && item.masks.len() > 1 {
            return Err(format!(
                "{} masks in the text, and option top_k=1 gives a table one prediction per text; option top_k=2 or more gives \
                 lists",
                item.masks.len()
            ));
        }
        let words = self.options.targets.iter().any(|target| target.pieces.len() > 1);
        let all: Vec<(usize, &Prediction)> =
            prediction.iter().enumerate().flat_map(|(i, mask)| mask.iter().map(move |p| (i, p))).collect();
        let token = |(_, p): &(usize, &Prediction)| {
            let ids = match &p.token {
                Token::One(id) if !words => return Cell::Integer(i64::from(*id)),
                Token::One(id) => std::slice::from_ref(id),
                Token::Many(ids) => ids,
            };
            Cell::of(ids, true, |id| Cell::Integer(i64::from(*id)))
        };
        let mask = lists.then(|| Cell::of(&all, true, |(mask, _)| Cell::integer(Some(*mask))));
        Ok(mask
            .into_iter()
            .chain([
                Cell::of(&all, lists, |(_, p)| Cell::Float(p.score)),
                Cell::of(&all, lists, token),
                Cell::of(&all, lists, |(_, p)| Cell::Text(p.token_str.clone())),
                Cell::of(&all, lists, |(_, p)| Cell::Text(p.sequence.clone())),
            ])
            .collect())
    }

    fn text(&self, item: &FillMaskItem, prediction: &MaskPredictions, color: bool) -> String {
        use std::fmt::Write;
        let word = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
        let mut out = heading(&item.text.text, item.text.text_pair.as_deref());
        let width = widest(prediction.iter().flatten().map(|p| &p.token_str));
        for (i, mask) in prediction.iter().enumerate() {
            if prediction.len() > 1 {
                let _infallible = writeln!(out, "  {} {}:", self.mask_token, i + 1);
            }
            for p in mask {
                let _infallible = writeln!(
                    out,
                    "  {:>6.2} %  {word}{}{word:#}  {}",
                    p.score * 100.0,
                    padded(&p.token_str, width),
                    p.sequence
                );
            }
        }
        out
    }
}
