//! Dequantizes weights of ONNX models, and finds the scales that the nodes name.
//!
//! A weight is `(q - zero_point) * scale`, with one scale per tensor or one per index of an axis. Reference: the
//! operators `DequantizeLinear`, `MatMulInteger`, `QLinearMatMul` of ONNX, and `QGemm`, `DynamicQuantizeMatMul`,
//! `MatMulIntegerToFloat`, `MatMulNBits` of `com.microsoft` in ONNX Runtime 1.32; names as in its
//! `onnxruntime.quantization`.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::Node;
use crate::checkpoint::layout::to_f32;
use crate::checkpoint::tensor::Dtype;

/// Suffixes that the quantizer appends to the name of a weight.
const ENDINGS: [&str; 4] = ["_quantized", "_Q4", "_Q8", "_Q4G128"];

/// Operators whose form of weights is not supported.
const UNREADABLE: [&str; 7] = [
    "QAttention",
    "QEmbedLayerNormalization",
    "GatherBlockQuantized",
    "MatMulBnb4",
    "MatMulFpQ4",
    "QMoE",
    "QOrderedMatMul",
];

/// Operators that are listed in messages.
const LISTED: [&str; 8] = [
    "DynamicQuantizeLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QGemm",
    "MatMulNBits",
];

/// The quantized weights found among the nodes of a graph.
#[derive(Default)]
pub(super) struct QuantizedNodes {
    scales: BTreeMap<String, Scales>,
    /// Maps the outputs of `DequantizeLinear` nodes to their inputs.
    dequantized: BTreeMap<String, String>,
    operators: BTreeSet<String>,
    is_unreadable: bool,
}

/// The names of the tensors with a weight's scales and zero points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scales {
    /// `None` if no node names it. Its name is then derived from the weight's.
    pub scale: Option<String>,
    /// A second scale to multiply by. The scale of a bias is the product of those of the input and the weight.
    pub times: Option<String>,
    pub zero_point: Option<String>,
    pub form: Form,
}

/// How the values of a weight are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One group per index of an axis. Negative axes count from the end.
    Axis(i64),
    /// Rows `[n, k]` in blocks of `block` columns, with `bits` bits per value, packed into bytes.
    Blocks { n: usize, k: usize, bits: usize, block: usize },
}

/// The operands of one weight, as read from the file.
pub(super) struct Operands {
    pub bytes: Vec<u8>,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub scale: Vec<f32>,
    pub zero_point: Option<(Vec<u8>, Dtype)>,
    pub form: Form,
}

/// A quantized weight that a node multiplies by, and whether it is stored as `[in, out]`.
pub(super) type QuantizedProduct = (String, bool);

