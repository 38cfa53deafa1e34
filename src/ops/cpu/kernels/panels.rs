//! Weights arranged for products, once for many.

use std::ops::Range;

use rayon::prelude::*;
use rten_tensor::{Layout, Matrix};

use super::tile::{COLUMNS, Dequantize, ROWS, Start, Tile};
use super::{CHUNK, Left, Numbers};
use crate::ops::cpu::products;

/// A weight matrix `[k, n]`, cut into chunks of rows and groups of columns.
pub(in crate::ops::cpu) struct Weights {
    k: usize,
    n: usize,
    numbers: Numbers,
    /// Rows of a chunk and columns of a group; the last may have fewer.
    step: [usize; 2],
    /// Chunk by chunk, in each group by group.
    parts: Vec<Part>,
}

enum Part {
    Panels(Panels),
    /// Through `rten-gemm`, in 32-bit floats of the values that the numbers can hold.
    Floats(products::Packed),
}

impl Weights {
    /// Copies `weight` `[k, n]`. Its groups of columns are as wide as the chunks of a matrix with n
    /// rows, if it is to be `followed` by one, or else there is one group.
    pub(in crate::ops::cpu) fn new(weight: Matrix<'_, f32>, numbers: Numbers, followed: bool) -> Self {
        Self::with(weight, numbers, followed, numbers.native())
    }

    /// As [`Weights::new`], with our own inner loops or without.
    fn with(weight: Matrix<'_, f32>, numbers: Numbers, followed: bool, native: bool) -> Self {
        let [k, n] = weight.shape();
        let even = |size: usize| size.div_ceil(size.div_ceil(CHUNK).max(1)).next_multiple_of(COLUMNS);
        let step = [even(k), if followed { even(n) } else { n }].map(|step| step.max(1));
        let parts: Vec<_> = ranges(k, step[0])
            .flat_map(|rows| ranges(n, step[1]).map(move |columns| (rows.clone(), columns)))
            .collect();
        let parts = parts
            .into_par_iter()
            .map(|(rows, columns)| {
                let part = weight.slice((rows, columns));
                match native {
                    true => Part::Panels(Panels::new(part, numbers)),
                    false => Part::Floats(products::pack_rounded(part, numbers)),
                }
            })
            .collect();
        Self { k, n, numbers, step, parts }
    }

    /// What the left side has to be filled with.
    pub(in crate::ops::cpu) fn numbers(&self) -> Numbers {
        if self.native() { self.numbers } else { Numbers::F32 }
    }

    /// True if the products run in our own inner loops.
    pub(in crate::ops::cpu) fn native(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Panels(_)))
    }


    /// The rows of each chunk.
    pub(in crate::ops::cpu) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        ranges(self.k, self.step[0])
    }

    /// The columns of each group.
    pub(in crate::ops::cpu) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        ranges(self.n, self.step[1])
    }

    /// `out = left * (a chunk and group) + bias` for the group's part of a bias; without one the
    /// product is added to `out` `[rows, columns of the group]`.
    pub(in crate::ops::cpu) fn product(
        &self,
        [chunk, group]: [usize; 2],
        left: &Left,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        match &self.parts[chunk * self.groups().count() + group] {
            Part::Panels(panels) => panels.product(self.numbers, left, bias, out),
            Part::Floats(packed) => {
                let a = products::strided(left.floats(), left.rows(), left.width(), left.stride());
                match bias {
                    Some(bias) => products::linear(out, a, packed, Some(bias)),
                    None => products::linear_add(out, a, packed),
                }
            }
        }
    }

    /// Panels of all groups.
    pub(in crate::ops::cpu) fn panels(&self) -> usize {
        self.groups().map(|columns| columns.len().div_ceil(COLUMNS)).sum()
    }

    /// `out = left * (a panel of all) + bias`, `[rows, COLUMNS]`; `left` has the rows' part for each
    /// chunk. Only for native weights.
    pub(in crate::ops::cpu) fn panel(&self, mut panel: usize, left: &[Left], bias: &[f32], out: &mut [f32]) {
        let groups = self.groups().count();
        for (group, columns) in self.groups().enumerate() {
            let count = columns.len().div_ceil(COLUMNS);
            if panel >= count {
                panel -= count;
                continue;
            }
            for (chunk, left) in left.iter().enumerate() {
                let Part::Panels(panels) = &self.parts[chunk * groups + group] else { continue };
                let bias = &bias[columns.clone()];
                panels.panel(self.numbers, panel, left, (chunk == 0).then_some(bias), out, COLUMNS);
            }
            return;
        }
    }
}

/// `0..size` in steps.
fn ranges(size: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..size).step_by(step).map(move |first| first..(first + step).min(size))
}

