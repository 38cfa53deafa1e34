//! Comparison of a GPU with the CPU before its first use: drivers have bugs, and wrong results look like any others.

mod verdicts;

use std::path::Path;

use burn::tensor::Device;

use crate::batch::{Padding, model_input};
use crate::checkpoint::{Checkpoint, MlmBias, load_model};
use crate::device::{self, OpenDevice, Precision};
use crate::error::{Error, Result};
use crate::guard;
use crate::model::OutputOptions;
use crate::tokenizer::Encoding;
use verdicts::Verdicts;

pub use verdicts::cache_directory;

/// Lengths of the rows that are compared. The second one is padded.
const LENGTHS: [usize; 2] = [16, 11];

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checked {
    /// The device is a CPU, or no CPU is part of this build.
    NotNeeded,
    /// The device passed in an earlier process.
    Before,
    /// The device passed now. The largest difference of a hidden state from the CPU's, relative to the largest state.
    Now(f64),
}

/// The largest accepted difference, relative to the largest hidden state.
fn tolerance(float: Precision) -> f64 {
    match float {
        Precision::F16 => 2e-2,
        Precision::Bf16 => 1e-1,
        Precision::F32 | Precision::Bf16x2 | Precision::Int8 => 1e-3,
    }
}

/// Compares the hidden states of the built-in model on `device` with those on the CPU. A device that passed with this
/// version of the program, this driver and this type is not checked again, provided that there is a `directory` to record
/// the result.
///
/// # Errors
/// [`Error::Device`] that names adapter and driver, if the device fails or its results differ from the CPU's.
pub fn check(device: &OpenDevice, float: Precision, directory: Option<&Path>) -> Result<Checked> {
    if !cfg!(any(feature = "flex", feature = "ndarray")) {
        return Ok(Checked::NotNeeded);
    }
    let Some(adapter) = &device.adapter else { return Ok(Checked::NotNeeded) };
    let verdicts = directory.map(|directory| Verdicts::new(directory, adapter, &format!("{float:?}")));
    if verdicts.as_ref().is_some_and(Verdicts::has_passed) {
        return Ok(Checked::Before);
    }
    let failed = |problem: String| Error::Device {
        device: device.name.clone(),
        problem: format!(
            "{adapter} {problem}; update its driver, use option device=flex, or accept it with option device_check=off"
        ),
    };
    let cpu = device::open(device::CPU, Precision::F32)?.device;
    let expected = hidden_states(&cpu, 1)?;
    let found = guard::caught(|| hidden_states(&device.device, device.pad_multiple()))
        .ok_or_else(|| failed("cannot compute the built-in model".to_owned()))?
        .map_err(|error| failed(format!("cannot compute the built-in model ({error})")))?;
    let difference = difference(&expected, &found);
    if difference.is_nan() || difference > tolerance(float) {
        return Err(failed(format!(
            "gives wrong results in {float:?}: they differ by {difference:.1e} from those of the CPU, where {:.0e} is allowed",
            tolerance(float)
        )));
    }
    if let Some(verdicts) = verdicts {
        verdicts.remember(difference);
    }
    Ok(Checked::Now(difference))
}

/// The hidden states of fixed rows, excluding padding.
fn hidden_states(device: &Device, pad_multiple: usize) -> Result<Vec<f32>> {
    let checkpoint = Checkpoint::embedded()?;
    let (model, _) = load_model(&checkpoint.tensors()?, &checkpoint.config, &[], MlmBias::default(), device)?;
    let vocabulary = checkpoint.config.vocab_size as u32;
    let row = |length: usize| Encoding {
        // Ids spread over the vocabulary.
        ids: (0..length as u32).map(|i| (i * 7919 + 5) % vocabulary).collect(),
        type_ids: (0..length).map(|i| u32::from(2 * i >= length)).collect(),
        ..Encoding::default()
    };
    let rows = LENGTHS.map(row);
    let padding =
        Padding { id: 0, multiple: pad_multiple, longest: checkpoint.config.max_position_embeddings };
    let states = model.albert.forward(model_input(rows.iter(), padding, device), OutputOptions::default());
    let [_, length, hidden] = states.last_hidden_state.dims();
    let all = device::to_host(states.last_hidden_state)?;
    let own = |(row, own): (&[f32], usize)| row[..own * hidden].to_vec();
    Ok(all.chunks(length * hidden).zip(LENGTHS).flat_map(own).collect())
}

/// The largest difference, relative to the largest expected value. NaN if a value is NaN.
fn difference(expected: &[f32], found: &[f32]) -> f64 {
    if expected.len() != found.len() || found.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
    let pairs = expected.iter().zip(found);
    let error = pairs.fold(0f32, |most, (expected, found)| most.max((expected - found).abs()));
    f64::from(error) / f64::from(largest.max(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_and_nan_is_never_small() {
        assert_eq!(difference(&[4.0, -2.0], &[4.0, -1.0]), 0.25);
        assert_eq!(difference(&[4.0, -2.0], &[4.0, -2.0]), 0.0);
        assert!(difference(&[4.0], &[f32::NAN]).is_nan());
        assert!(difference(&[4.0], &[]).is_nan());
        assert!(difference(&[4.0], &[f32::INFINITY]).is_infinite());
    }

    #[test]
    #[cfg(feature = "flex")]
    fn a_cpu_needs_no_check_and_another_one_passes() {
        let open = device::open(device::DeviceChoice::Flex, Precision::F32).expect("the CPU");
        assert_eq!(check(&open, Precision::F32, None).expect("nothing to check"), Checked::NotNeeded);
        let folder = tempfile::tempdir().expect("a folder");
        let adapter = OpenDevice { adapter: Some("Card (Vulkan; driver 1)".to_owned()), ..open };
        assert_eq!(check(&adapter, Precision::F32, Some(folder.path())).expect("passes"), Checked::Now(0.0));
        assert_eq!(check(&adapter, Precision::F32, Some(folder.path())).expect("passed"), Checked::Before);
        let other = OpenDevice { adapter: Some("Card (Vulkan; driver 2)".to_owned()), ..adapter };
        assert_eq!(check(&other, Precision::F32, Some(folder.path())).expect("passes"), Checked::Now(0.0));
    }
}
