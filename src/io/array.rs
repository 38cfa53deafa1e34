//! Array files: NumPy `.npy` (format 1.0) and safetensors.
//!
//! The number of rows is known only at the end, so the header is padded and rewritten.

/// Size of a header, which is fixed so that it can be rewritten.
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

/// An f32 array with any number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    /// The kind of file.
    pub kind: ArrayKind,
    /// Values per row.
    pub columns: usize,
    /// Records may have any number of rows: record i has rows `offsets[i]..offsets[i + 1]`. Only for safetensors.
    pub ragged: bool,
}

impl ArrayLayout {
    /// The number of rows in `entry`.
    pub(super) fn rows_in(&self, entry: &[u8]) -> u64 {
        (entry.len() / (4 * self.columns).max(1)) as u64
    }

    /// The header, whose length does not depend on the number of rows. `ends` are the numbers of rows up to the end of each record,
    /// starting with 0.
    pub(super) fn header(&self, ends: &[u64]) -> Vec<u8> {
        let rows = ends.last().copied().unwrap_or(0);
        let columns = self.columns as u64;
        match self.kind {
            ArrayKind::Npy => {
                let dict =
                    format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
                let mut out = b"\x93NUMPY\x01\x00".to_vec();
                out.extend(((NPY_HEADER - 10) as u16).to_le_bytes());
                out.extend(dict.as_bytes());
                out.resize(NPY_HEADER - 1, b' ');
                out.push(b'\n');
                out
            }
            ArrayKind::Safetensors => {
                let end = rows * columns * 4;
                let offsets = if self.ragged {
                    let end_offsets = end + 8 * ends.len() as u64;
                    format!(
                        r#","offsets":{{"dtype":"I64","shape":[{}],"data_offsets":[{end},{end_offsets}]}}"#,
                        ends.len()
                    )
                } else {
                    String::new()
                };
                let json = format!(
                    r#"{{"embeddings":{{"dtype":"F32","shape":[{rows},{columns}],"data_offsets":[0,{end}]}}{offsets}}}"#
                );
                let mut out = ((SAFETENSORS_HEADER - 8) as u64).to_le_bytes().to_vec();
                out.extend(json.as_bytes());
                out.resize(SAFETENSORS_HEADER, b' ');
                out
            }
        }
    }

    /// The end of the file, after the rows.
    pub(super) fn trailer(&self, ends: &[u64]) -> Vec<u8> {
        if self.ragged && self.kind == ArrayKind::Safetensors {
            ends.iter().flat_map(|end| (*end as i64).to_le_bytes()).collect()
        } else {
            Vec::new()
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
        let layout = ArrayLayout { kind: ArrayKind::Npy, columns: 2, ragged: false };
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
    fn safetensors_knows_where_records_end() {
        let layout = ArrayLayout { kind: ArrayKind::Safetensors, columns: 2, ragged: true };
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
