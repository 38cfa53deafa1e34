//! The left side of a product: some rows of states in the product's numbers.

use super::{Numbers, Rows, tile};

/// Rows in the numbers of a product, and room for them.
#[derive(Debug, Default)]
pub(in crate::ops::cpu) struct Left {
    words: Vec<u32>,
    stride: usize,
    rows: usize,
    width: usize,
    words_in_row: usize,
    scales: Vec<[f32; 2]>,
    row: Vec<f32>,
}

impl Left {
    /// Takes `rows` rows of `width` numbers; `row(i, out)` writes row i.
    pub(in crate::ops::cpu) fn fill(
        &mut self,
        numbers: Numbers,
        [rows, width]: [usize; 2],
        mut row: impl FnMut(usize, &mut [f32]),
    ) {
        let words = self.shape(numbers, [rows, width]);
        // A whole number of words; what is beyond the width stays zero.
        self.row.clear();
        self.row.resize(words * numbers.per_word(), 0.0);
        for (i, out) in self.words.chunks_exact_mut(self.stride).enumerate() {
            let out = &mut out[..words];
            if numbers == Numbers::F32 {
                row(i, bytemuck::cast_slice_mut(out));
                continue;
            }
            row(i, &mut self.row[..width]);
            if numbers == Numbers::Int8 {
                self.scales.push(tile::quantize(&self.row, bytemuck::cast_slice_mut(out)));
            } else {
                tile::to_bf16(&self.row, bytemuck::cast_slice_mut(out));
            }
        }
    }

    /// Takes rows that lie in memory.
    pub(in crate::ops::cpu) fn copy(&mut self, numbers: Numbers, x: Rows<'_>, rows: usize) {
        if numbers == Numbers::F32 || !x.width.is_multiple_of(numbers.per_word()) {
            return self.fill(numbers, [rows, x.width], |i, out| out.copy_from_slice(x.row(i)));
        }
        let words = self.shape(numbers, [rows, x.width]);
        for (i, out) in self.words.chunks_exact_mut(self.stride).enumerate() {
            let (out, rest) = out[..words].split_at_mut(x.width / numbers.per_word());
            rest.fill(0);
            if numbers == Numbers::Int8 {
                self.scales.push(tile::quantize(x.row(i), bytemuck::cast_slice_mut(out)));
            } else {
                tile::to_bf16(x.row(i), bytemuck::cast_slice_mut(out));
            }
        }
    }

    /// Makes room; returns the words of a row.
    fn shape(&mut self, numbers: Numbers, [rows, width]: [usize; 2]) -> usize {
        let words = numbers.words(width);
        (self.rows, self.width, self.stride) = (rows, width, apart(words));
        self.words_in_row = words;
        self.words.resize(rows * self.stride, 0);
        self.scales.clear();
        words
    }

    pub(in crate::ops::cpu) fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Words in a row, filled up with zeros.
    pub(in crate::ops::cpu) fn words(&self) -> usize {
        self.words_in_row
    }

    /// Words from row to row.
    pub(in crate::ops::cpu) fn stride(&self) -> usize {
        self.stride
    }

    /// The words from row `row` on.
    pub(in crate::ops::cpu) fn words_from(&self, row: usize) -> &[u32] {
        &self.words[row * self.stride..]
    }

    /// Scale and zero of each row, for [`Numbers::Int8`].
    pub(super) fn scales(&self) -> &[[f32; 2]] {
        &self.scales
    }

    /// All rows as floats, a stride apart, if they were filled with [`Numbers::F32`].
    pub(super) fn floats(&self) -> &[f32] {
        bytemuck::cast_slice(&self.words)
    }
}

/// A distance between rows of so many words that does not put many rows on the same places of a
/// cache: those repeat every 4096 bytes.
pub(in crate::ops::cpu) fn apart(words: usize) -> usize {
    let words = words.next_multiple_of(16);
    if words.is_multiple_of(128) { words + 16 } else { words }
}
