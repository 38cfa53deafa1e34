//! What stands for the inner loops on processors that have none: nothing runs.

use super::{Form, Numbers, Parts};

pub(in crate::ops::cpu) const COLUMNS: usize = 32;

/// See the other.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "never made here")]
pub(in crate::ops::cpu) struct Strip<'a> {
    pub rows: usize,
    pub a: &'a [u32],
    pub a_stride: usize,
    pub b: &'a [u32],
    pub b_stride: usize,
    pub k: usize,
    pub ahead: usize,
}

#[derive(Clone, Copy)]
#[allow(dead_code, reason = "never made here")]
pub(in crate::ops::cpu) enum Start<'a> {
    Zero,
    Row(&'a [f32; COLUMNS]),
    Out,
}

#[derive(Clone, Copy)]
#[allow(dead_code, reason = "never made here")]
pub(in crate::ops::cpu) struct Dequantize<'a> {
    pub rows: &'a [[f32; 2]],
    pub scales: &'a [f32],
    pub sums: &'a [f32],
}

pub(super) fn runs(_: Numbers) -> bool {
    false
}

pub(super) fn in_tiles(_: Numbers) -> bool {
    false
}

impl Strip<'_> {
    pub(in crate::ops::cpu) fn floats(self, _: impl Into<Form>, _: Start<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }

    pub(super) fn floats_to_split(self, _: Start<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }

    pub(in crate::ops::cpu) fn bytes(self, _: Dequantize<'_>, _: Start<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }
}

pub(super) fn to_bf16(_: &[f32], _: &mut [u16]) {
    unreachable!("`runs` says no")
}

pub(super) fn to_parts(_: Parts, _: &[f32], _: &mut [u32]) {
    unreachable!("`runs` says no")
}

pub(super) fn split_step(_: &[u32], _: &mut [u32]) {
    unreachable!("`runs` says no")
}

pub(super) fn to_pairs(_: Form, _: &[f32], _: &[f32], _: &mut [u32], _: usize) {
    unreachable!("`runs` says no")
}

pub(super) fn prefetch(_: &[f32]) {}

pub(super) fn quantize(_: &[f32], _: &mut [u8]) -> [f32; 2] {
    unreachable!("`runs` says no")
}
