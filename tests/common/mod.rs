//! Helpers that several test programs share.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod cases;
pub(crate) mod runs;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// A path under `tests/golden`.
pub(crate) fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

/// A tensor of an expected-values file.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub shape: Vec<usize>,
    pub floats: Vec<f32>,
    pub ints: Vec<i64>,
}

/// All tensors of a safetensors file of expected values.
pub(crate) fn read_expected(path: &Path) -> HashMap<String, Expected> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a sound file");
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let data = view.data();
            let mut expected =
                Expected { shape: view.shape().to_vec(), floats: Vec::new(), ints: Vec::new() };
            match view.dtype() {
                safetensors::Dtype::F32 => {
                    expected.floats =
                        data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                }
                safetensors::Dtype::F64 => {
                    expected.floats =
                        data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect();
                }
                safetensors::Dtype::I64 => {
                    expected.ints = data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
                }
                other => panic!("{name}: unexpected type {other:?}"),
            }
            (name, expected)
        })
        .collect()
}

/// A `Command` for the program in an environment without the user's settings.
pub(crate) fn albert() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("albert").expect("the program is built");
    for name in ["ALBERT_MODEL", "ALBERT_DEVICE", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE"]
    {
        command.env_remove(name);
    }
    command.env("HF_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}
