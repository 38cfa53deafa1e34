//! Human-readable instances.

use std::fmt::Write;

use super::{Instance, SpecialIds};

/// Formats an instance as text: its label, one line per segment with masked positions in brackets, and the original
/// tokens.
///
/// `piece` returns the text of an id, or `None` for ids beyond the vocabulary.
pub fn show_instance(
    instance: &Instance,
    special: &SpecialIds,
    piece: &dyn Fn(u32) -> Option<String>,
) -> String {
    let name = |id: u32| piece(id).unwrap_or_else(|| format!("<id {id}>"));
    let label = match instance.order_label {
        Some(label) => label.to_string(),
        None => "none".to_owned(),
    };
    let (length, masked) = (instance.ids.len(), instance.masked_positions.len());
    let mut out = format!("label {label}, {length} tokens, {masked} to predict\n");

    let mut positions = instance.masked_positions.iter().peekable();
    for (segment, range) in [("A", 0..instance.segment_b), ("B", instance.segment_b..length)] {
        if range.is_empty() {
            continue;
        }
        let _ = write!(out, "  {segment}:");
        for (at, &id) in range.clone().zip(&instance.ids[range]) {
            let is_masked = positions.next_if(|&&position| position as usize == at).is_some();
            let _ = if is_masked { write!(out, " ({})", name(id)) } else { write!(out, " {}", name(id)) };
        }
        out.push('\n');
    }
    for (&at, &label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
        let Some(&now) = instance.ids.get(at as usize) else { continue };
        let what = match now {
            _ if now == special.mask => "masked".to_owned(),
            _ if now == label => "kept".to_owned(),
            _ => format!("replaced by {}", name(now)),
        };
        let _ = writeln!(out, "  {at:>5}: {} {what}", name(label));
    }
    out
}