impl QuantizedNodes {
    /// Registers the quantized weight of a node.
    pub(crate) fn node(&mut self, node: &Node) -> Option<QuantizedProduct> {
        let operator = node.op_type.as_str();
        if UNREADABLE.contains(&operator) {
            self.is_unreadable = true;
        } else if !LISTED.contains(&operator) && !operator.starts_with("QLinear") {
            return None;
        }
        if self.operators.len() < 8 {
            self.operators.insert(operator.to_owned());
        }
        let input = |i: usize| node.input.get(i).filter(|name| !name.is_empty()).cloned();
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name).map(|a| a.i);
        let (weight, scale, zero_point, form, transposed) = match operator {
            "DequantizeLinear" => {
                let weight = input(0)?;
                if let Some(output) = node.output.first() {
                    self.dequantized.insert(output.clone(), weight.clone());
                }
                if attribute("block_size").is_some_and(|size| size > 0) {
                    return None;
                }
                let form = Form::Axis(attribute("axis").unwrap_or(1));
                self.scales
                    .insert(weight, Scales { scale: input(1), times: None, zero_point: input(2), form });
                return None;
            }
            "MatMulInteger" => (1, None, input(3), Form::Axis(-1), true),
            "QLinearMatMul" => (3, input(4), input(5), Form::Axis(-1), true),
            "DynamicQuantizeMatMul" => (1, input(2), input(3), Form::Axis(-1), true),
            "MatMulIntegerToFloat" => (1, input(3), input(5), Form::Axis(-1), true),
            "QGemm" => {
                let transposed = attribute("transB") != Some(1);
                if let Some(bias) = input(6) {
                    let (scale, times, form) = (input(4), input(1), Form::Axis(-1));
                    self.scales.entry(bias).or_insert(Scales { scale, times, zero_point: None, form });
                }
                (3, input(4), input(5), Form::Axis(i64::from(transposed)), transposed)
            }
            "MatMulNBits" => {
                let size = |name: &str| attribute(name).and_then(|n| usize::try_from(n).ok());
                let bits = size("bits").unwrap_or(4);
                let blocks = (size("N"), size("K"), size("block_size").filter(|n| *n > 0));
                let ((Some(n), Some(k), Some(block)), None, true) = (blocks, input(4), matches!(bits, 4 | 8))
                else {
                    self.is_unreadable = true;
                    return None;
                };
                (1, input(2), input(3), Form::Blocks { n, k, bits, block }, false)
            }
            _ => return None,
        };
        let weight = input(weight)?;
        self.scales.entry(weight.clone()).or_insert(Scales { scale, times: None, zero_point, form });
        Some((weight, transposed))
    }

    /// Returns the quantized tensor that a `DequantizeLinear` with this output reads, otherwise `name` itself.
    pub(crate) fn source<'a>(&'a self, name: &'a str) -> &'a str {
        self.dequantized.get(name).map_or(name, String::as_str)
    }

    /// Returns true if a node names this tensor as the zero points of a weight.
    pub(crate) fn is_zero_point(&self, name: &str) -> bool {
        self.scales.values().any(|scales| scales.zero_point.as_deref() == Some(name))
    }

    /// Records that a weight has an unsupported form.
    pub(crate) fn set_unreadable(&mut self) {
        self.is_unreadable = true;
    }

    /// Returns the scales of the weight `name`, as named by nodes, or derived from its name.
    pub(crate) fn scales(&self, name: &str) -> Option<Scales> {
        let named = |what: &str| Some(format!("{}_{what}", stem(name)?));
        let mut scales = self.scales.get(name).cloned().or_else(|| {
            let (scale, zero_point, form) = (named("scale"), named("zero_point"), Form::Axis(-1));
            Some(Scales { scale, times: None, zero_point, form })
        })?;
        scales.scale = scales.scale.or_else(|| named("scale"));
        scales.scale.is_some().then_some(scales)
    }

    /// Returns how the model is quantized and whether its weights can be read. Returns `None` if it is not quantized.
    pub(crate) fn method(&self) -> Option<(String, bool)> {
        if self.operators.is_empty() {
            return None;
        }
        let operators: Vec<&str> = self.operators.iter().map(String::as_str).collect();
        let with =
            if operators.is_empty() { String::new() } else { format!(" with {}", operators.join(", ")) };
        Some((format!("ONNX{with}"), !self.is_unreadable))
    }
}

/// Returns the name of the original weight, given that of the quantized one.
pub(super) fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}

/// Returns the shape of a weight after dequantization.
pub(super) fn shape(stored: &[usize], form: Form) -> Vec<usize> {
    match form {
        Form::Axis(_) => stored.to_vec(),
        Form::Blocks { n, k, .. } => vec![n, k],
    }
}

/// Dequantizes a weight. Returns `None` if its parts do not fit together.
pub(super) fn dequantized(operands: &Operands) -> Option<Vec<f32>> {
    match operands.form {
        Form::Axis(axis) => by_axis(operands, axis),
        Form::Blocks { n, k, bits, block } => by_blocks(operands, n, k, bits, block),
    }
}

fn by_axis(operands: &Operands, axis: i64) -> Option<Vec<f32>> {
    let values = integers(&operands.bytes, operands.dtype)?;
    let zero_points = match &operands.zero_point {
        Some((bytes, dtype)) => integers(bytes, *dtype)?,
        None => Vec::new(),
    };
    let scales = &operands.scale;
    // Consecutive values share an index of the axis: as many as the axes after it have elements.
    let (groups, run) = if scales.len() == 1 {
        (1, 1)
    } else {
        let rank = i64::try_from(operands.shape.len()).ok()?;
        let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
        (*operands.shape.get(axis)?, operands.shape.get(axis + 1..)?.iter().product())
    };
    if values.len() != operands.shape.iter().product::<usize>()
        || scales.len() != groups
        || !(zero_points.len() <= 1 || zero_points.len() == groups)
        || run == 0
    {
        return None;
    }
    let zero = |group: usize| match zero_points.as_slice() {
        [] => 0,
        [one] => *one,
        all => all[group],
    };
    let value = |(i, q): (usize, &i64)| {
        let group = i / run % groups;
        (q - zero(group)) as f32 * scales[group]
    };
    Some(values.iter().enumerate().map(value).collect())
}

