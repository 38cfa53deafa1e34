//! Detection of the format of a weight file from its first bytes.

use std::io::Read;
use std::path::Path;

use super::foreign;
use crate::error::{Error, Result};

/// The container format of a file, which determines its reader.
pub(in crate::checkpoint) enum ContainerKind {
    Safetensors,
    PyTorch,
    TensorFlow,
    Hdf5,
    MsgPack,
    Onnx,
}

/// Detects the container format from the first bytes of a file.
pub(in crate::checkpoint) fn sniff(path: &Path) -> Result<ContainerKind> {
    let mut head = Vec::new();
    let metadata = std::fs::metadata(path).map_err(Error::io(path, "read"))?;
    if metadata.is_dir() {
        return Err(Error::bad_file(path, "is a directory; expected a weight file"));
    }
    // Opening a pipe would block until something writes to it.
    if !metadata.is_file() {
        return Err(Error::bad_file(path, "is a device or a pipe; expected a weight file"));
    }
    let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    file.take(64).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
    foreign::refuse(path)?;
    let bad = |problem: &str| Err(Error::bad_file(path, problem));
    let text = String::from_utf8_lossy(&head).trim_start().to_lowercase();
    match head.as_slice() {
        [] => bad("is empty; was its download cut off?"),
        h if h.starts_with(b"version https://git-lfs") => {
            bad("is a Git LFS pointer, not the weights; run git lfs pull in its directory")
        }
        h if h.starts_with(b"\x89HDF") => Ok(ContainerKind::Hdf5),
        _ if text.starts_with("<!doctype") || text.starts_with("<html") => {
            bad("is a web page, not weights; download the file itself")
        }
        h if h.len() > 8 && h[8] == b'{' => Ok(ContainerKind::Safetensors),
        _ if path.extension().is_some_and(|e| e == "safetensors") => Ok(ContainerKind::Safetensors),
        _ if path.extension().is_some_and(|e| e == "index") => Ok(ContainerKind::TensorFlow),
        _ if path.extension().is_some_and(|e| e == "msgpack") => Ok(ContainerKind::MsgPack),
        _ if path.extension().is_some_and(|e| e == "onnx") => Ok(ContainerKind::Onnx),
        _ => Ok(ContainerKind::PyTorch),
    }
}
