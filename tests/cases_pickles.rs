//! PyTorch files with everything that training programs save next to the weights. The tensors are read bit for bit, and
//! nothing else is interpreted. `golden/pickles/make.py` makes the files.

mod common;

use std::path::Path;

use albert::checkpoint::{Format, Tensors};
use common::cases::case;
use common::{albert, golden};
use safetensors::SafeTensors;
use serde_json::Value;

/// The tensors of a file, with their types, shapes and bytes, sorted by name.
fn tensors(path: &Path) -> Vec<(String, String, Vec<usize>, Vec<u8>)> {
    let tensors = Tensors::open(path).unwrap_or_else(|e| panic!("{e}"));
    let read = |info: &albert::checkpoint::TensorInfo| {
        let (bytes, dtype) = tensors.read(&info.name).unwrap_or_else(|e| panic!("{e}"));
        (info.name.clone(), dtype.to_string(), info.shape.clone(), bytes)
    };
    tensors.infos().iter().map(read).collect()
}

fn expected() -> Vec<(String, String, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(golden("pickles/expected.safetensors")).expect("reads");
    let file = SafeTensors::deserialize(&bytes).expect("a sound file");
    let mut tensors: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let dtype = format!("{:?}", view.dtype()).to_lowercase();
            (name, dtype, view.shape().to_vec(), view.data().to_vec())
        })
        .collect();
    tensors.sort();
    tensors
}

#[test]
fn weights_are_read_among_other_objects() {
    let expected = expected();
    let mut forms = (0, 0);
    for entry in std::fs::read_dir(golden("pickles")).expect("reads") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "bin") {
            continue;
        }
        assert_eq!(tensors(&path), expected, "{}", path.display());
        match Tensors::open(&path).expect("opens").format() {
            Some(Format::PyTorchZip) => forms.0 += 1,
            Some(Format::PyTorchLegacy) => forms.1 += 1,
            other => panic!("{}: {other:?}", path.display()),
        }
    }
    assert!(forms.0 >= 30 && forms.1 >= 20, "{forms:?}");
}

#[test]
fn checkpoints_of_training_programs_classify() {
    let case = case("11-pickle-neighbours");
    let expected = case.expected();
    for directory in expected["directories"].as_array().expect("a list") {
        let model = case.text(directory.as_str().expect("a name"));
        let output = albert()
            .args(["classify", "-q", "--device", "flex", "-k", "all", "--format", "jsonl", "-m", &model])
            .arg(expected["text"].as_str().expect("a text"))
            .output()
            .expect("runs");
        assert!(output.status.success(), "{model}: {}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for (found, expected) in found["predictions"]
            .as_array()
            .expect("a list")
            .iter()
            .zip(expected["classify"].as_array().expect("a list"))
        {
            assert_eq!(found["label"], expected["label"], "{model}");
            let scores = [found, expected].map(|p| p["score"].as_f64().expect("a score"));
            assert!((scores[0] - scores[1]).abs() < 1e-4, "{model}: {scores:?}");
        }
    }
}

#[test]
fn a_tensor_of_another_kind_is_an_error_only_where_it_is_needed() {
    // The classifier in this file is a sparse tensor, so its name is known but its values are not.
    let folder = tempfile::tempdir().expect("a directory");
    let source = golden("cases/models");
    std::fs::copy(source.join("classify/config.json"), folder.path().join("config.json")).expect("copies");
    std::fs::copy(golden("pickles/sparse_classifier.pt"), folder.path().join("pytorch_model.bin"))
        .expect("copies");
    let output = albert()
        .args(["classify", "-q", "--device", "flex", "x", "-m"])
        .arg(folder.path())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("classifier.weight (it is a sparse tensor)"), "{message}");
}

/// Long lists of words and numbers next to the weights take memory in proportion to their size.
#[test]
fn megabytes_of_plain_data_are_skipped() {
    let mut pickle = b"\x80\x02}(X\x05\0\0\0words](".to_vec();
    for i in 0..300_000u32 {
        let word = format!("word{i}");
        pickle.push(b'X');
        pickle.extend((word.len() as u32).to_le_bytes());
        pickle.extend(word.as_bytes());
        pickle.push(b'r');
        pickle.extend((i + 10).to_le_bytes());
    }
    pickle.extend(b"eX\x04\0\0\0ints](");
    pickle.extend(b"K\x07".repeat(2_000_000));
    pickle.extend(b"eX\x05\0\0\0pairs](");
    pickle.extend(b"K\x01K\x02\x86".repeat(300_000));
    pickle.extend(b"eX\x01\0\0\0bB");
    pickle.extend(3_000_000u32.to_le_bytes());
    pickle.extend(vec![7; 3_000_000]);
    pickle.extend(b"u.");
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(&path, &pickle).expect("writes");
    let error = Tensors::open(&path).err().expect("no tensors").to_string();
    assert!(error.ends_with("is a PyTorch file without any tensor"), "{error}");
}
