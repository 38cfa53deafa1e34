//! Checkpoints of a run: everything that it needs to go on, each in a directory that is a model of its own.
//!
//! `OUTPUT/checkpoints/step-N/` holds the model as transformers loads it, `optimizer.safetensors` and
//! `trainer.json`. A directory has its name only when all of it is on the disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::optimizer::Moments;
use super::parameters::Parameters;
use crate::checkpoint::{Architecture, SavedTensor, Tensors, TokenizerFiles, save_model, save_tensors};
use crate::error::{Error, Result};
use crate::io::{NewDirectory, replace_file};
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;

/// What a run knows beside its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Version of this format.
    pub version: u32,
    /// Steps made.
    pub step: u64,
    /// Steps that the optimizer made: those that were not skipped.
    pub optimizer_steps: u64,
    /// Tokens seen.
    pub tokens: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// The scale of the loss, where 16-bit floats need one.
    pub loss_scale: Option<f64>,
    /// Where the data stands.
    pub position: Value,
    /// The options that a run must share with the one that it continues.
    pub options: Value,
    /// The best evaluation so far, where evaluations choose.
    #[serde(default)]
    pub best: Option<Best>,
}

/// The best evaluation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps made then.
    pub step: u64,
    /// The figure that counts; higher is better.
    pub score: f64,
    /// Evaluations since then.
    pub evaluations_since: u32,
}

/// The version that this program writes.
pub const STATE_VERSION: u32 = 1;

/// What makes a directory of weights a model.
pub struct ModelFiles<'a> {
    /// Its configuration.
    pub config: &'a AlbertConfig,
    /// The class to save as.
    pub architecture: Architecture,
    /// Its tokenizer's files, and the tokenizer.
    pub tokenizer: (&'a TokenizerFiles, &'a Tokenizer),
}

impl ModelFiles<'_> {
    /// Writes the model into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, folder: &Path, parameters: &Parameters) -> Result<()> {
        save_model(folder, &parameters.saved(), self.config, self.architecture, self.tokenizer)
    }

    /// Writes the model into the directory of a run, file by file, the weights last: each is there as a whole or not.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn publish(&self, output: &Path, parameters: &Parameters) -> Result<()> {
        let temporary = tempfile::Builder::new()
            .prefix(".albert-")
            .suffix(".part")
            .tempdir_in(output)
            .map_err(Error::io(output, "create in"))?;
        self.save(temporary.path(), parameters)?;
        let entries = std::fs::read_dir(temporary.path()).map_err(Error::io(output, "read"))?;
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort_by_key(|name| name == WEIGHTS);
        for name in names {
            replace_file(&temporary.path().join(&name), &output.join(&name))?;
        }
        Ok(())
    }
}

/// The checkpoints of a run.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "trainer.json";

impl Checkpoints {
    /// Those in `output`; `keep` of them stay.
    pub fn new(output: &Path, keep: usize) -> Self {
        Self { folder: output.join("checkpoints"), keep: keep.max(1) }
    }

