//! States as the right side of a product: the keys and values of attention.

use super::tile::{COLUMNS, to_bf16_pairs};
use super::{Form, Left, Numbers, Rows, Words};

/// The transpose of `count` rows: panels of [`COLUMNS`] rows, `[words, COLUMNS]` each. Returns the words of a
/// panel along k; `left` is room.
pub(in crate::ops::cpu) fn arrange_transposed(
    numbers: Numbers,
    x: Rows<'_>,
    count: usize,
    left: &mut Left,
    out: &mut Words,
) -> usize {
    left.copy(numbers, x, count);
    let words = left.words();
    out.reshape(count.next_multiple_of(COLUMNS) * words);
    out.fill(0);
    for row in 0..count {
        let panel = &mut out[row / COLUMNS * words * COLUMNS..];
        let places = panel[row % COLUMNS..].iter_mut().step_by(COLUMNS);
        for (place, word) in places.zip(&left.words_from(row)[..words]) {
            *place = *word;
        }
    }
    words
}

/// `count` rows as they are: `[words, width]` filled up to whole panels. Returns the words along k. Not for
/// [`Numbers::Int8`].
pub(in crate::ops::cpu) fn arrange(numbers: Numbers, x: Rows<'_>, count: usize, out: &mut Words) -> usize {
    let width = x.width;
    let wide = width.next_multiple_of(COLUMNS);
    let words = Form::from(numbers).words(count);
    out.reshape(words * wide);
    out.fill(0);
    if numbers == Numbers::Bf16 {
        for (row, out) in (0..count).step_by(2).zip(out.chunks_exact_mut(wide)) {
            let low = x.row(row);
            if row + 1 < count {
                to_bf16_pairs(low, x.row(row + 1), &mut out[..width]);
            } else {
                for (out, x) in out.iter_mut().zip(low) {
                    *out = half::bf16::from_f32(*x).to_bits().into();
                }
            }
        }
    } else {
        for (row, out) in out.chunks_exact_mut(wide).take(count).enumerate() {
            out[..width].copy_from_slice(bytemuck::cast_slice(x.row(row)));
        }
    }
    words
}