fn by_blocks(operands: &Operands, n: usize, k: usize, bits: usize, block: usize) -> Option<Vec<f32>> {
    let (blocks, per_byte) = (k.div_ceil(block), 8 / bits);
    let row_bytes = blocks.checked_mul(block.checked_mul(bits)?.div_ceil(8)).filter(|bytes| *bytes > 0)?;
    let zero_bytes = blocks.div_ceil(per_byte);
    if operands.bytes.len() != n.checked_mul(row_bytes)? || operands.scale.len() != n.checked_mul(blocks)? {
        return None;
    }
    let code = |bytes: &[u8], i: usize| {
        let byte = bytes.get(i / per_byte)?;
        Some(f32::from(if bits == 4 { byte >> (i % 2 * 4) & 15 } else { *byte }))
    };
    let middle = if bits == 4 { 8.0 } else { 128.0 };
    let zero = |row: usize, b: usize| match &operands.zero_point {
        None => Some(middle),
        Some((bytes, Dtype::U8)) => code(bytes.get(row * zero_bytes..(row + 1) * zero_bytes)?, b),
        Some((bytes, dtype)) => to_f32(bytes, *dtype)?.get(row * blocks + b).copied(),
    };
    let mut values = Vec::with_capacity(n * k);
    for row in 0..n {
        let bytes = operands.bytes.get(row * row_bytes..(row + 1) * row_bytes)?;
        for b in 0..blocks {
            let (zero, scale) = (zero(row, b)?, operands.scale[row * blocks + b]);
            let blob = bytes.get(b * row_bytes / blocks..)?;
            for i in 0..block.min(k - b * block) {
                values.push((code(blob, i)? - zero) * scale);
            }
        }
    }
    Some(values)
}

/// Decodes little-endian integers of 8 or 32 bits.
fn integers(bytes: &[u8], dtype: Dtype) -> Option<Vec<i64>> {
    match dtype {
        Dtype::I8 => Some(bytes.iter().map(|b| i64::from(*b as i8)).collect()),
        Dtype::U8 => Some(bytes.iter().map(|b| i64::from(*b)).collect()),
        Dtype::I32 => {
            Some(bytes.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect())
        }
        _ => None,
    }
}

/// Converts varints (`int32_data`) to little-endian integers.
pub(super) fn from_varints(bytes: &[u8], dtype: Dtype) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let number = prost::encoding::decode_varint(&mut rest).ok()? as i64;
        match dtype {
            Dtype::I8 | Dtype::U8 => out.push(number as u8),
            _ => out.extend((number as i32).to_le_bytes()),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operands(bytes: &[u8], shape: &[usize], scale: &[f32], zero: Option<&[u8]>, form: Form) -> Operands {
        Operands {
            bytes: bytes.to_vec(),
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            scale: scale.to_vec(),
            zero_point: zero.map(|bytes| (bytes.to_vec(), Dtype::U8)),
            form,
        }
    }

    #[test]
    fn one_scale_or_one_for_each_index() {
        let of = |scale: &[f32], zero: &[u8], axis| {
            dequantized(&operands(&[1, 2, 3, 4, 5, 6], &[2, 3], scale, Some(zero), Form::Axis(axis)))
        };
        assert_eq!(of(&[2.0], &[1], 1), Some(vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]));
        assert_eq!(of(&[1.0, 10.0], &[0, 1], 0), Some(vec![1.0, 2.0, 3.0, 30.0, 40.0, 50.0]));
        assert_eq!(of(&[1.0, 10.0, 0.5], &[0], -1), Some(vec![1.0, 20.0, 1.5, 4.0, 50.0, 3.0]));
        assert_eq!(of(&[1.0, 10.0], &[0], -1), None);
        assert_eq!(of(&[1.0, 10.0], &[0], 7), None);
    }

    #[test]
    fn blocks_of_four_bits() {
        let form = Form::Blocks { n: 1, k: 3, bits: 4, block: 2 };
        let of = |zero| dequantized(&operands(&[0x9a, 0x0f], &[1, 2, 1], &[1.0, 2.0], zero, form));
        assert_eq!(of(None), Some(vec![2.0, 1.0, 14.0]));
        assert_eq!(of(Some(&[0x21])), Some(vec![9.0, 8.0, 26.0]));
        assert_eq!(of(Some(&[])), None);
    }

    #[test]
    fn numbers_one_by_one() {
        let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(from_varints(&[&[3][..], &minus_one].concat(), Dtype::I8), Some(vec![3, 255]));
        assert_eq!(from_varints(&[0x80], Dtype::U8), None);
    }
}
