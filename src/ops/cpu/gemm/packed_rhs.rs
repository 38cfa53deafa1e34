//! The right-hand side of products: weights, packed once for many products.

use std::ops::Range;

use rayon::prelude::*;

use super::in_place::InPlace;
use super::library;
use super::micro_kernel::COLUMNS;
use super::panels::{Panels, SubMatrix};
use super::{CHUNK, MatmulPrecision, OperandLayout, PackedLhs};

/// With more rows than this, f32 weights are split into parts once instead of in each product.
const SPLIT_ROWS: usize = 32;

/// A weight matrix `[k, n]`, cut into chunks of rows and groups of columns.
pub(in crate::ops::cpu) struct PackedRhs<'a> {
    k: usize,
    n: usize,
    /// The layout of both sides.
    layout: OperandLayout,
    /// Rows per chunk and columns per group; the last ones may have fewer.
    step: [usize; 2],
    /// Chunk by chunk, and group by group within a chunk.
    parts: Vec<Part<'a>>,
}

enum Part<'a> {
    Panels(Panels),
    /// For our own micro-kernels, without packing.
    InPlace(InPlace<'a>),
    /// Through `rten-gemm` in f32, rounded to the precision.
    Floats(library::LibraryRhs),
    /// Through `rten-gemm` in int8.
    Bytes(library::LibraryRhsInt8),
}

impl PackedRhs<'static> {
    /// Packs `weight` of `shape` `[k, n]`. If it is to be `followed` by a matrix with n rows, its groups of columns are
    /// as wide as the chunks of that matrix; otherwise there is one group.
    pub(in crate::ops::cpu) fn new(
        weight: &[f32],
        shape: [usize; 2],
        precision: MatmulPrecision,
        followed: bool,
    ) -> Self {
        Self::with(weight, shape, precision, followed, OperandLayout::for_micro_kernels(precision))
    }

    /// Like [`PackedRhs::new`], for the library.
    pub(in crate::ops::cpu) fn for_library(
        weight: &[f32],
        shape: [usize; 2],
        precision: MatmulPrecision,
    ) -> Self {
        Self::with(weight, shape, precision, false, None)
    }

    /// Like [`PackedRhs::new`], for our own micro-kernels with layout `own`, or for the library if it is `None`.
    fn with(
        weight: &[f32],
        [k, n]: [usize; 2],
        precision: MatmulPrecision,
        followed: bool,
        own: Option<OperandLayout>,
    ) -> Self {
        let layout = own.unwrap_or_else(|| OperandLayout::for_library(precision));
        let rounded;
        let weight = match own {
            Some(OperandLayout::Floats) if precision == MatmulPrecision::Bf16 => {
                rounded = library::rounded(weight);
                &rounded
            }
            _ => weight,
        };
        let step = steps([k, n], followed);
        let parts: Vec<_> = ranges(k, step[0])
            .flat_map(|rows| ranges(n, step[1]).map(move |columns| (rows.clone(), columns)))
            .collect();
        let parts = parts
            .into_par_iter()
            .map(|(rows, columns)| {
                let shape = [rows.len(), columns.len()];
                let part = SubMatrix { data: weight, stride: n, rows, columns };
                match own {
                    Some(layout) => Part::Panels(Panels::new(&part, layout)),
                    None if layout == OperandLayout::Bytes => {
                        Part::Bytes(library::LibraryRhsInt8::new(part.values(), shape))
                    }
                    None => Part::Floats(library::pack_rounded(part.values(), shape, precision)),
                }
            })
            .collect();
        Self { k, n, layout, step, parts }
    }
}