/// A part of a weight matrix as panels of [`COLUMNS`] columns, one after another.
struct Panels {
    /// Words along k.
    k: usize,
    n: usize,
    /// `[panels, k, COLUMNS]`, zeros beyond n.
    words: Vec<u32>,
    /// For [`Numbers::Int8`]: scale, and scaled sum, of each column; zeros beyond n.
    scales: Vec<f32>,
    sums: Vec<f32>,
}

impl Panels {
    fn new(weight: Matrix<'_, f32>, numbers: Numbers) -> Self {
        let [rows, n] = weight.shape();
        let per_word = numbers.per_word();
        let k = rows.div_ceil(per_word);
        let padded = n.next_multiple_of(COLUMNS);
        let mut words = vec![0u32; k * padded];
        let (mut scales, mut sums) = (Vec::new(), Vec::new());
        if numbers == Numbers::Int8 {
            scales = vec![0.0; padded];
            sums = vec![0.0; padded];
        }
        let mut column = vec![0.0f32; k * per_word];
        for j in 0..n {
            for (to, &from) in column.iter_mut().zip(weight.slice((.., j)).iter()) {
                *to = from;
            }
            let start = j / COLUMNS * k * COLUMNS + j % COLUMNS;
            let places = words[start..].iter_mut().step_by(COLUMNS);
            match numbers {
                Numbers::F32 => places.zip(&column).for_each(|(word, x)| *word = x.to_bits()),
                Numbers::Bf16 => {
                    for (word, pair) in places.zip(column.as_chunks::<2>().0) {
                        let [low, high] = pair.map(|x| u32::from(half::bf16::from_f32(x).to_bits()));
                        *word = low | high << 16;
                    }
                }
                Numbers::Int8 => {
                    let most = column.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                    let scale = most / 127.0;
                    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                    let mut sum = 0i32;
                    for (word, four) in places.zip(column.as_chunks::<4>().0) {
                        let bytes = four.map(|x| (x * inverse).round_ties_even() as i8);
                        sum += bytes.iter().map(|&byte| i32::from(byte)).sum::<i32>();
                        *word = u32::from_le_bytes(bytes.map(|byte| byte as u8));
                    }
                    scales[j] = scale;
                    sums[j] = scale * sum as f32;
                }
            }
        }
        Self { k, n, words, scales, sums }
    }

    /// All panels, into rows of n numbers.
    fn product(&self, numbers: Numbers, left: &Left, bias: Option<&[f32]>, out: &mut [f32]) {
        for panel in 0..self.n.div_ceil(COLUMNS) {
            let first = panel * COLUMNS;
            if first + COLUMNS <= self.n {
                self.panel(numbers, panel, left, bias, &mut out[first..], self.n);
            } else {
                self.last_panel(numbers, panel, left, bias, out);
            }
        }
    }

    /// A panel of fewer columns, by way of a full one.
    fn last_panel(
        &self,
        numbers: Numbers,
        panel: usize,
        left: &Left,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let first = panel * COLUMNS;
        let mut strip = vec![0.0; left.rows() * COLUMNS];
        self.panel(numbers, panel, left, bias, &mut strip, COLUMNS);
        let columns = self.n - first;
        for (out, strip) in out.chunks_exact_mut(self.n).zip(strip.chunks_exact(COLUMNS)) {
            for (out, x) in out[first..].iter_mut().zip(&strip[..columns]) {
                *out = if bias.is_some() { *x } else { *out + x };
            }
        }
    }

    /// One panel, into rows that are `out_stride` apart.
    fn panel(
        &self,
        numbers: Numbers,
        panel: usize,
        left: &Left,
        bias: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let first = panel * COLUMNS;
        // A bias that ends inside the panel is filled up.
        let mut full = [0.0; COLUMNS];
        let bias = bias.map(|bias| {
            let bias = &bias[first..self.n.min(first + COLUMNS)];
            full[..bias.len()].copy_from_slice(bias);
            &full
        });
        let start = bias.map_or(Start::Out, Start::Row);
        let words = &self.words[first * self.k..(first + COLUMNS) * self.k];
        let rows = left.rows();
        let count = rows.div_ceil(ROWS).max(1);
        let mut row = 0;
        for i in 0..count {
            // Tiles of like heights.
            let height = rows / count + usize::from(i < rows % count);
            if height == 0 {
                continue;
            }
            let tile = Tile {
                rows: height,
                a: left.words_from(row),
                a_stride: left.stride(),
                b: words,
                b_stride: COLUMNS,
                k: self.k,
                ahead: if i + 1 == count { COLUMNS * self.k } else { 0 },
            };
            let out = &mut out[row * out_stride..];
            if numbers == Numbers::Int8 {
                let dequantize = Dequantize {
                    rows: &left.scales()[row..row + height],
                    scales: &self.scales[first..first + COLUMNS],
                    sums: &self.sums[first..first + COLUMNS],
                };
                tile.bytes(dequantize, start, out, out_stride);
            } else {
                tile.floats(numbers, start, out, out_stride);
            }
            row += height;
        }
    }
}
