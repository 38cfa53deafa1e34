//! Recognizes model files of other programs, so that a message can name the program. They are not read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// File extensions of models that are not read, each with a description.
const EXTENSIONS: [(&str, &str); 11] = [
    ("gguf", "a GGUF model (llama.cpp), usually quantized"),
    ("ggml", "a GGML model (llama.cpp), usually quantized"),
    ("tflite", "a TensorFlow Lite model, usually quantized"),
    ("mlmodel", "a Core ML model"),
    ("mlpackage", "a Core ML model"),
    ("mlmodelc", "a compiled Core ML model"),
    ("engine", "a TensorRT engine"),
    ("plan", "a TensorRT engine"),
    ("dlc", "a Qualcomm SNPE model, usually quantized"),
    ("mnn", "an MNN model, usually quantized"),
    ("pte", "an ExecuTorch program, usually quantized"),
];

const OPENVINO: &str = "an OpenVINO model";

/// Returns the kind of foreign model at `path`, judged by its first bytes, its extension or the files next to it.
fn kind(path: &Path) -> Option<&'static str> {
    let mut head = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        // The caller reports files that cannot be read.
        let _read = file.take(512).read_to_end(&mut head);
    }
    let by_name = |extension: &str| EXTENSIONS.iter().find(|(e, _)| *e == extension).map(|(_, kind)| *kind);
    match head.as_slice() {
        h if h.starts_with(b"GGUF") => return by_name("gguf"),
        h if h.starts_with(b"tjgg") || h.starts_with(b"lmgg") => return by_name("ggml"),
        h if h.get(4..8) == Some(b"TFL3") => return by_name("tflite"),
        h if h.starts_with(b"<?xml") && String::from_utf8_lossy(h).contains("<net") => return Some(OPENVINO),
        _ => {}
    }
    let extension = path.extension()?.to_str()?.to_lowercase();
    // OpenVINO keeps the weights in NAME.bin and the graph in NAME.xml.
    if extension == "bin" && path.with_extension("xml").is_file() {
        return Some(OPENVINO);
    }
    // Directories may have any name, except for Core ML's extensions.
    by_name(&extension).filter(|_| path.is_file() || extension.starts_with("ml"))
}

/// Returns true for a model file of another program.
pub(in crate::checkpoint) fn is_foreign(path: &Path) -> bool {
    kind(path).is_some()
}

/// Rejects a model file of another program.
///
/// # Errors
/// [`Error::BadFile`] with the kind of model.
pub(in crate::checkpoint) fn refuse(path: &Path) -> Result<()> {
    match kind(path) {
        Some(kind) => Err(Error::bad_file(path, complaint(kind))),
        None => Ok(()),
    }
}

/// Returns the error for a directory that contains only such models.
pub(in crate::checkpoint) fn in_directory(directory: &Path) -> Option<Error> {
    let mut paths: Vec<_> = [directory.to_owned(), directory.join("openvino")]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths.into_iter().find_map(|path| Some(Error::bad_file(&path, complaint(kind(&path)?))))
}

fn complaint(kind: &str) -> String {
    format!(
        "is {kind}, which albert does not read; use the weights that it was made from (model.safetensors, \
         pytorch_model.bin or an ONNX model)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_other_programs() {
        let folder = tempfile::tempdir().expect("a directory");
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            path
        };
        let cases: [(&str, &[u8], Option<&str>); 7] = [
            ("model.bin", b"GGUF\x03\0\0\0", Some("GGUF")),
            ("weights", b"\x1c\0\0\0TFL3\0\0", Some("TensorFlow Lite")),
            ("openvino_model.xml", b"<?xml version=\"1.0\"?>\n<net name=\"x\">", Some("OpenVINO")),
            ("openvino_model.bin", b"\0\0\0\0", Some("OpenVINO")),
            ("a.mlmodel", b"\x08\x05", Some("Core ML")),
            ("pytorch_model.bin", b"PK\x03\x04", None),
            ("model.safetensors", b"\x10\0\0\0\0\0\0\0{", None),
        ];
        for (name, bytes, expected) in cases {
            let path = put(name, bytes);
            match (kind(&path), expected) {
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{name}: {found}"),
                (found, expected) => assert_eq!(found, expected, "{name}"),
            }
        }
        let error = in_directory(folder.path()).expect("an error").to_string();
        assert!(error.contains("a.mlmodel") && error.contains("Core ML"), "{error}");
    }
}
