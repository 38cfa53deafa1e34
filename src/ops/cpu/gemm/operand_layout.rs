//! Layout of operands in 32-bit words.

use super::MatmulPrecision;
use super::micro_kernel::COLUMNS;
use super::tile;

/// How values are packed into the 32-bit words of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops::cpu) enum OperandLayout {
    /// One f32 per word.
    Floats,
    /// f32 as a sum of bf16 parts, for AMX, which has no wider floating-point type. For each step of [`STEP`] words along
    /// k: the first parts, two per word, then the second parts, then the third.
    SplitBf16(SplitBf16),
    /// Two bf16 per word.
    Bf16Pairs,
    /// Four bytes per word.
    Bytes,
}

/// The number of bf16 parts of an f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops::cpu) enum SplitBf16 {
    /// The nearest sum of two parts: at least 16 of the 24 significant bits.
    Two = 2,
    /// Exact.
    Three = 3,
}

/// Words in a row of an AMX tile: operands for AMX have a multiple of this number of words along k.
pub(super) const STEP: usize = 16;

/// A step along k of a panel in [`OperandLayout::SplitBf16`]: floats `[2 STEP, COLUMNS]`, or words `[STEP, COLUMNS]` per
/// part.
pub(super) const STEP_FLOATS: usize = 2 * STEP * COLUMNS;
pub(super) const STEP_WORDS: usize = STEP * COLUMNS;

impl OperandLayout {
    /// The fastest layout for weights: that of our own micro-kernels if they run here, otherwise that of the library.
    pub(in crate::ops::cpu) fn for_weights(precision: MatmulPrecision) -> Self {
        Self::for_micro_kernels(precision).unwrap_or_else(|| Self::for_library(precision))
    }

    /// The fastest layout for weights that our own micro-kernels support on this processor.
    pub(in crate::ops::cpu) fn for_micro_kernels(precision: MatmulPrecision) -> Option<Self> {
        let forms: &[Self] = match precision {
            MatmulPrecision::F32 => &[Self::SplitBf16(SplitBf16::Three), Self::Floats],
            MatmulPrecision::Bf16x2 => &[Self::SplitBf16(SplitBf16::Two), Self::Floats],
            MatmulPrecision::Bf16 => &[Self::Bf16Pairs, Self::Floats],
            MatmulPrecision::Int8 => &[Self::Bytes],
        };
        forms.iter().copied().find(|layout| layout.is_supported())
    }

    /// The layout that `rten-gemm` multiplies.
    pub(super) fn for_library(precision: MatmulPrecision) -> Self {
        if precision == MatmulPrecision::Int8 { Self::Bytes } else { Self::Floats }
    }

    /// The fastest layout for attention over `length` tokens if weights have `precision`. Below a threshold, splitting
    /// into two bf16 parts costs more than AMX saves; three parts never pay off. int8 is too coarse for softmax.
    pub(in crate::ops::cpu) fn for_attention(precision: MatmulPrecision, length: usize) -> Self {
        const MOST_IN_FLOATS: usize = 64;
        match precision {
            MatmulPrecision::Bf16x2 if length > MOST_IN_FLOATS => Self::for_weights(precision),
            MatmulPrecision::Bf16 | MatmulPrecision::Int8 if Self::Bf16Pairs.is_supported() => {
                Self::Bf16Pairs
            }
            _ => Self::Floats,
        }
    }

    /// Like [`OperandLayout::for_micro_kernels`], but only where our own micro-kernels are faster than the library for products over
    /// tokens.
    pub(super) fn in_tiles(precision: MatmulPrecision) -> Option<Self> {
        Self::for_micro_kernels(precision)
            .filter(|layout| matches!(layout, Self::Bf16Pairs | Self::SplitBf16(_)))
    }

    /// Returns true if our own micro-kernels support this layout on this processor.
    pub(in crate::ops::cpu) fn is_supported(self) -> bool {
        tile::is_supported(self)
    }

    /// Values per word.
    pub(super) fn per_word(self) -> usize {
        match self {
            Self::Floats => 1,
            Self::SplitBf16(_) | Self::Bf16Pairs => 2,
            Self::Bytes => 4,
        }
    }

    /// The number of words along k is a multiple of this; padding is zero.
    pub(super) fn step(self) -> usize {
        let tiles = match self {
            Self::Floats => false,
            Self::SplitBf16(_) => true,
            Self::Bf16Pairs => tile::in_tiles(MatmulPrecision::Bf16),
            Self::Bytes => tile::in_tiles(MatmulPrecision::Int8),
        };
        if tiles { STEP } else { 1 }
    }

    /// The number of words that hold all parts of a value.
    pub(super) fn parts(self) -> usize {
        if let Self::SplitBf16(parts) = self { parts as usize } else { 1 }
    }

    /// The number of words for `count` values along k.
    pub(in crate::ops::cpu) fn words(self, count: usize) -> usize {
        self.parts() * count.div_ceil(self.per_word()).next_multiple_of(self.step())
    }

    /// The index of the word with values 2 p and 2 p + 1, or with their first parts. The other parts follow at distances of
    /// [`STEP`] words.
    pub(super) fn pair(self, p: usize) -> usize {
        p / STEP * STEP * self.parts() + p % STEP
    }

    /// Rounds `count` values up to full words.
    pub(in crate::ops::cpu) fn padded(self, count: usize) -> usize {
        self.words(count) / self.parts() * self.per_word()
    }

    /// The number of words of weights before they are split into parts: three parts would take more memory than f32.
    pub(super) fn words_before_splitting(self, count: usize) -> usize {
        if self == Self::SplitBf16(SplitBf16::Three) { self.padded(count) } else { self.words(count) }
    }

    /// Maximum number of rows per task. With fewer rows, AMX is limited by the bandwidth of the weights.
    pub(in crate::ops::cpu) fn rows_together(self) -> usize {
        if self.step() > 1 { 224 } else { 112 }
    }

    /// The number of rows per task, at least 1 and at most [`Self::rows_together`], so that each of `threads` threads
    /// gets about the same number of tasks.
    pub(in crate::ops::cpu) fn rows_per_task(self, rows: usize, threads: usize) -> usize {
        let turns = rows.div_ceil(threads * self.rows_together()).max(1);
        rows.div_ceil(turns * threads).max(1)
    }
}
