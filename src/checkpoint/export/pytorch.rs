//! Writes `pytorch_model.bin` like `torch.save` since 1.6: an uncompressed zip archive with a pickle and the storages.
//!
//! Reference: PyTorch `torch/serialization.py` (`_save`), pickle protocol 2.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::planned::Planned;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// Writes one file.
pub(in crate::checkpoint) struct PyTorchWriter;

impl PyTorchWriter {
    /// Writes `planned` with the bytes from `tensors`, which have the same order.
    ///
    /// # Errors
    /// Errors from `tensors`; [`Error::Io`].
    pub(in crate::checkpoint) fn write(
        path: &Path,
        planned: &[Planned],
        tensors: &mut dyn Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<()> {
        let io = || Error::io(path, "write");
        let zip_error = |e: zip::result::ZipError| io()(std::io::Error::other(e));
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        let mut zip = ZipWriter::new(BufWriter::new(file));
        // torch maps storages into memory, so they must be aligned.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true)
            .with_alignment(64);
        zip.start_file("archive/data.pkl", options).map_err(zip_error)?;
        zip.write_all(&pickle(planned)).map_err(io())?;
        zip.start_file("archive/byteorder", options).map_err(zip_error)?;
        zip.write_all(b"little").map_err(io())?;
        for (i, (tensor, bytes)) in planned.iter().zip(tensors).enumerate() {
            let bytes = bytes?;
            tensor.check(&bytes, path)?;
            zip.start_file(format!("archive/data/{i}"), options).map_err(zip_error)?;
            zip.write_all(&bytes).map_err(io())?;
        }
        zip.start_file("archive/version", options).map_err(zip_error)?;
        zip.write_all(b"3\n").map_err(io())?;
        let file = zip.finish().map_err(zip_error)?;
        let file = file.into_inner().map_err(|e| io()(e.into_error()))?;
        file.sync_all().map_err(io())
    }
}

/// Returns the pickle of an `OrderedDict` of tensors, each with a storage of its own.
fn pickle(planned: &[Planned]) -> Vec<u8> {
    let mut out = Pickle(vec![0x80, 2]);
    out.empty_ordered_dict();
    out.0.push(b'(');
    for (i, tensor) in planned.iter().enumerate() {
        out.text(&tensor.name);
        out.global("torch._utils", "_rebuild_tensor_v2");
        out.0.push(b'(');
        // The storage, as a persistent id.
        out.0.push(b'(');
        out.text("storage");
        out.global("torch", storage(tensor.dtype));
        out.text(&i.to_string());
        out.text("cpu");
        out.number(tensor.elements());
        out.0.extend(b"tQ");
        out.number(0);
        out.tuple(tensor.shape.iter().map(|n| *n as u64));
        let mut strides = vec![1u64; tensor.shape.len()];
        for d in (1..tensor.shape.len()).rev() {
            strides[d - 1] = strides[d] * tensor.shape[d] as u64;
        }
        out.tuple(strides.into_iter());
        // requires_grad (false), then an empty dictionary of backward hooks.
        out.0.push(0x89);
        out.empty_ordered_dict();
        out.0.extend(b"tR");
    }
    out.0.extend(b"u.");
    out.0
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn global(&mut self, module: &str, name: &str) {
        self.0.push(b'c');
        self.0.extend(format!("{module}\n{name}\n").as_bytes());
    }

    fn empty_ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.0.extend(b")R");
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn number(&mut self, value: u64) {
        if let Ok(small) = i32::try_from(value) {
            self.0.push(b'J');
            self.0.extend(small.to_le_bytes());
        } else {
            // An extra zero byte keeps the highest bit from being read as a sign.
            self.0.extend([0x8a, 9]);
            self.0.extend(value.to_le_bytes());
            self.0.push(0);
        }
    }

    fn tuple(&mut self, values: impl Iterator<Item = u64>) {
        self.0.push(b'(');
        for value in values {
            self.number(value);
        }
        self.0.push(b't');
    }
}

fn storage(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "DoubleStorage",
        Dtype::F32 => "FloatStorage",
        Dtype::F16 => "HalfStorage",
        Dtype::BF16 => "BFloat16Storage",
        Dtype::I64 => "LongStorage",
        Dtype::I32 => "IntStorage",
        Dtype::I16 => "ShortStorage",
        Dtype::I8 => "CharStorage",
        Dtype::U8 => "ByteStorage",
        Dtype::Bool => "BoolStorage",
    }
}
