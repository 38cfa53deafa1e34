//! The individual operations, for benchmarks.

use rayon::prelude::*;

use super::attention::{Head, Keys};
use super::elementwise::Softmax;
use super::elementwise::simd::Run;
use super::elementwise::{AddNormalize, Affine};
use super::gemm::{COLUMNS, OperandLayout, PackedLhs, PackedRhs};
use super::{ActivationKind, MatmulPrecision, Sizes};

/// One operation with its operands.
pub struct Operation {
    /// The name of the operation, with its sizes.
    pub name: String,
    /// Additions and multiplications, or elements if it is not a product.
    pub operations: f64,
    /// Runs the operation once on all threads.
    pub run: Box<dyn FnMut()>,
}

/// Rows of [`peak`]: two AMX tiles, or two AVX-512 tiles of 14 rows with a small remainder.
const ROWS: usize = 32;

/// Products in `precision` with operands that stay in the L1 cache, to measure the peak performance of the processor.
/// Returns `None` where it has no instructions for them.
pub fn peak(precision: MatmulPrecision) -> Option<Operation> {
    let layout = OperandLayout::for_micro_kernels(precision)
        .filter(|layout| precision != MatmulPrecision::Bf16 || *layout == OperandLayout::Bf16Pairs)?;
    let (depth, rounds) = (128, 2000);
    let mut a = PackedLhs::default();
    a.fill(layout, [ROWS, depth], |_, out| out.fill(0.0));
    let b = PackedRhs::new(&vec![0.0; depth * COLUMNS], [depth, COLUMNS], precision, false);
    b.split_for(usize::MAX);
    let threads = rayon::current_num_threads();
    Some(Operation {
        name: format!("peak {layout:?}"),
        operations: (2 * threads * rounds * ROWS * COLUMNS * depth) as f64,
        run: Box::new(move || {
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                let mut out = [0.0; ROWS * COLUMNS];
                for _ in 0..rounds {
                    let (a, b) = (std::hint::black_box(&a), std::hint::black_box(&b));
                    b.product([0, 0], a, Some(&[0.0; COLUMNS]), &mut out);
                    std::hint::black_box(&mut out);
                }
            });
        }),
    })
}

/// `[rows, k]` times weights `[k, n]` plus bias, in blocks of rows as in the encoder.
pub fn product(precision: MatmulPrecision, rows: usize, k: usize, n: usize) -> Operation {
    let weights = PackedRhs::new(&noise(k * n), [k, n], precision, false);
    weights.split_for(rows);
    timed_product("product", weights, precision, rows, [k, n])
}

/// Like [`product`], through `rten-gemm`.
pub fn library_product(precision: MatmulPrecision, rows: usize, k: usize, n: usize) -> Operation {
    let weights = PackedRhs::for_library(&noise(k * n), [k, n], precision);
    timed_product("library", weights, precision, rows, [k, n])
}

fn timed_product(
    what: &str,
    weights: PackedRhs<'static>,
    precision: MatmulPrecision,
    rows: usize,
    [k, n]: [usize; 2],
) -> Operation {
    let (x, bias) = (noise(rows * k), noise(n));
    let mut out = vec![0.0; rows * n];
    let threads = rayon::current_num_threads();
    let block = weights.layout().rows_per_task(rows, threads);
    Operation {
        name: format!("{what} {precision:?} {rows}x{k}x{n}"),
        operations: (2 * rows * k * n) as f64,
        run: Box::new(move || {
            out.par_chunks_mut(block * n).zip(x.par_chunks(block * k)).for_each_init(
                PackedLhs::default,
                |lhs, (out, x)| {
                    for (chunk, columns) in weights.chunks().enumerate() {
                        lhs.fill(weights.layout(), [x.len() / k, columns.len()], |i, row| {
                            row.copy_from_slice(&x[i * k..][columns.clone()]);
                        });
                        weights.product([chunk, 0], lhs, (chunk == 0).then_some(&bias), out);
                    }
                },
            );
        }),
    }
}

/// Attention of `batch` sequences of `length` tokens, from given queries, keys and values.
pub fn attention(
    precision: MatmulPrecision,
    batch: usize,
    length: usize,
    hidden: usize,
    heads: usize,
) -> Operation {
    let sizes = Sizes { batch: 1, length, hidden, heads, inner: 0 };
    let qkv = noise(batch * length * 3 * hidden);
    let keys = Keys::all(length);
    let layout = OperandLayout::for_attention(precision, length);
    let mut out = vec![0.0; batch * length * hidden];
    Operation {
        name: format!("attention {precision:?} {batch}x{length}"),
        operations: (4 * batch * length * length * hidden) as f64,
        run: Box::new(move || {
            out.par_chunks_mut(length * hidden / heads).enumerate().for_each_init(
                Default::default,
                |(workspace, scores), (i, out)| {
                    let qkv = &qkv[i / heads * length * 3 * hidden..][..length * 3 * hidden];
                    let head = Head { sizes, qkv, keys: &keys, dropout: None, index: i % heads };
                    if layout.is_supported() {
                        head.in_tiles(layout).forward(workspace, out, hidden / heads);
                    } else {
                        head.forward(scores, out);
                    }
                },
            );
        }),
    }
}

/// The tanh form of GELU.
pub fn gelu(rows: usize, width: usize) -> Operation {
    let x = noise(rows * width);
    let mut out = vec![0.0; x.len()];
    Operation {
        name: format!("gelu {rows}x{width}"),
        operations: x.len() as f64,
        run: Box::new(move || {
            out.par_chunks_mut(16 * width)
                .zip(x.par_chunks(16 * width))
                .for_each(|(out, x)| ActivationKind::GeluTanh.forward(x, out));
        }),
    }
}

/// Residual connection and layer normalization.
pub fn normalization(rows: usize, width: usize) -> Operation {
    let residual = noise(rows * width);
    let (gamma, beta) = (noise(width), noise(width));
    let [mut z, mut out] = [noise(rows * width), noise(rows * width)];
    Operation {
        name: format!("add and normalize {rows}x{width}"),
        operations: residual.len() as f64,
        run: Box::new(move || {
            z.par_chunks_mut(16 * width)
                .zip(residual.par_chunks(16 * width))
                .zip(out.par_chunks_mut(16 * width))
                .for_each(|((z, residual), out)| {
                    let affine = Affine { gamma: &gamma, beta: &beta };
                    AddNormalize { z, residual, affine, epsilon: 1e-12, scales: None, out }.run();
                });
        }),
    }
}

/// Softmax of rows.
pub fn softmax(rows: usize, width: usize) -> Operation {
    let mut x = noise(rows * width);
    Operation {
        name: format!("softmax {rows}x{width}"),
        operations: x.len() as f64,
        run: Box::new(move || {
            x.par_chunks_mut(16 * width).for_each(|rows| Softmax { rows, width }.run());
        }),
    }
}

fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + 13) % 1000) as f32 / 500.0 - 1.0).collect()
}
