//! Products of weights in every layout, compared with plain sums.

use super::super::{convert, tile};
use super::*;

/// Pseudorandom values between -1 and 1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// `x w + bias` in 64 bits.
fn expected(x: &[f32], w: &[f32], bias: &[f32], k: usize) -> Vec<f64> {
    let n = bias.len();
    let rows = x.chunks_exact(k);
    let cell = |row: &[f32], j: usize| -> f64 {
        row.iter().enumerate().map(|(p, x)| f64::from(*x) * f64::from(w[p * n + j])).sum()
    };
    rows.flat_map(|row| (0..n).map(move |j| (row, j)))
        .map(|(row, j)| cell(row, j) + f64::from(bias[j]))
        .collect()
}

/// The layouts of our own micro-kernels that run here, and `None` for the library.
fn forms(precision: MatmulPrecision) -> Vec<Option<OperandLayout>> {
    let floats = precision != MatmulPrecision::Int8 && OperandLayout::Floats.is_supported();
    let own = OperandLayout::for_micro_kernels(precision)
        .into_iter()
        .chain(floats.then_some(OperandLayout::Floats));
    [None].into_iter().chain(own.map(Some)).collect()
}

fn fill(weights: &PackedRhs, x: &[f32], k: usize) -> Vec<PackedLhs> {
    let packed_lhs = weights.chunks().map(|chunk| {
        let mut lhs = PackedLhs::default();
        lhs.fill(weights.layout(), [x.len() / k, chunk.len()], |i, out| {
            out.copy_from_slice(&x[i * k..][chunk.clone()]);
        });
        lhs
    });
    packed_lhs.collect()
}

/// The product of all chunks, with the groups put together.
fn product(weights: &PackedRhs, x: &[f32], bias: &[f32], k: usize) -> Vec<f32> {
    let (rows, n) = (x.len() / k, bias.len());
    let packed_lhs = fill(weights, x, k);
    let mut out = vec![f32::NAN; rows * n];
    for (group, columns) in weights.groups().enumerate() {
        let mut part = vec![f32::NAN; rows * columns.len()];
        for (chunk, lhs) in packed_lhs.iter().enumerate() {
            let bias = (chunk == 0).then_some(&bias[columns.clone()]);
            weights.product([chunk, group], lhs, bias, &mut part);
        }
        for (out, part) in out.chunks_exact_mut(n).zip(part.chunks_exact(columns.len())) {
            out[columns.clone()].copy_from_slice(part);
        }
    }
    out
}

