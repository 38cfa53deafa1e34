//! Array files: NumPy `.npy` (format 1.0) and safetensors.
//!
//! The number of rows is only known at the end, so the header is padded and rewritten.

use std::borrow::Cow;

use half::f16;

/// Size of a header in bytes. It is fixed, so that the header can be rewritten.
const NPY_HEADER: usize = 128;
const SAFETENSORS_HEADER: usize = 512;

/// Kind of array file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayKind {
    /// NumPy.
    Npy,
    /// safetensors with `embeddings`, and `offsets` if records have several rows.
    Safetensors,
}

/// An array with any number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    /// The kind of file.
    pub kind: ArrayKind,
    /// Values per row.
    pub columns: usize,
    /// True if records may have any number of rows: record i has rows `offsets[i]..offsets[i + 1]`. Only for safetensors.
    pub ragged: bool,
    /// True if values are stored as f16 instead of f32.
    pub half: bool,
}

impl ArrayLayout {
    /// Returns the number of rows in `entry`, which contains f32 values.
    pub(super) fn rows_in(&self, entry: &[u8]) -> u64 {
        (entry.len() / (4 * self.columns).max(1)) as u64
    }

    /// Returns the number of bytes per row in the file.
    pub(super) fn row_bytes(&self) -> usize {
        self.columns * self.value_bytes()
    }

    /// Returns true for the stored row of a failed record, which is NaN in every column.
    pub(super) fn is_failed(&self, row: &[u8]) -> bool {
        if self.half {
            row.first_chunk().is_some_and(|bytes| f16::from_le_bytes(*bytes).is_nan())
        } else {
            row.first_chunk().is_some_and(|bytes| f32::from_le_bytes(*bytes).is_nan())
        }
    }

    fn value_bytes(&self) -> usize {
        if self.half { 2 } else { 4 }
    }

    /// Converts f32 rows to the stored type. Values that are too large for f16 become infinite.
    pub(super) fn stored<'a>(&self, entry: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.half {
            return Cow::Borrowed(entry);
        }
        let values = entry.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Cow::Owned(values.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect())
    }

    /// Returns the header. Its length does not depend on the number of rows.
    pub(super) fn header(&self, written: &Rows) -> Vec<u8> {
        let (rows, ends) = (written.number, &written.ends);
        let columns = self.columns as u64;
        match self.kind {
            ArrayKind::Npy => {
                let kind = if self.half { "<f2" } else { "<f4" };
                let dict =
                    format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
                let mut out = b"\x93NUMPY\x01\x00".to_vec();
                out.extend(((NPY_HEADER - 10) as u16).to_le_bytes());
                out.extend(dict.as_bytes());
                out.resize(NPY_HEADER - 1, b' ');
                out.push(b'\n');
                out
            }
            ArrayKind::Safetensors => {
                let end = rows * columns * self.value_bytes() as u64;
                let kind = if self.half { "F16" } else { "F32" };
                let offsets = if self.has_offsets() {
                    let end_offsets = end + 8 * ends.len() as u64;
                    format!(
                        r#","offsets":{{"dtype":"I64","shape":[{}],"data_offsets":[{end},{end_offsets}]}}"#,
                        ends.len()
                    )
                } else {
                    String::new()
                };
                let json = format!(
                    r#"{{"embeddings":{{"dtype":"{kind}","shape":[{rows},{columns}],"data_offsets":[0,{end}]}}{offsets}}}"#
                );
                let mut out = ((SAFETENSORS_HEADER - 8) as u64).to_le_bytes().to_vec();
                out.extend(json.as_bytes());
                out.resize(SAFETENSORS_HEADER, b' ');
                out
            }
        }
    }

    /// Returns the end of the file, after the rows.
    pub(super) fn trailer(&self, written: &Rows) -> Vec<u8> {
        if self.has_offsets() {
            written.ends.iter().flat_map(|end| (*end as i64).to_le_bytes()).collect()
        } else {
            Vec::new()
        }
    }

    fn has_offsets(&self) -> bool {
        self.ragged && self.kind == ArrayKind::Safetensors
    }
}

/// The rows in a file.
#[derive(Debug)]
pub(super) struct Rows {
    number: u64,
    /// The total number of rows up to the end of each record, starting with 0. Only kept if the file needs them.
    ends: Vec<u64>,
}

