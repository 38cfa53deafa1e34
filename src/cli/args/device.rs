//! Arguments for the inference device.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use albert::device::{DeviceChoice, Precision};

use super::part::PartArgs;

#[derive(Args, Clone, Debug)]
pub(crate) struct DeviceArgs {
    /// Bytes of the input, if known.
    #[arg(skip)]
    pub input_bytes: Option<u64>,
    /// Device: auto, flex, ndarray, wgpu[:N], cuda[:N]
    ///
    /// auto selects the CPU (flex), or a discrete or Apple GPU for training and for files long enough to make up for the GPU's start-up time.
    /// --verbose prints the reason. `albert devices` lists the devices.
    #[arg(long, env = "ALBERT_DEVICE", value_name = "DEVICE", default_value = "auto", value_parser = str::parse::<DeviceChoice>, help_heading = "Device")]
    pub device: DeviceChoice,
    #[command(flatten, next_help_heading = "Device")]
    pub check: DeviceCheckArgs,
    /// Compute precision
    ///
    /// f32 gives the numbers of transformers. On a CPU, bf16x2, bf16 and int8 apply only to matrix multiplications. They are
    /// faster on processors with suitable instructions, and less exact: bf16x2 (the sum of two bf16, for AMX) has errors of
    /// about 1e-5, bf16 of about 1e-2, and int8 of up to 1e-1.
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Device")]
    pub dtype: Precision,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Device")]
    pub threads: Option<u16>,
    /// Padded tokens per forward pass [default: 256 per CPU thread and at least 512; 16384 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Device")]
    pub batch_tokens: Option<u32>,
    /// Random seed of eval mlm (all else is deterministic)
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Device")]
    pub seed: Option<u64>,
}

/// The comparison of a GPU with the CPU.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DeviceCheckArgs {
    /// When to compare a GPU with the CPU
    ///
    /// A small batch is computed on both. If they differ by more than the precision allows, the command ends with an error. The
    /// result is remembered for this version of the program, driver and precision.
    #[arg(
        long,
        env = "ALBERT_DEVICE_CHECK",
        value_name = "WHEN",
        default_value = "first-use",
        hide_short_help = true
    )]
    pub device_check: DeviceCheckArg,
}

/// When to compare a GPU with the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceCheckArg {
    /// Before its first use.
    FirstUse,
    /// Never.
    Off,
}

impl DeviceArgs {
    /// These options with the size of the input, by which `auto` chooses: the bytes of texts in arguments and of files. Without
    /// either, the input is standard input.
    pub(crate) fn for_input(&self, files: &[PathBuf], texts: &[String]) -> Self {
        let mut bytes = (!texts.is_empty()).then(|| texts.iter().map(|text| text.len() as u64).sum());
        let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        if files.is_empty() && texts.is_empty() {
            files.push(Path::new("-"));
        }
        for file in files {
            // Standard input may be a regular file.
            let file = if file == Path::new("-") { Path::new("/dev/stdin") } else { file };
            let Some(size) = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file) else {
                continue;
            };
            // Text typically compresses to about a fourth of its size.
            let packed = file.extension().is_some_and(|end| end == "gz" || end == "zst");
            *bytes.get_or_insert(0) += size.len() * if packed { 4 } else { 1 };
        }
        Self { input_bytes: bytes, ..self.clone() }
    }

    /// As [`Self::for_input`], for a part of the records.
    pub(crate) fn for_part(&self, files: &[PathBuf], texts: &[String], part: PartArgs) -> Self {
        let whole = self.for_input(files, texts);
        Self { input_bytes: whole.input_bytes.map(|bytes| part_of(bytes, part)), ..whole }
    }
}

/// The bytes of a record, for an estimate.
const RECORD_BYTES: u64 = 1 << 10;

/// An estimate of the bytes in a part of an input.
fn part_of(bytes: u64, part: PartArgs) -> u64 {
    let shard = part.shard.map_or(bytes, |shard| bytes / shard.count.max(1));
    part.limit.map_or(shard, |limit| shard.min(limit.saturating_mul(RECORD_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_smaller_than_the_whole() {
        let part = |shard: Option<&str>, limit| PartArgs {
            skip: 0,
            limit,
            shard: shard.map(|shard| shard.parse().expect("a shard")),
            resume: false,
            records_per_file: None,
        };
        assert_eq!(part_of(1 << 30, part(None, None)), 1 << 30);
        assert_eq!(part_of(1 << 30, part(Some("2/4"), None)), 1 << 28);
        assert_eq!(part_of(1 << 30, part(None, Some(10))), 10 << 10);
        assert_eq!(part_of(1 << 10, part(None, Some(u64::MAX))), 1 << 10);
    }
}
