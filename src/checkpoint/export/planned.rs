//! One tensor of a checkpoint to write.

use std::path::Path;

use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// One tensor to write.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Planned {
    /// The name in the output.
    pub name: String,
    /// The parameter in the source.
    pub canonical: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
}

impl Planned {
    pub(in crate::checkpoint) fn bytes(&self) -> u64 {
        self.elements() * self.dtype.size() as u64
    }

    /// Checks that `bytes` is complete. `path` is the output file, for the error.
    pub(in crate::checkpoint) fn check(&self, bytes: &[u8], path: &Path) -> Result<()> {
        if bytes.len() as u64 == self.bytes() {
            return Ok(());
        }
        let problem =
            format!("tensor \"{}\" has {} bytes and needs {}", self.name, bytes.len(), self.bytes());
        Err(Error::bad_file(path, problem))
    }

    pub(in crate::checkpoint) fn elements(&self) -> u64 {
        self.shape.iter().map(|n| *n as u64).product()
    }
}