impl Rows {
    /// Creates the state of a file with this number of rows.
    pub(super) fn new(number: u64) -> Self {
        Self { number, ends: vec![0] }
    }

    /// Adds the rows of a record.
    pub(super) fn add(&mut self, layout: &ArrayLayout, rows: u64) {
        self.number += rows;
        if layout.has_offsets() {
            self.ends.push(self.number);
        }
    }

    /// Removes records that are not within the first `length` bytes of the file.
    pub(super) fn cut(&mut self, layout: &ArrayLayout, length: u64) {
        let header = layout.header(&Self::new(0)).len() as u64;
        let rows = length.saturating_sub(header) / (layout.row_bytes() as u64).max(1);
        self.number = self.number.min(rows);
        while self.ends.last().is_some_and(|end| *end > self.number) {
            self.ends.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Format, OrderedWriter, OutputTarget};
    use safetensors::SafeTensors;

    fn file(layout: ArrayLayout, entries: &[&[f32]]) -> Vec<u8> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        let target = OutputTarget::open(Some(&path)).expect("opens");
        let mut writer = OrderedWriter::new(target, Format::Array(layout));
        for (index, entry) in (0..).zip(entries) {
            let bytes: Vec<u8> = entry.iter().flat_map(|v| v.to_le_bytes()).collect();
            writer.put(index, bytes).expect("writes");
        }
        writer.finish().expect("finishes");
        std::fs::read(path).expect("reads")
    }

    #[test]
    fn npy_has_a_whole_header_and_all_rows() {
        let layout = ArrayLayout { kind: ArrayKind::Npy, columns: 2, ragged: false, half: false };
        let bytes = file(layout, &[&[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0]]);
        let header = String::from_utf8_lossy(&bytes[10..128]);
        assert!(
            header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }"),
            "{header}"
        );
        assert!(header.ends_with('\n'));
        assert_eq!(bytes.len(), 128 + 3 * 2 * 4);
        assert_eq!(&bytes[128 + 20..], 6f32.to_le_bytes());
        assert_eq!(file(layout, &[]).len(), 128);
    }

    #[test]
    fn half_precision_takes_half_the_space() {
        let npy = ArrayLayout { kind: ArrayKind::Npy, columns: 2, ragged: false, half: true };
        let bytes = file(npy, &[&[1.0, 2.0], &[-0.1, 1e6]]);
        assert!(String::from_utf8_lossy(&bytes[10..128]).starts_with("{'descr': '<f2', "));
        assert_eq!(bytes.len(), 128 + 2 * 2 * 2);
        // 1.0, 2.0, the nearest value to -0.1, infinity (IEEE 754 binary16).
        assert_eq!(&bytes[128..], [0x00, 0x3c, 0x00, 0x40, 0x66, 0xae, 0x00, 0x7c]);
        let ragged = ArrayLayout { kind: ArrayKind::Safetensors, ragged: true, ..npy };
        let bytes = file(ragged, &[&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0]]);
        let tensors = SafeTensors::deserialize(&bytes).expect("a sound file");
        let embeddings = tensors.tensor("embeddings").expect("is there");
        assert_eq!((embeddings.shape(), embeddings.dtype()), (&[3, 2][..], safetensors::Dtype::F16));
    }

    #[test]
    fn safetensors_knows_where_records_end() {
        let layout = ArrayLayout { kind: ArrayKind::Safetensors, columns: 2, ragged: true, half: false };
        let bytes = file(layout, &[&[1.0, 2.0, 3.0, 4.0], &[], &[5.0, 6.0]]);
        let tensors = SafeTensors::deserialize(&bytes).expect("a sound file");
        assert_eq!(tensors.tensor("embeddings").expect("is there").shape(), [3, 2]);
        let offsets = tensors.tensor("offsets").expect("is there");
        let offsets: Vec<i64> =
            offsets.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
        assert_eq!(offsets, [0, 2, 2, 3]);
        SafeTensors::deserialize(&file(layout, &[])).expect("a sound file");
        let flat = ArrayLayout { ragged: false, ..layout };
        SafeTensors::deserialize(&file(flat, &[&[1.0, 2.0]])).expect("a sound file");
    }
}
