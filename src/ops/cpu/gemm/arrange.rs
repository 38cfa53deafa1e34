//! Packs states as the right-hand side of a product: the keys and values of attention.

use super::micro_kernel::COLUMNS;
use super::operand_layout::{OperandLayout, STEP};
use super::tile::to_pairs;
use super::transpose::transpose;
use super::{PackedLhs, Rows, Words};

/// Packs the transpose of `count` rows into panels of [`COLUMNS`] rows, `[words, COLUMNS]` each. Returns the number of
/// words of a panel along k; `lhs` is workspace.
pub(in crate::ops::cpu) fn arrange_transposed(
    layout: OperandLayout,
    x: Rows<'_>,
    count: usize,
    lhs: &mut PackedLhs,
    out: &mut Words,
) -> usize {
    lhs.copy(layout, x, count);
    let words = lhs.words();
    out.reshape(count.next_multiple_of(COLUMNS) * words);
    for (panel, out) in out.chunks_exact_mut((words * COLUMNS).max(1)).enumerate() {
        let first = panel * COLUMNS;
        transpose(COLUMNS.min(count - first), words, lhs.words_from(first), lhs.stride(), out);
    }
    words
}

/// Packs `count` rows without transposition: `[words, width]`, padded to full panels. Returns the number of words along
/// k. Does not support [`OperandLayout::Bytes`].
pub(in crate::ops::cpu) fn arrange(
    layout: OperandLayout,
    x: Rows<'_>,
    count: usize,
    out: &mut Words,
) -> usize {
    let width = x.width;
    let wide = width.next_multiple_of(COLUMNS);
    let words = layout.words(count);
    out.reshape(words * wide);
    out.fill(0);
    if layout == OperandLayout::Floats {
        for (row, out) in out.chunks_exact_mut(wide).take(count).enumerate() {
            out[..width].copy_from_slice(bytemuck::cast_slice(x.row(row)));
        }
        return words;
    }
    let mut zeros = Vec::new();
    for row in (0..count).step_by(2) {
        let high = if row + 1 < count {
            x.row(row + 1)
        } else {
            zeros.resize(width, 0.0);
            &zeros
        };
        to_pairs(layout, x.row(row), high, &mut out[layout.pair(row / 2) * wide..], STEP * wide);
    }
    words
}
