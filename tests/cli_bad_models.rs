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
        "its header claims 3336 bytes and the file has 3000: is it truncated, or not a safetensors file?",
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
fn pytorch_files_that_cannot_be_used() {
    let whole = std::fs::read(golden("pickles/as_list.bin")).expect("a file");
    check(
        "pytorch_model.bin",
        &whole[..whole.len() - 40],
        "cannot be read as a PyTorch file: its zip archive is truncated or damaged; was its download cut off?",
    );
    check(
        "pytorch_model.bin",
        b"\x80\x02}X\x01\x00\x00\x00acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btRs.",
        "is a pickle of NumPy arrays, which albert does not read; save PyTorch tensors instead, made with \
         torch.from_numpy",
    );
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
    check(
        "config.json",
        b"\xff\xfe{\0}\0",
        "is not valid JSON (it is UTF-16; save it as UTF-8, with an editor or iconv -f UTF-16 -t UTF-8); expected an \
         ALBERT configuration",
    );
    check(
        "config.json",
        b"{\"pruned_heads\":{\"0\":[1,2],\"1\":[]}}",
        "key \"pruned_heads\": the attention heads [1,2] of layer 0 were removed, and albert does not support layers with \
         different numbers of heads; use the weights from before the heads were removed, or put heads of zeros in their \
         place, which give the same results, and remove this key (docs/limitations.md has a script)",
    );
    check("config.json", b"{\"num_hidden_layers\":0}", "key \"num_hidden_layers\" is 0; expected at least 1");
}

#[test]
fn byte_order_marks_and_empty_lists_of_pruned_heads() {
    let source = golden("fill_mask/spiece_nfkc");
    let config = std::fs::read_to_string(source.join("config.json")).expect("a file");
    let config = config.replacen('{', "\u{feff}{\"pruned_heads\": {}, ", 1);
    let directory = with("config.json", config.as_bytes());
    std::fs::write(directory.path().join("tokenizer_config.json"), "\u{feff}{}").expect("writes");
    let predicted = |model: &std::path::Path| {
        let output =
            albert().args(["fill-mask", "--device", "flex", "--model"]).arg(model).arg("[MASK]").output();
        let output = output.expect("the program runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        output.stdout
    };
    assert_eq!(predicted(directory.path()), predicted(&source));
}

/// A checkpoint of Lightning is found under any name, and a directory of checkpoints is explained.
#[test]
fn weights_with_unusual_names() {
    let directory =
        with("config.json", &std::fs::read(golden("fill_mask/spiece_nfkc/config.json")).expect("a file"));
    let path = |name: &str| directory.path().join(name);
    let run = || {
        let output = albert()
            .args(["fill-mask", "--device", "flex", "--model"])
            .arg(directory.path())
            .arg("[MASK]")
            .output();
        let output = output.expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // The format is detected from the content.
    std::fs::rename(path("model.safetensors"), path("epoch=3-step=500.ckpt")).expect("renames");
    assert_eq!(run(), (Some(0), String::new()));
    std::fs::copy(path("epoch=3-step=500.ckpt"), path("last.ckpt")).expect("copies");
    let model = format!("albert: error: model \"{}\": ", directory.path().display());
    let named = path("epoch=3-step=500.ckpt").display().to_string();
    let problem =
        "several files may be the weights: epoch=3-step=500.ckpt, last.ckpt; pass one of them as the model: ";
    assert_eq!(run(), (Some(2), format!("{model}{problem}{named}\n")));
    std::fs::create_dir(path("checkpoint-7")).expect("creates");
    std::fs::rename(path("last.ckpt"), path("checkpoint-7/model.safetensors")).expect("renames");
    std::fs::remove_file(path("epoch=3-step=500.ckpt")).expect("removes");
    let problem = "no weights in this directory, but checkpoint-7 has some; pass it as the model: ";
    assert_eq!(run(), (Some(2), format!("{model}{problem}{}\n", path("checkpoint-7").display())));
}
