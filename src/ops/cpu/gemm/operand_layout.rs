//! How numbers lie in the words of four bytes that products read.

use super::MatmulPrecision;
use super::micro_kernel::COLUMNS;
use super::tile;

/// The words of a product's operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops::cpu) enum OperandLayout {
    /// A 32-bit float in each word.
    Floats,
    /// 32-bit floats as sums in bfloat16, for AMX, which has no products of longer numbers. Step by step of
    /// [`STEP`] words along k: the first parts, two in each word, then the second parts, then the
    /// third.
    SplitBf16(SplitBf16),
    /// Two of bfloat16 in each word.
    Bf16Pairs,
    /// Four bytes in each word.
    Bytes,
}

/// How many numbers of bfloat16 a float is the sum of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops::cpu) enum SplitBf16 {
    /// The nearest sum of two: 16 bits or more of the float's 24.
    Two = 2,
    /// Exactly.
    Three = 3,
}

/// Words of a row of a tile of AMX: operands for it have a whole number of these along k.
pub(super) const STEP: usize = 16;

/// Of a panel in [`OperandLayout::SplitBf16`], a step along k: floats `[2 STEP, COLUMNS]`, and words `[STEP, COLUMNS]` for each part.
pub(super) const STEP_FLOATS: usize = 2 * STEP * COLUMNS;
pub(super) const STEP_WORDS: usize = STEP * COLUMNS;

impl OperandLayout {
    /// The form in which weights are multiplied fastest: that of our own inner loops, or else that of the library.
    pub(in crate::ops::cpu) fn of_weights(precision: MatmulPrecision) -> Self {
        Self::own(precision).unwrap_or_else(|| Self::of_library(precision))
    }

    /// The fastest form for weights that our own inner loops have on this processor.
    pub(in crate::ops::cpu) fn own(precision: MatmulPrecision) -> Option<Self> {
        let forms: &[Self] = match precision {
            MatmulPrecision::F32 => &[Self::SplitBf16(SplitBf16::Three), Self::Floats],
            MatmulPrecision::Bf16x2 => &[Self::SplitBf16(SplitBf16::Two), Self::Floats],
            MatmulPrecision::Bf16 => &[Self::Bf16Pairs, Self::Floats],
            MatmulPrecision::Int8 => &[Self::Bytes],
        };
        forms.iter().copied().find(|form| form.runs())
    }

    /// The form that `rten-gemm` multiplies.
    pub(super) fn of_library(precision: MatmulPrecision) -> Self {
        if precision == MatmulPrecision::Int8 { Self::Bytes } else { Self::Floats }
    }

    /// The form in which this processor multiplies the queries, keys and values of `length` tokens fastest, compared with
    /// weights of `precision`. Products as small as these gain less than two parts cost, and three parts always cost
    /// more. Scores of 8 bits would lose what softmax tells apart.
    pub(in crate::ops::cpu) fn of_attention(precision: MatmulPrecision, length: usize) -> Self {
        const MOST_IN_FLOATS: usize = 64;
        match precision {
            MatmulPrecision::Bf16x2 if length > MOST_IN_FLOATS => Self::of_weights(precision),
            MatmulPrecision::Bf16 | MatmulPrecision::Int8 if Self::Bf16Pairs.runs() => Self::Bf16Pairs,
            _ => Self::Floats,
        }
    }

    /// As [`OperandLayout::own`], where our own inner loops are faster than the library for products over tokens.
    pub(super) fn in_tiles(precision: MatmulPrecision) -> Option<Self> {
        Self::own(precision).filter(|form| matches!(form, Self::Bf16Pairs | Self::SplitBf16(_)))
    }

    /// True if our own inner loops multiply it on this processor.
    pub(in crate::ops::cpu) fn runs(self) -> bool {
        tile::runs(self)
    }

    /// Numbers in a word.
    pub(super) fn per_word(self) -> usize {
        match self {
            Self::Floats => 1,
            Self::SplitBf16(_) | Self::Bf16Pairs => 2,
            Self::Bytes => 4,
        }
    }

    /// A number of words along k is a multiple of this: what is beyond the numbers is zero.
    pub(super) fn step(self) -> usize {
        let tiles = match self {
            Self::Floats => false,
            Self::SplitBf16(_) => true,
            Self::Bf16Pairs => tile::in_tiles(MatmulPrecision::Bf16),
            Self::Bytes => tile::in_tiles(MatmulPrecision::Int8),
        };
        if tiles { STEP } else { 1 }
    }

    /// Words that hold all parts of a number, side by side.
    pub(super) fn parts(self) -> usize {
        if let Self::SplitBf16(parts) = self { parts as usize } else { 1 }
    }

    /// The number of words for `count` numbers along k.
    pub(in crate::ops::cpu) fn words(self, count: usize) -> usize {
        self.parts() * count.div_ceil(self.per_word()).next_multiple_of(self.step())
    }

    /// The place of the word with numbers 2 p and 2 p + 1, or with their first parts; the others follow [`STEP`] words
    /// apart.
    pub(super) fn pair(self, p: usize) -> usize {
        p / STEP * STEP * self.parts() + p % STEP
    }

    /// `count`, rounded up to full words.
    pub(super) fn padded(self, count: usize) -> usize {
        self.words(count) / self.parts() * self.per_word()
    }

    /// The number of words for weights before they are split, if they are to be: in three parts they take more
    /// room than floats.
    pub(super) fn words_before_splitting(self, count: usize) -> usize {
        if self == Self::SplitBf16(SplitBf16::Three) { self.padded(count) } else { self.words(count) }
    }

    /// The most rows that one task should work on at a time. AMX multiplies so quickly that it would wait for the
    /// weights with fewer.
    pub(in crate::ops::cpu) fn rows_together(self) -> usize {
        if self.step() > 1 { 224 } else { 112 }
    }
}