impl<'a> PackedRhs<'a> {
    /// Matrices `[k, n]` of the same shape side by side, without packing: `[k, count * n]`. Each has the groups of
    /// columns of [`PackedRhs::new`]. Returns `None` if our own micro-kernels do not run on 32-bit floats, if the columns
    /// do not fill panels, and for several matrices with groups of different widths.
    pub(in crate::ops::cpu) fn in_place(
        matrices: &[&'a [f32]],
        [k, n]: [usize; 2],
        followed: bool,
    ) -> Option<Self> {
        let layout = OperandLayout::for_micro_kernels(MatmulPrecision::F32)
            .filter(|layout| *layout == OperandLayout::Floats)?;
        let step = steps([k, n], followed);
        if matrices.len() > 1 && !n.is_multiple_of(step[1]) {
            return None;
        }
        let mut parts = Vec::new();
        for rows in ranges(k, step[0]) {
            for data in matrices {
                for columns in ranges(n, step[1]) {
                    let part = SubMatrix { data, stride: n, rows: rows.clone(), columns };
                    parts.push(Part::InPlace(InPlace::new(part)?));
                }
            }
        }
        Some(Self { k, n: matrices.len() * n, layout, step, parts })
    }

    /// The layout of the left-hand side.
    pub(in crate::ops::cpu) fn layout(&self) -> OperandLayout {
        self.layout
    }

    /// Makes products with `rows` rows faster where possible, at the cost of memory.
    pub(in crate::ops::cpu) fn split_for(&self, rows: usize) {
        if rows > SPLIT_ROWS {
            for part in &self.parts {
                if let Part::Panels(panels) = part {
                    panels.split();
                }
            }
        }
    }

    /// Returns true if products run in our own micro-kernels.
    pub(in crate::ops::cpu) fn native(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Panels(_) | Part::InPlace(_)))
    }

    /// The rows of each chunk.
    pub(in crate::ops::cpu) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        ranges(self.k, self.step[0])
    }

    /// The columns of each group.
    pub(in crate::ops::cpu) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        ranges(self.n, self.step[1])
    }

    /// Computes `out = lhs * (a chunk and group) + bias` with the group's part of the bias; without a bias, the product
    /// is added to `out` `[rows, columns of the group]`.
    pub(in crate::ops::cpu) fn product(
        &self,
        [chunk, group]: [usize; 2],
        lhs: &PackedLhs,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        match &self.parts[chunk * self.groups().count() + group] {
            Part::Panels(panels) => panels.product(lhs, bias, out),
            Part::InPlace(part) => part.product(lhs, bias, out),
            Part::Floats(packed) => {
                let a = library::strided(lhs.floats(), lhs.rows(), lhs.width(), lhs.stride());
                match bias {
                    Some(bias) => library::linear(out, a, packed, Some(bias)),
                    None => library::linear_add(out, a, packed),
                }
            }
            Part::Bytes(packed) => {
                let a = library::strided(lhs.bytes(), lhs.rows(), lhs.width(), 4 * lhs.stride());
                packed.product(a, lhs.scales(), bias, out);
            }
        }
    }

    /// The number of panels of all groups.
    pub(in crate::ops::cpu) fn panels(&self) -> usize {
        self.groups().map(|columns| columns.len().div_ceil(COLUMNS)).sum()
    }

    /// Computes one panel of `out = lhs * weights + bias`, `[rows, COLUMNS]` with rows `out_stride` values apart; `lhs`
    /// has one entry per chunk. Only for native weights.
    pub(in crate::ops::cpu) fn panel(
        &self,
        mut panel: usize,
        lhs: &[PackedLhs],
        bias: &[f32],
        out: &mut [f32],
        out_stride: usize,
    ) {
        let groups = self.groups().count();
        for (group, columns) in self.groups().enumerate() {
            let count = columns.len().div_ceil(COLUMNS);
            if panel >= count {
                panel -= count;
                continue;
            }
            for (chunk, lhs) in lhs.iter().enumerate() {
                let bias = (chunk == 0).then_some(&bias[columns.clone()]);
                match &self.parts[chunk * groups + group] {
                    Part::Panels(panels) => panels.panel(panel, lhs, bias, out, out_stride),
                    Part::InPlace(part) => part.panel(panel, lhs, bias, out, out_stride),
                    Part::Floats(_) | Part::Bytes(_) => {}
                }
            }
            return;
        }
    }
}

/// Rows per chunk and columns per group of a matrix `[k, n]`, which may be `followed` by a matrix with n rows.
fn steps([k, n]: [usize; 2], followed: bool) -> [usize; 2] {
    let even = |size: usize| size.div_ceil(size.div_ceil(CHUNK).max(1)).next_multiple_of(COLUMNS);
    [even(k), if followed { even(n) } else { n }].map(|step| step.max(1))
}

/// Splits `0..size` into ranges of `step`.
fn ranges(size: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..size).step_by(step).map(move |first| first..(first + step).min(size))
}

#[cfg(test)]
mod tests;