    /// The steps that there are checkpoints of, in order.
    pub fn steps(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut steps: Vec<u64> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// The directory of a step's checkpoint.
    pub fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Saves a checkpoint, then removes the oldest beyond those kept; the best stays.
    ///
    /// # Errors
    /// [`Error::Io`]; then earlier checkpoints are as they were.
    pub fn save(
        &self,
        state: &TrainerState,
        parameters: &Parameters,
        moments: &Moments,
        model: &ModelFiles,
    ) -> Result<PathBuf> {
        let path = self.path(state.step);
        self.sweep();
        let directory = NewDirectory::beside(&path)?;
        let folder = directory.path();
        model.save(folder, parameters)?;
        save_tensors(&folder.join(OPTIMIZER), &moments_as_tensors(parameters, moments))?;
        let text = serde_json::to_string_pretty(state)
            .map_err(|e| Error::bad_file(folder.join(STATE), format!("cannot be written: {e}")))?;
        std::fs::write(folder.join(STATE), text).map_err(Error::io(folder.join(STATE), "write"))?;
        if path.exists() {
            // Of a run that was resumed from an earlier step.
            std::fs::remove_dir_all(&path).map_err(Error::io(&path, "replace"))?;
        }
        directory.finish()?;
        let steps = self.steps();
        let best = state.best.as_ref().map(|best| best.step);
        for step in steps.iter().rev().skip(self.keep).filter(|step| Some(**step) != best) {
            // One that stays costs space and nothing else.
            let _kept = std::fs::remove_dir_all(self.path(*step));
        }
        Ok(path)
    }

    /// Removes what a killed run left half-written.
    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(".albert-") && name.ends_with(".part") {
                let _kept = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Reads the newest checkpoint that is whole into `parameters`. With what was wrong with newer ones.
    ///
    /// # Errors
    /// When there is none, or none that can be read.
    pub fn restore(&self, parameters: &mut Parameters) -> Result<(TrainerState, Moments, Vec<Error>)> {
        let mut problems = Vec::new();
        for step in self.steps().into_iter().rev() {
            match self.read(step, parameters) {
                Ok((state, moments)) => return Ok((state, moments, problems)),
                Err(error) => problems.push(error),
            }
        }
        Err(problems.into_iter().next().unwrap_or_else(|| {
            Error::bad_file(&self.folder, "holds no checkpoint to resume from; leave --resume out to begin")
        }))
    }

    /// Reads one checkpoint into `parameters`.
    ///
    /// # Errors
    /// When it is not there, not whole, or of another model.
    pub fn read(&self, step: u64, parameters: &mut Parameters) -> Result<(TrainerState, Moments)> {
        let folder = self.path(step);
        let path = folder.join(STATE);
        let text = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let state: TrainerState = serde_json::from_slice(&text)
            .map_err(|e| Error::bad_file(&path, format!("is not the state of a training run: {e}")))?;
        if state.version != STATE_VERSION {
            let problem = format!("has version {}, this program reads {STATE_VERSION}", state.version);
            return Err(Error::bad_file(&path, problem));
        }
        let weights = Tensors::open(&folder.join(WEIGHTS))?;
        let optimizer = Tensors::open(&folder.join(OPTIMIZER))?;
        let mut moments = Moments::new(parameters);
        moments.steps = state.optimizer_steps;
        let mut values = Vec::new();
        for (i, parameter) in parameters.tensors().iter().enumerate() {
            let read = |tensors: &Tensors, name: &str| -> Result<Vec<f32>> {
                let read = tensors.read_f32(name)?;
                if read.len() != parameter.values.len() {
                    return Err(Error::Weights {
                        path: folder.clone(),
                        problem: format!(
                            "tensor {name} has {} values, the model {}",
                            read.len(),
                            parameter.values.len()
                        ),
                    });
                }
                Ok(read)
            };
            values.push(parameter.from_stored(read(&weights, &parameter.name)?));
            moments.first[i] = read(&optimizer, &format!("first.{}", parameter.name))?;
            moments.second[i] = read(&optimizer, &format!("second.{}", parameter.name))?;
        }
        for (parameter, values) in parameters.tensors_mut().iter_mut().zip(values) {
            parameter.values = values;
        }
        Ok((state, moments))
    }
}

fn moments_as_tensors<'a>(parameters: &'a Parameters, moments: &'a Moments) -> Vec<SavedTensor<'a>> {
    let named = |prefix: &'static str, all: &'a [Vec<f32>]| {
        parameters.tensors().iter().zip(all).map(move |(parameter, values)| SavedTensor {
            name: format!("{prefix}.{}", parameter.name),
            shape: parameter.shape.clone(),
            transposed: false,
            values: values.as_slice().into(),
        })
    };
    named("first", &moments.first).chain(named("second", &moments.second)).collect()
}
