//! The gradients of a layer's weight matrices, accumulated over applications and tokens.

use crate::ops::cpu::gemm::Gradients;
use crate::ops::cpu::{MatmulPrecision, Sizes};

/// Gradients of the weight matrices. The gradient of `ffn_output` is transposed, `[H, F]`: the narrow side of a product
/// is the cheaper one to rearrange.
#[derive(Default)]
pub(in crate::ops::cpu) struct Matrices {
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    pub value: Vec<f32>,
    pub dense: Vec<f32>,
    pub ffn: Vec<f32>,
    pub ffn_output: Vec<f32>,
}

/// Accumulators of [`Matrices`].
pub(in crate::ops::cpu) enum MatrixSums {
    Floats(Matrices),
    /// The gradients of `ffn_output`, `ffn` and `dense`, and those of queries, keys and values side by side.
    Tiles([Gradients; 2]),
}

impl Matrices {
    fn new(sizes: Sizes) -> Self {
        let zeros = |rows: usize, columns: usize| vec![0.0; rows * columns];
        let Sizes { hidden, inner, .. } = sizes;
        Self {
            query: zeros(hidden, hidden),
            key: zeros(hidden, hidden),
            value: zeros(hidden, hidden),
            dense: zeros(hidden, hidden),
            ffn: zeros(hidden, inner),
            ffn_output: zeros(hidden, inner),
        }
    }
}

impl MatrixSums {
    pub(in crate::ops::cpu) fn new(sizes: Sizes, precision: MatmulPrecision) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let after = Gradients::new(precision, hidden, &[inner, inner, hidden]);
        let before = Gradients::new(precision, hidden, &[3 * hidden]);
        match (after, before) {
            (Some(after), Some(before)) => Self::Tiles([after, before]),
            _ => Self::Floats(Matrices::new(sizes)),
        }
    }

    pub(in crate::ops::cpu) fn finish(self, hidden: usize) -> Matrices {
        let [after, before] = match self {
            Self::Floats(matrices) => return matrices,
            Self::Tiles(sums) => sums,
        };
        let mut out = Matrices::default();
        let after =
            [&mut out.ffn_output, &mut out.ffn, &mut out.dense].into_iter().zip(after.into_matrices());
        after.for_each(|(out, matrix)| *out = matrix);
        let qkv = before.into_matrices().concat();
        for (part, out) in [&mut out.query, &mut out.key, &mut out.value].into_iter().enumerate() {
            let rows = qkv.chunks_exact(3 * hidden);
            *out = rows.flat_map(|row| &row[part * hidden..(part + 1) * hidden]).copied().collect();
        }
        out
    }
}