#[test]
fn products_of_all_types_and_shapes_are_accurate() {
    let shapes =
        [[1, 1, 1], [3, 5, 7], [14, 64, 32], [15, 66, 33], [31, 130, 96], [29, 1030, 40], [9, 2500, 1100]];
    for [rows, k, n] in shapes {
        let (x, w, bias) = (noise(rows * k, 1), noise(k * n, 2), noise(n, 3));
        let expected = expected(&x, &w, &bias, k);
        // The sums grow with the square root of k.
        let size = (k as f64).sqrt();
        let all = [
            (MatmulPrecision::F32, 4e-6),
            (MatmulPrecision::Bf16x2, 2e-5),
            (MatmulPrecision::Bf16, 6e-3),
            (MatmulPrecision::Int8, 2e-2),
        ];
        for (precision, tolerance) in all {
            for (own, followed) in forms(precision).into_iter().flat_map(|own| [(own, false), (own, true)]) {
                let weights = PackedRhs::with(&w, [k, n], precision, followed, own);
                let out = product(&weights, &x, &bias, k);
                for (out, expected) in out.iter().zip(&expected) {
                    let distance = (f64::from(*out) - expected).abs();
                    assert!(
                        distance <= tolerance * size,
                        "{precision:?} {rows}x{k}x{n} in {own:?}: {out} for {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbors() {
    let (rows, k, n) = (45, 1100, 70);
    let (x, w, bias) = (noise(rows * k, 4), noise(k * n, 5), noise(n, 6));
    for precision in
        [MatmulPrecision::F32, MatmulPrecision::Bf16x2, MatmulPrecision::Bf16, MatmulPrecision::Int8]
    {
        let weights = PackedRhs::new(&w, [k, n], precision, false);
        if !weights.native() {
            continue;
        }
        let all = product(&weights, &x, &bias, k);
        for count in [1, 2, 13, 14, 15, 44] {
            let some = product(&weights, &x[..count * k], &bias, k);
            assert!(some == all[..count * n], "{precision:?}, {count} rows");
        }
        // Floats that are split once, instead of in each product.
        weights.split_for(usize::MAX);
        assert!(product(&weights, &x, &bias, k) == all, "{precision:?}, split");
        // Panel by panel, as in column-parallel inference.
        let packed_lhs = fill(&weights, &x, k);
        for panel in 0..weights.panels() {
            let mut tile = vec![f32::NAN; rows * COLUMNS];
            weights.panel(panel, &packed_lhs, &bias, &mut tile, COLUMNS);
            let first = panel * COLUMNS;
            for (tile, all) in tile.chunks_exact(COLUMNS).zip(all.chunks_exact(n)) {
                let width = COLUMNS.min(n - first);
                assert!(tile[..width] == all[first..first + width], "{precision:?}, panel {panel}");
            }
        }
    }
}

#[test]
fn weights_in_place_give_the_same_sums() {
    let cases =
        [(1, 64, 64, 1, false), (15, 2500, 1120, 1, true), (40, 70, 32, 3, false), (5, 33, 96, 2, true)];
    for (rows, k, n, count, followed) in cases {
        let (x, bias) = (noise(rows * k, 4), noise(count * n, 6));
        let matrices: Vec<Vec<f32>> = (0..count).map(|i| noise(k * n, 10 + i as u64)).collect();
        let side_by_side: Vec<f32> =
            (0..k).flat_map(|row| matrices.iter().flat_map(move |m| m[row * n..][..n].to_vec())).collect();
        let slices: Vec<&[f32]> = matrices.iter().map(Vec::as_slice).collect();
        let Some(in_place) = PackedRhs::in_place(&slices, [k, n], followed) else {
            assert!(
                OperandLayout::for_micro_kernels(MatmulPrecision::F32) != Some(OperandLayout::Floats),
                "{rows}x{k}x{n}"
            );
            return;
        };
        let copied = PackedRhs::new(&side_by_side, [k, count * n], MatmulPrecision::F32, followed);
        assert!(product(&in_place, &x, &bias, k) == product(&copied, &x, &bias, k), "{rows}x{k}x{n}");
        let packed_lhs = fill(&in_place, &x, k);
        assert_eq!(in_place.panels(), copied.panels());
        for panel in 0..in_place.panels() {
            let mut strips = [vec![f32::NAN; rows * COLUMNS], vec![f32::NAN; rows * COLUMNS]];
            in_place.panel(panel, &packed_lhs, &bias, &mut strips[0], COLUMNS);
            copied.panel(panel, &packed_lhs, &bias, &mut strips[1], COLUMNS);
            assert!(strips[0] == strips[1], "{rows}x{k}x{n}, panel {panel}");
        }
    }
    let refused = |count: usize, n: usize, followed| {
        let matrix = noise(8 * n, 1);
        PackedRhs::in_place(&vec![&matrix[..]; count], [8, n], followed).is_none()
    };
    assert!(refused(1, 33, false) && refused(2, 1120, true));
}

#[test]
fn bytes_are_exact_for_representable_values() {
    // Integers: rows from -55 to 200 and weights whose pairs sum to at most 127 need no rounding.
    let (k, n) = (40, 35);
    let mut x: Vec<f32> = (0..3 * k).map(|i| ((i * 37) % 256) as f32 - 55.0).collect();
    for row in x.chunks_exact_mut(k) {
        (row[0], row[1]) = (-55.0, 200.0);
    }
    let mut w: Vec<f32> = (0..k * n).map(|i| ((i * 53) % 127) as f32 - 63.0).collect();
    w[..n].fill(127.0);
    w[n..2 * n].fill(0.0);
    let bias = vec![0.5; n];
    for own in forms(MatmulPrecision::Int8) {
        if own.is_none() && library::LibraryRhsInt8::may_saturate() {
            continue;
        }
        let weights = PackedRhs::with(&w, [k, n], MatmulPrecision::Int8, false, own);
        for (out, expected) in product(&weights, &x, &bias, k).iter().zip(expected(&x, &w, &bias, k)) {
            assert!(
                (f64::from(*out) - expected).abs() <= 1e-6 * expected.abs().max(1000.0),
                "{own:?}: {out} {expected}"
            );
        }
    }
}

/// Compared with plain integer sums of the same bytes.
#[test]
fn bytes_are_summed_exactly_in_every_shape() {
    for [rows, k, n] in [[1, 1, 1], [5, 3, 31], [6, 66, 33], [7, 127, 64], [13, 1024, 40], [29, 999, 65]] {
        let (x, w, bias) = (noise(rows * k, 11), noise(k * n, 12), noise(n, 13));
        let columns: Vec<(Vec<i64>, f64)> = (0..n)
            .map(|j| {
                let column: Vec<f32> = (0..k).map(|p| w[p * n + j]).collect();
                let together = if tile::pairs_saturate() { 2 } else { 1 };
                let sizes = column.chunks(together).map(|pair| pair.iter().map(|x| x.abs()).sum::<f32>());
                let most = sizes.fold(0.0f32, f32::max);
                let inverse = 127.0 / most;
                let bytes = column.iter().map(|x| (x * inverse).round_ties_even() as i64).collect();
                (bytes, f64::from(most / 127.0))
            })
            .collect();
        for own in forms(MatmulPrecision::Int8).into_iter().flatten() {
            let weights = PackedRhs::with(&w, [k, n], MatmulPrecision::Int8, false, Some(own));
            let out = product(&weights, &x, &bias, k);
            for (row, out) in x.chunks_exact(k).zip(out.chunks_exact(n)) {
                let mut bytes = vec![0; k];
                let [scale, zero] = convert::bytes(row, &mut bytes).map(f64::from);
                for ((column, column_scale), (out, bias)) in columns.iter().zip(out.iter().zip(&bias)) {
                    let sum: i64 = column.iter().zip(&bytes).map(|(w, x)| w * i64::from(*x)).sum();
                    let shift = zero * column.iter().sum::<i64>() as f64;
                    let expected = f64::from(*bias) + scale * column_scale * (sum as f64 - shift);
                    let size = scale * column_scale * (sum.abs() as f64 + shift.abs());
                    let distance = (f64::from(*out) - expected).abs();
                    assert!(distance <= 3e-7 * (size + 1.0), "{own:?} {rows}x{k}x{n}: {out} for {expected}");
                }
            }
        }
    }
}

/// States and weights of maximum magnitude: sums of pairs fit 16 bits only if the weights are scaled down.
#[test]
fn no_sum_of_bytes_saturates() {
    let (rows, k, n) = (8, 1000, 33);
    let mut x = vec![1.0; rows * k];
    x.iter_mut().step_by(k).for_each(|x| *x = 0.0);
    let w: Vec<f32> = (0..k * n).map(|i| if i % n % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let bias = vec![0.0; n];
    for own in forms(MatmulPrecision::Int8) {
        let weights = PackedRhs::with(&w, [k, n], MatmulPrecision::Int8, false, own);
        for (i, out) in product(&weights, &x, &bias, k).iter().enumerate() {
            let expected = if i % n % 2 == 0 { 999.0 } else { -999.0 };
            // Half a quantization step per weight.
            assert!((out - expected).abs() < 9.0, "{own:?}: {out} for {expected}");
        }
    }
}

#[test]
fn non_finite_and_zero_rows_are_preserved() {
    let (k, n) = (70, 33);
    let mut x = noise(4 * k, 7);
    x[3] = f32::NAN;
    x[k + 5] = f32::INFINITY;
    x[2 * k..3 * k].fill(0.0);
    let (w, bias) = (noise(k * n, 8), noise(n, 9));
    for precision in
        [MatmulPrecision::F32, MatmulPrecision::Bf16x2, MatmulPrecision::Bf16, MatmulPrecision::Int8]
    {
        for own in forms(precision) {
            let weights = PackedRhs::with(&w, [k, n], precision, false, own);
            let out = product(&weights, &x, &bias, k);
            assert!(out[..2 * n].iter().all(|x| !x.is_finite()), "{precision:?} in {own:?}");
            assert!(out[2 * n..3 * n] == bias, "{precision:?} in {own:?}");
            assert!(out[3 * n..].iter().all(|x| x.is_finite()), "{precision:?} in {own:?}");
        }
    }
}
