//! Dropout with masks that are a function of seed and position: the backward pass regenerates them instead of storing
//! them.

use rten_simd::{Isa, SimdOp};

use super::simd::Run;

/// A dropout site: determines the elements of each row to zero, and the factor for the others.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops::cpu) struct Dropout {
    seed: u64,
    /// Elements are zeroed where a random 24-bit number is below this threshold.
    threshold: u32,
    factor: f32,
}

impl Dropout {
    /// The mask number `site` of `seed` with drop probability `rate`; `None` for a rate of 0.
    pub(in crate::ops::cpu) fn new(seed: u64, site: u64, rate: f32) -> Option<Self> {
        (rate > 0.0).then(|| Self {
            seed: mix(seed ^ mix(site)),
            threshold: (f64::from(rate) * f64::from(1 << 24)).round() as u32,
            factor: 1.0 / (1.0 - rate),
        })
    }

    /// Applies the mask to rows of `width` elements; the first one is row number `first` of the site. The mask is its own
    /// derivative, so the forward and backward passes both use this.
    pub(in crate::ops::cpu) fn apply(self, rows: &mut [f32], width: usize, first: usize) {
        Apply { dropout: self, rows, width, first }.run();
    }
}

struct Apply<'a> {
    dropout: Dropout,
    rows: &'a mut [f32],
    width: usize,
    first: usize,
}

impl SimdOp for Apply<'_> {
    type Output = ();

    /// Plain integer code, compiled here for the selected instruction set.
    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let Dropout { seed, threshold, factor } = self.dropout;
        for (i, row) in self.rows.chunks_exact_mut(self.width).enumerate() {
            let key = mix(seed ^ (self.first + i) as u64);
            let (low, high) = (key as u32, (key >> 32) as u32);
            for (j, x) in row.iter_mut().enumerate() {
                let random = hash((j as u32).wrapping_mul(0x9e37_79b9) ^ low).wrapping_add(high);
                let random = hash(random) >> 8;
                *x *= if random < threshold { 0.0 } else { factor };
            }
        }
    }
}

/// A permutation of 32-bit numbers (Wellons' `lowbias32`).
#[inline(always)]
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// A permutation of 64-bit numbers (the output function of SplitMix64).
#[inline(always)]
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(seed: u64, site: u64, rate: f32, rows: usize, width: usize) -> Vec<f32> {
        let mut ones = vec![1.0; rows * width];
        if let Some(dropout) = Dropout::new(seed, site, rate) {
            dropout.apply(&mut ones, width, 0);
        }
        ones
    }

    #[test]
    fn the_mean_is_kept_in_all_and_in_every_row_and_column() {
        let (rows, width) = (400, 300);
        for (seed, rate) in [(0, 0.1), (1, 0.5), (u64::MAX, 0.9)] {
            let ones = mask(seed, 3, rate, rows, width);
            let kept = 1.0 / (1.0 - rate);
            assert!(ones.iter().all(|x| *x == 0.0 || *x == kept));
            // Five standard deviations of the mean of n such values.
            let allowed = |n: usize| 5.0 * (rate * kept / n as f32).sqrt();
            let mean = |sum: f32, n: usize| (sum / n as f32 - 1.0).abs() < allowed(n);
            assert!(mean(ones.iter().sum(), rows * width), "seed {seed}");
            for row in ones.chunks(width) {
                assert!(mean(row.iter().sum(), width), "a row of seed {seed}");
            }
            for column in 0..width {
                assert!(mean(ones.iter().skip(column).step_by(width).sum(), rows), "column {column}");
            }
        }
    }

    #[test]
    fn masks_differ_by_seed_site_and_row_and_not_by_how_rows_are_split() {
        let ones = mask(7, 0, 0.5, 4, 64);
        assert_ne!(ones, mask(8, 0, 0.5, 4, 64));
        assert_ne!(ones, mask(7, 1, 0.5, 4, 64));
        assert_ne!(ones[..64], ones[64..128]);
        let mut last = vec![1.0; 64];
        Dropout::new(7, 0, 0.5).expect("a rate").apply(&mut last, 64, 3);
        assert_eq!(ones[192..], last);
    }

    #[test]
    fn a_rate_of_zero_has_no_mask() {
        assert!(Dropout::new(1, 1, 0.0).is_none());
    }
}
