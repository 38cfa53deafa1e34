//! Quantization of rows of floats to bytes with AVX2: the code of [`convert`], compiled for AVX2.
#![allow(unsafe_code, reason = "functions for instructions that the processor was asked for")]

use super::{convert, tile_avx2};

/// See [`convert::bytes`].
pub(super) fn quantize(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    #[target_feature(enable = "avx2,fma")]
    fn vectors(row: &[f32], out: &mut [u8]) -> [f32; 2] {
        convert::bytes(row, out)
    }
    assert!(tile_avx2::is_supported());
    // SAFETY: the processor has the instructions.
    unsafe { vectors(row, out) }
}
