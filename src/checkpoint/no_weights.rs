//! Explains why a directory has no weights that can be read.

use std::path::{Path, PathBuf};

use super::weight_files::{LONE, OTHER_ONNX, WEIGHTS, candidates, has_weights};

/// Number of files or directories that a message names.
const SHOWN: usize = 8;

/// Returns the reason, and what to do about it.
pub(super) fn explain(directory: &Path) -> String {
    several_files(directory)
        .or_else(|| distributed(directory))
        .or_else(|| subdirectories(directory))
        .unwrap_or_else(|| {
            let lone: Vec<String> = LONE.iter().map(|extension| format!("*.{extension}")).collect();
            format!(
                "no weights in this directory; looked for {}, *.index (TensorFlow), {} (also in onnx/), and a single {}",
                WEIGHTS.join(", "),
                OTHER_ONNX.join(", "),
                lone.join(", ")
            )
        })
}

fn several_files(directory: &Path) -> Option<String> {
    let found = candidates(directory);
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    let names: Vec<String> = found.iter().filter_map(name).collect();
    let first = found.first()?.display();
    if names.iter().all(|name| name.contains("-of-")) {
        return Some(format!(
            "the shards in this directory ({}) have no index; copy the file model.safetensors.index.json or \
             pytorch_model.bin.index.json from where they come from",
            listed(&names)
        ));
    }
    (names.len() > 1).then(|| {
        format!(
            "several files may be the weights: {}; pass one of them as the model: {first}",
            listed(&names)
        )
    })
}

/// Recognizes checkpoints that several processes wrote, each its own part.
fn distributed(directory: &Path) -> Option<String> {
    let below = entries(directory);
    let is_step = |path: &PathBuf| name_of(path).starts_with("global_step") && path.is_dir();
    if below.iter().any(is_step) || is_step(&directory.to_owned()) {
        let root = if is_step(&directory.to_owned()) { directory.parent()? } else { directory };
        let root = root.display();
        return Some(format!(
            "the weights are parts of a DeepSpeed checkpoint, which albert does not read; join them with \
             python {root}/zero_to_fp32.py {root} {root} and try again"
        ));
    }
    let has_parts =
        |folder: &Path| entries(folder).iter().any(|path| path.extension().is_some_and(|e| e == "distcp"));
    let folder = [directory.to_owned()].into_iter().chain(below).find(|folder| has_parts(folder))?;
    let model = directory.join("pytorch_model.bin");
    Some(format!(
        "the weights are parts of a distributed PyTorch checkpoint (FSDP, *.distcp), which albert does not read; join \
         them with python -m torch.distributed.checkpoint.format_utils dcp_to_torch {} {} and try again",
        folder.display(),
        model.display()
    ))
}

/// Names the checkpoints in a directory of a training run.
fn subdirectories(directory: &Path) -> Option<String> {
    let mut found: Vec<PathBuf> =
        entries(directory).into_iter().filter(|path| path.is_dir() && has_weights(path)).collect();
    let step = |path: &PathBuf| {
        let name = name_of(path);
        let digits = name.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse::<u64>().ok()
    };
    found.sort_by_key(|path| (step(path), path.clone()));
    let last = found.last()?.display();
    let names: Vec<String> = found.iter().map(|path| name_of(path)).collect();
    let (verb, them) = if names.len() == 1 { ("has", "it") } else { ("have", "one of them") };
    Some(format!(
        "no weights in this directory, but {} {verb} some; pass {them} as the model: {last}",
        listed(&names)
    ))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Joins names. Leaves out all after the first few.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_and_the_remedy() {
        let cases: [(&[&str], &str); 8] = [
            (
                &["a.pt", "b.pt"],
                "several files may be the weights: a.pt, b.pt; pass one of them as the model: ",
            ),
            (&["epoch=3.ckpt", "last.ckpt", "optimizer.pt"], "weights: epoch=3.ckpt, last.ckpt; pass"),
            (
                &["a-00001-of-00002.safetensors"],
                "the shards in this directory (a-00001-of-00002.safetensors) have",
            ),
            (&["latest", "global_step7/mp_rank_00_model_states.pt"], "parts of a DeepSpeed checkpoint"),
            (&["pytorch_model_fsdp_0/__0_0.distcp"], "parts of a distributed PyTorch checkpoint"),
            (
                &["checkpoint-1000/model.safetensors", "checkpoint-500/pytorch_model.bin", "runs/x"],
                "but checkpoint-500, checkpoint-1000 have some; pass one of them as the model: ",
            ),
            (&["checkpoints/last.ckpt"], "but checkpoints has some; pass it as the model: "),
            (&["optimizer.pt", "training_args.bin", "rng_state_0.pth"], "and a single *.safetensors, *.bin"),
        ];
        for (files, expected) in cases {
            let folder = tempfile::tempdir().expect("a directory");
            for file in files {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("creates");
                std::fs::write(path, b"x").expect("writes");
            }
            let problem = explain(folder.path());
            assert!(problem.contains(expected), "{files:?}: {problem}");
        }
    }
}
