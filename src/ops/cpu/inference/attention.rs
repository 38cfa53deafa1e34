//! Attention of one head of one sequence, without gradients.

use rten_simd::SimdOp;

use super::super::attention::{self, Keys};
use super::super::kernels::{COLUMNS, Left, ROWS, Start, Tile, apart};
use super::super::softmax::Softmax;
use super::{Numbers, Sizes};

/// Queries whose scores are held at a time.
const BLOCK_QUERIES: usize = 112;

/// One head of one sequence.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Head<'a> {
    /// Of a batch of this sequence alone.
    pub sizes: Sizes,
    /// `[length, 3 H]`.
    pub qkv: &'a [f32],
    pub keys: &'a Keys,
    pub index: usize,
    /// What the products multiply.
    pub numbers: Numbers,
}

/// What a thread works in.
#[derive(Default)]
pub(in crate::ops::cpu) struct Room {
    row: Left,
    queries: Left,
    probs: Left,
    keys: Vec<u32>,
    values: Vec<u32>,
    scores: Vec<f32>,
    out: Vec<f32>,
    portable: attention::Scratch,
}

impl<'a> Head<'a> {
    /// A row of queries (part 0), keys (1) or values (2).
    fn part(&self, part: usize, row: usize) -> &'a [f32] {
        let Sizes { hidden, .. } = self.sizes;
        let d = self.sizes.head_size();
        &self.qkv[(row * 3 + part) * hidden + self.index * d..][..d]
    }

    /// The context `[length, d]`, through `rten-gemm`.
    pub(in crate::ops::cpu) fn portable(&self, room: &mut Room, context: &mut [f32]) {
        let Self { sizes, qkv, keys, index, .. } = *self;
        attention::Head { sizes, qkv, keys, dropout: None, index }.forward(&mut room.portable, context);
    }

    /// The context `[length, d]`, in our own inner loops.
    pub(in crate::ops::cpu) fn forward(&self, room: &mut Room, context: &mut [f32]) {
        let Sizes { length, .. } = self.sizes;
        let d = self.sizes.head_size();
        let count = self.keys.count();
        let scale = 1.0 / (d as f32).sqrt();
        let key_words = self.arrange_keys(room);
        let value_words = self.arrange_values(room);
        let Room { queries, probs, keys, values, scores, out, .. } = room;
        let (stride, wide) = (apart(count.next_multiple_of(COLUMNS)), d.next_multiple_of(COLUMNS));
        for first in (0..length).step_by(BLOCK_QUERIES) {
            let rows = BLOCK_QUERIES.min(length - first);
            queries.fill(self.numbers, [rows, d], |i, out| {
                for (out, x) in out.iter_mut().zip(self.part(0, first + i)) {
                    *out = x * scale;
                }
            });
            scores.resize(rows * stride, 0.0);
            for (panel, keys) in keys.chunks_exact(key_words * COLUMNS).enumerate() {
                self.tiles(queries, keys, COLUMNS, key_words, &mut scores[panel * COLUMNS..], stride);
            }
            for row in scores.chunks_exact_mut(stride) {
                let row = &mut row[..count];
                self.keys.fill(row, f32::MIN);
                Softmax { rows: row, width: count }.dispatch();
            }
            probs.fill(self.numbers, [rows, count], |i, out| {
                out.copy_from_slice(&scores[i * stride..][..count]);
            });
            let context = &mut context[first * d..(first + rows) * d];
            if d == wide {
                for column in (0..d).step_by(COLUMNS) {
                    self.tiles(probs, &values[column..], wide, value_words, &mut context[column..], d);
                }
                continue;
            }
            out.resize(rows * wide, 0.0);
            for column in (0..wide).step_by(COLUMNS) {
                self.tiles(probs, &values[column..], wide, value_words, &mut out[column..], wide);
            }
            for (context, out) in context.chunks_exact_mut(d).zip(out.chunks_exact(wide)) {
                context.copy_from_slice(&out[..d]);
            }
        }
    }

    /// `out = left * right` for [`COLUMNS`] columns of the right side.
    fn tiles(&self, left: &Left, b: &[u32], b_stride: usize, k: usize, out: &mut [f32], out_stride: usize) {
        let rows = left.rows();
        for row in (0..rows).step_by(ROWS) {
            let a = left.words_from(row);
            let tile =
                Tile { rows: ROWS.min(rows - row), a, a_stride: left.stride(), b, b_stride, k, ahead: 0 };
            tile.floats(self.numbers, Start::Zero, &mut out[row * out_stride..], out_stride);
        }
    }

    /// Keys as the right side of the scores: panels of [`COLUMNS`] keys, `[words, COLUMNS]`.
    /// Returns the number of words.
    fn arrange_keys(&self, room: &mut Room) -> usize {
        let d = self.sizes.head_size();
        let count = self.keys.count();
        let Room { row: left, keys, .. } = room;
        left.fill(self.numbers, [count, d], |i, out| out.copy_from_slice(self.part(1, i)));
        let words = left.words();
        keys.clear();
        keys.resize(count.next_multiple_of(COLUMNS) * words, 0);
        for key in 0..count {
            let panel = &mut keys[key / COLUMNS * words * COLUMNS..];
            let places = panel[key % COLUMNS..].iter_mut().step_by(COLUMNS);
            for (place, word) in places.zip(&left.words_from(key)[..words]) {
                *place = *word;
            }
        }
        words
    }

    /// Values as the right side of the context: `[words, d]` filled up to whole panels. Returns the
    /// number of words.
    fn arrange_values(&self, room: &mut Room) -> usize {
        let d = self.sizes.head_size();
        let count = self.keys.count();
        let wide = d.next_multiple_of(COLUMNS);
        let Room { values, .. } = room;
        values.clear();
        if self.numbers == Numbers::Bf16 {
            let words = count.div_ceil(2);
            values.resize(words * wide, 0);
            for (pair, out) in values.chunks_exact_mut(wide).enumerate() {
                let low = self.part(2, 2 * pair);
                let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
                if 2 * pair + 1 < count {
                    let high = self.part(2, 2 * pair + 1);
                    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
                        *out = bits(*low) | bits(*high) << 16;
                    }
                } else {
                    out.iter_mut().zip(low).for_each(|(out, low)| *out = bits(*low));
                }
            }
            return words;
        }
        values.resize(count * wide, 0);
        for (row, out) in values.chunks_exact_mut(wide).enumerate() {
            out[..d].copy_from_slice(bytemuck::cast_slice(self.part(2, row)));
        }
        count
    }
}
