//! Valid and hostile weight files. Any damage gives an error that names the problem, never a panic or unbounded memory.
//! Nothing in a pickle is ever executed.

mod common;

use std::path::{Path, PathBuf};

use albert::checkpoint::{Dtype, Format, Tensors};
use common::golden;

/// Files in a temporary directory.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    }
}

/// The message without the path in front.
fn problem(path: &Path) -> String {
    match Tensors::open(path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(e) => {
            let message = e.to_string().replace(&path.display().to_string(), "");
            message.trim_start_matches([':', ' ']).to_owned()
        }
    }
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; data]);
    bytes
}

#[test]
fn a_false_safetensors_header_is_refused() {
    let s = Scratch::new();
    let check = |bytes: &[u8], expected: &str| {
        let found = problem(&s.file("model.safetensors", bytes));
        assert!(found.contains(expected), "{found:?} lacks {expected:?}");
    };
    check(&[], "is empty; was its download cut off?");
    check(&[1, 0, 0], "is not a safetensors file: 3 bytes are too few");
    check(&u64::MAX.to_le_bytes(), "its header claims 18446744073709551615 bytes");
    check(&200_000_000u64.to_le_bytes(), "its header claims 200000000 bytes");
    check(&safetensors("{}", 0)[..9], "its header claims 2 bytes and the file has 9");
    check(&safetensors("{nonsense", 0), "is not a valid safetensors file: its header:");
    let one = |shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    check(&safetensors(&one("[2]", "[0,8]"), 4), "and the file has");
    check(&safetensors(&one("[2]", "[0,8]"), 12), "and the file has");
    check(&safetensors(&one("[3]", "[0,8]"), 8), "its header:");
    check(&safetensors(&one("[2]", "[8,0]"), 8), "its header:");
    check(&safetensors(&one("[2]", "[4,12]"), 12), "its header:");
    check(&safetensors(&one("[18446744073709551615,18446744073709551615]", "[0,8]"), 8), "its header:");
    check(&safetensors(&one("[-1]", "[0,8]"), 8), "its header:");
    let two = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\
               \"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
    check(&safetensors(two, 12), "its header:");
    check(&safetensors(&one("[2]", "[0,8]").replace("F32", "Q99"), 8), "its header:");
    assert!(Tensors::open(&s.file("model.safetensors", &safetensors(&one("[2]", "[0,8]"), 8))).is_ok());
}

#[test]
fn foreign_files_are_identified() {
    let s = Scratch::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    for (name, bytes, expected) in [
        (
            "pytorch_model.bin",
            &pointer[..],
            "is a Git LFS pointer, not the weights; run git lfs pull in its directory",
        ),
        (
            "model.safetensors",
            pointer,
            "is a Git LFS pointer, not the weights; run git lfs pull in its directory",
        ),
        (
            "pytorch_model.bin",
            b"<!DOCTYPE html><html>",
            "is a web page, not weights; download the file itself",
        ),
    ] {
        assert_eq!(problem(&s.file(name, bytes)), expected);
    }
    let stump = problem(&s.file("tf_model.h5", b"\x89HDF\r\n\x1a\n"));
    assert!(stump.contains("cannot be read as an HDF5 file"), "{stump}");
    let noise: Vec<u8> = (0..500u32).map(|i| (i * i * 31 % 251) as u8).collect();
    assert!(problem(&s.file("pytorch_model.bin", &noise)).contains("cannot be read as a PyTorch file"));
    assert!(problem(s.0.path()).contains("is a directory"));
}

/// Truncates a file at many lengths. Each must give an error, either on opening or on reading the tensors.
fn every_cut_is_an_error(path: &Path, step: usize) {
    let whole = std::fs::read(path).expect("reads");
    let s = Scratch::new();
    let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
    for length in (0..whole.len()).step_by(step) {
        let cut = s.file(name, &whole[..length]);
        let failed = match Tensors::open(&cut) {
            Err(_) => true,
            Ok(tensors) => tensors.infos().iter().any(|info| tensors.read_f32(&info.name).is_err()),
        };
        assert!(failed, "{} cut to {length} of {} bytes was read", path.display(), whole.len());
    }
}

#[test]
fn files_cut_off_anywhere_are_errors() {
    every_cut_is_an_error(&golden("parity/form_safetensors/model.safetensors"), 131);
    every_cut_is_an_error(&golden("parity/form_bin_zip/pytorch_model.bin"), 131);
    every_cut_is_an_error(&golden("parity/form_bin_legacy/pytorch_model.bin"), 131);
}

/// Damages random bytes. The result is an error or different values, but never a panic.
#[test]
fn damaged_bytes_never_panic() {
    let s = Scratch::new();
    for file in ["form_bin_zip", "form_bin_legacy"] {
        let whole = std::fs::read(golden("parity").join(file).join("pytorch_model.bin")).expect("reads");
        let mut state = 12345u64;
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Half of the damage is in the first bytes, where the pickle of both forms is.
                let place =
                    (state >> 33) as usize % if state & 1 == 0 { whole.len() } else { 4000.min(whole.len()) };
                bytes[place] ^= (state >> 20) as u8 | 1;
            }
            if let Ok(tensors) = Tensors::open(&s.file("pytorch_model.bin", &bytes)) {
                for info in tensors.infos() {
                    let _either = tensors.read_f32(&info.name);
                }
            }
        }
    }
}

