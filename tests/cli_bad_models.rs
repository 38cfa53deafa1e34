//! Damaged and hostile model files through the program: the exact message and exit code 2, and nothing is executed.

mod common;

use common::{albert, golden};

/// A model directory in which one file is replaced.
fn with(file: &str, bytes: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["config.json", "spiece.model", "model.safetensors"] {
        let source = golden("fill_mask/spiece_nfkc").join(name);
        std::fs::copy(source, directory.path().join(name)).expect("copies");
    }
    if file == "pytorch_model.bin" {
        std::fs::remove_file(directory.path().join("model.safetensors")).expect("removes");
    }
    std::fs::write(directory.path().join(file), bytes).expect("writes");
    directory
}

fn check(file: &str, bytes: &[u8], message: &str) {
    let directory = with(file, bytes);
    let output = albert()
        .args(["fill-mask", "--device", "flex", "--model"])
        .arg(directory.path())
        .arg("[MASK]")
        .current_dir(directory.path())
        .output()
        .expect("the program runs");
    let path = directory.path().join(file);
    let expected = format!("albert: error: {}\n", albert::error::stated(path.display(), message));
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(!directory.path().join("ran").exists(), "the pickle's call was executed");
}

fn weights() -> Vec<u8> {
    std::fs::read(golden("fill_mask/spiece_nfkc/model.safetensors")).expect("a file")
}

#[test]
fn truncated_or_inconsistent_weights() {
    check(
        "model.safetensors",
        &weights()[..3000],
        "its header claims 3336 bytes and the file has 3000: is it cut off, or no safetensors file?",
    );
    check(
        "model.safetensors",
        &weights()[..20000],
        "its header describes 52968 bytes and the file has 20000: was its download cut off?",
    );
    let mut lie = 1_000_000_000_000_000u64.to_le_bytes().to_vec();
    lie.extend(b"{}");
    check("model.safetensors", &lie, "is not a safetensors file: its header claims 1000000000000000 bytes");
}

#[test]
fn malicious_pickles() {
    let mut wide = b"\x80\x02)q\x00".to_vec();
    wide.extend(b"h\x00h\x00\x86q\x00".repeat(60));
    wide.push(b'.');
    check("pytorch_model.bin", &wide, "is a PyTorch file without any tensor");
    let deep = [b"\x80\x02".as_slice(), &b"]".repeat(10_000), &b"a".repeat(9_999), b"."].concat();
    check("pytorch_model.bin", &deep, "is a PyTorch file without any tensor");
    check(
        "pytorch_model.bin",
        b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00touch ran\x85R.",
        "is a PyTorch file without any tensor",
    );
}

#[test]
fn configurations_that_make_no_sense() {
    check(
        "config.json",
        b"{\"hidden_act\":\"swoosh\"}",
        "key \"hidden_act\": \"swoosh\" is not known; albert knows gelu, gelu_10, gelu_fast, gelu_new, gelu_python, \
         gelu_pytorch_tanh, gelu_python_tanh, gelu_accurate, laplace, leaky_relu, linear, mish, quick_gelu, relu, \
         relu2, relu6, sigmoid, silu, swish, tanh",
    );
    check(
        "config.json",
        b"{",
        "is not valid JSON (EOF while parsing an object at line 1 column 1); expected an ALBERT configuration",
    );
    check(
        "config.json",
        b"{\"model_type\":\"bert\"}",
        "key \"model_type\" is \"bert\"; albert runs ALBERT models only",
    );
    check("config.json", b"{\"num_hidden_layers\":0}", "key \"num_hidden_layers\" is 0; expected at least 1");
}
