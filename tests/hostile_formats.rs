//! Damaged and false files of every form. Each gives an error or a result, never a panic, and never takes memory out of
//! proportion to the file.

mod common;

use std::path::{Path, PathBuf};

use common::golden;

use albert::checkpoint::Tensors;

/// Opens a file, reads every tensor and returns their number, or the error message.
fn read_all(path: &Path) -> Result<usize, String> {
    let tensors = Tensors::open(path).map_err(|e| e.to_string())?;
    let mut count = 0;
    for info in tensors.infos() {
        let (bytes, dtype) = tensors.read(&info.name).map_err(|e| e.to_string())?;
        assert_eq!(bytes.len(), info.shape.iter().product::<usize>() * dtype.size());
        count += 1;
    }
    Ok(count)
}

/// A copy of a checkpoint's files in its own directory.
struct Copy {
    _directory: tempfile::TempDir,
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Copy {
    fn of(folder: &str, file: &str, beside: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in beside {
            std::fs::copy(golden("formats").join(folder).join(name), directory.path().join(name))
                .expect("copies");
        }
        let bytes = std::fs::read(golden("formats").join(folder).join(file)).expect("reads");
        Self { file: directory.path().join(file), _directory: directory, bytes }
    }

    fn with(&self, bytes: &[u8]) -> Result<usize, String> {
        std::fs::write(&self.file, bytes).expect("writes");
        read_all(&self.file)
    }
}

const DATA: &str = "model.ckpt-best.data-00000-of-00001";

/// A small ONNX model, written by albert.
fn onnx() -> Copy {
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out");
    let source = golden("formats/flax_forquestionanswering");
    let done = common::albert()
        .arg("convert")
        .arg(source)
        .arg(&out)
        .args(["--format", "onnx", "--no-tokenizer"])
        .output();
    assert!(done.expect("runs").status.success());
    let file = out.join("model.onnx");
    Copy { bytes: std::fs::read(&file).expect("reads"), file, _directory: directory }
}

fn copies() -> Vec<Copy> {
    vec![
        onnx(),
        Copy::of("google_squad", "model.ckpt-best.index", &[DATA]),
        Copy::of("google_partitioned", "model.ckpt-best.index", &[DATA]),
        Copy::of("flax_forquestionanswering", "flax_model.msgpack", &[]),
        Copy::of("keras_forquestionanswering", "tf_model.h5", &[]),
    ]
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    for copy in copies() {
        assert!(copy.with(&copy.bytes).is_ok());
        let length = copy.bytes.len();
        // Every length near both ends, and steps in between.
        let step = (length / 400).max(1);
        let cuts =
            (0..300.min(length)).chain((300..length).step_by(step)).chain(length.saturating_sub(100)..length);
        for cut in cuts {
            let result = copy.with(&copy.bytes[..cut]);
            // HDF5 may end with bytes that reading does not need.
            if !copy.file.ends_with("tf_model.h5") || cut < length / 2 {
                assert!(result.is_err(), "{}: {cut} of {length}", copy.file.display());
            }
        }
    }
    // The data files of a TensorFlow checkpoint.
    let copy = Copy::of("google_squad", DATA, &["model.ckpt-best.index"]);
    let index = copy.file.with_file_name("model.ckpt-best.index");
    for cut in [0, 1, 1000, copy.bytes.len() - 1] {
        std::fs::write(&copy.file, &copy.bytes[..cut]).expect("writes");
        let error = read_all(&index).expect_err("cut off");
        assert!(error.contains("beyond the end of its data file"), "{error}");
    }
    std::fs::remove_file(&copy.file).expect("removes");
    assert!(read_all(&index).expect_err("no data").contains("is missing"));
}

#[test]
fn damaged_bytes_never_panic() {
    // A fixed generator gives the same bytes in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for copy in copies() {
        let mut refused = 0;
        for _ in 0..1500 {
            let mut bytes = copy.bytes.clone();
            // Half of the damage is in the first bytes, which hold the structure.
            for _ in 0..=(random() % 4) {
                let reach = if random() % 2 == 0 { bytes.len() } else { bytes.len().min(2048) };
                let at = (random() % reach as u64) as usize;
                bytes[at] = match random() % 3 {
                    0 => 0xff,
                    1 => 0,
                    _ => random() as u8,
                };
            }
            refused += usize::from(copy.with(&bytes).is_err());
        }
        assert!(refused > 50, "{}: {refused}", copy.file.display());
    }
}

#[test]
fn inconsistent_msgpack_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flax_model.msgpack");
    let check = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).expect("writes");
        let error = read_all(&path).expect_err("refused");
        assert!(error.contains(part), "{error}");
    };
    // A map of four billion entries, nested maps, a binary of four gigabytes, and a name of 16 MB.
    check(&[0xdf, 0xff, 0xff, 0xff, 0xff], "breaks off");
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep.extend([0x81, 0xa1, b'a']);
    }
    check(&deep, "nested more than");
    check(&[0x81, 0xa1, b'a', 0xc6, 0xff, 0xff, 0xff, 0xff], "longer than the file");
    check(&[0x81, 0xdb, 0x00, 0xff, 0xff, 0xff], "a name of");
    check(&[0x80], "no arrays");
    check(&[0x81, 0x01, 0x01], "is not a string");
    // An array whose shape contradicts its bytes: 2 x 2 floats in four bytes.
    let mut lie = vec![0x81, 0xa1, b'a', 0xc7, 0, 1];
    let body = [&[0x93, 0x92, 2, 2, 0xa7][..], b"float32", &[0xc4, 4, 0, 0, 0, 0]].concat();
    lie[4] = body.len() as u8;
    lie.extend(body);
    check(&lie, "which do not fit its shape [2, 2]");
}

#[test]
fn groups_that_hold_themselves_end() {
    let error = read_all(&golden("hostile/cycle.h5")).expect_err("refused");
    assert!(error.contains("nested more than") || error.contains("groups"), "{error}");
}