#[test]
fn a_pickle_that_calls_something_is_refused_and_nothing_runs() {
    let s = Scratch::new();
    let witness = s.0.path().join("ran");
    let command = format!("touch {}", witness.display());
    let mut call = b"\x80\x02cposix\nsystem\nX".to_vec();
    call.extend((command.len() as u32).to_le_bytes());
    call.extend(command.as_bytes());
    call.extend(b"\x85R.");
    let found = problem(&s.file("pytorch_model.bin", &call));
    assert!(found.contains("PyTorch file"), "{found}");
    assert!(!witness.exists());

    // The same call as a dictionary value, as in a poisoned checkpoint.
    let mut inside = b"\x80\x02}X\x01\x00\x00\x00a".to_vec();
    inside.extend(&call[2..call.len() - 1]);
    inside.extend(b"s.");
    let _refused_or_ignored = Tensors::open(&s.file("pytorch_model.bin", &inside));
    assert!(!witness.exists());
}

#[test]
fn pickle_bombs_end_quickly_with_an_error() {
    let s = Scratch::new();
    let started = std::time::Instant::now();
    // A million nested lists.
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(std::iter::repeat_n(b']', 1_000_000));
    deep.extend(std::iter::repeat_n(b'a', 999_999));
    deep.push(b'.');
    assert!(Tensors::open(&s.file("pytorch_model.bin", &deep)).is_err());
    // A tuple of two references to itself, nested sixty times: 2^60 values if expanded.
    let mut wide = b"\x80\x02)q\x00".to_vec();
    for _ in 0..60 {
        wide.extend(b"h\x00h\x00\x86q\x00");
    }
    wide.push(b'.');
    assert!(Tensors::open(&s.file("pytorch_model.bin", &wide)).is_err());
    // A string that claims four gigabytes, an integer of two.
    assert!(Tensors::open(&s.file("pytorch_model.bin", b"\x80\x02X\xff\xff\xff\xffabc.")).is_err());
    assert!(Tensors::open(&s.file("pytorch_model.bin", b"\x80\x02\x8b\xff\xff\xff\x7fabc.")).is_err());
    assert!(
        Tensors::open(&s.file("pytorch_model.bin", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc."))
            .is_err()
    );
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn an_index_names_files_beside_it_that_hold_what_it_says() {
    let s = Scratch::new();
    let folder = golden("parity/form_safetensors_sharded");
    for entry in std::fs::read_dir(&folder).expect("reads") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), s.0.path().join(entry.file_name())).expect("copies");
    }
    let index = s.0.path().join("model.safetensors.index.json");
    let text = std::fs::read_to_string(&index).expect("reads");
    let tensors = Tensors::open(&index).expect("sound");
    assert_eq!((tensors.file_count(), tensors.format()), (3, Some(Format::Safetensors)));

    let with_shard = |shard: &str| format!("{{\"weight_map\":{{\"albert.pooler.bias\":{shard:?}}}}}");
    for shard in ["../model.safetensors", "/etc/passwd", "a\\b", "."] {
        let found = problem(&s.file("model.safetensors.index.json", with_shard(shard).as_bytes()));
        assert_eq!(found, format!("shard \"{shard}\" is not a file of this directory"));
    }
    let found = problem(&s.file("model.safetensors.index.json", with_shard("gone.safetensors").as_bytes()));
    assert_eq!(found, format!("shard \"gone.safetensors\" is missing in {}", s.0.path().display()));
    assert!(
        problem(&s.file("model.safetensors.index.json", b"{}")).starts_with("is not an index of shards: ")
    );
    let more = text.replacen(
        "\"weight_map\": {",
        "\"weight_map\": {\"albert.ghost\": \"model-00001-of-00003.safetensors\",",
        1,
    );
    assert_ne!(more, text);
    let found = problem(&s.file("model.safetensors.index.json", more.as_bytes()));
    assert!(
        found.contains("promises tensor \"albert.ghost\" in model-00001-of-00003.safetensors"),
        "{found}"
    );
}

#[test]
#[cfg(unix)]
fn links_as_in_the_hub_cache_are_followed() {
    let s = Scratch::new();
    std::fs::create_dir_all(s.0.path().join("snapshots/x")).expect("creates");
    let weights = golden("parity/form_safetensors/model.safetensors");
    std::fs::copy(weights, s.file("blob", b"")).expect("copies");
    let link = s.0.path().join("snapshots/x/model.safetensors");
    std::os::unix::fs::symlink("../../blob", &link).expect("links");
    assert!(Tensors::open(&link).is_ok());
}

#[test]
fn formats_types_and_names_are_reported() {
    let open =
        |case: &str, file: &str| Tensors::open(&golden("parity").join(case).join(file)).expect("sound");
    for (case, format) in [
        ("form_bin_zip", Format::PyTorchZip),
        ("form_bin_legacy", Format::PyTorchLegacy),
        ("form_bin_state_dict_module", Format::PyTorchZip),
        ("form_bin_strides", Format::PyTorchZip),
    ] {
        let tensors = open(case, "pytorch_model.bin");
        assert_eq!(tensors.format(), Some(format), "{case}");
        assert!(
            tensors.get("albert.embeddings.word_embeddings.weight").is_some(),
            "{case}: {:?}",
            tensors.infos()
        );
    }
    let half = open("form_f16", "model.safetensors");
    assert!(half.infos().iter().all(|info| info.dtype == Dtype::F16));
    let error = half.read_f32("no.such.tensor").expect_err("none").to_string();
    assert!(error.ends_with("has no tensor \"no.such.tensor\""), "{error}");
    let extra = open("form_extra_tensors", "model.safetensors");
    let counter = extra.infos().iter().find(|i| i.dtype == Dtype::I64).expect("an integer tensor");
    let error = extra.read_f32(&counter.name).expect_err("integers").to_string();
    assert!(error.contains("has elements of type i64; expected floats"), "{error}");
}
