//! Processes that train one model together.

#[cfg(feature = "mpi")]
mod mpi;

use crate::error::{Error, Result};

/// Collective operations over all processes of a run. Every process must call the same methods in the same order.
pub trait Communicator {
    /// The rank of this process, from 0.
    fn rank(&self) -> usize;

    /// Returns true in the process that evaluates, reports and writes files, which has rank 0.
    fn is_main_process(&self) -> bool {
        self.rank() == 0
    }

    /// The number of processes.
    fn size(&self) -> usize;

    /// Replaces `values` with their sums over all processes.
    ///
    /// # Errors
    /// If a process has died.
    fn sum_f32(&self, values: &mut [f32]) -> Result<()>;

    /// Same as [`Communicator::sum_f32`], for `f64`.
    ///
    /// # Errors
    /// If a process has died.
    fn sum_f64(&self, values: &mut [f64]) -> Result<()>;

    /// Returns true in all processes if `value` is true in any of them.
    ///
    /// # Errors
    /// If a process has died.
    fn any(&self, value: bool) -> Result<bool> {
        let mut sum = [f64::from(u8::from(value))];
        self.sum_f64(&mut sum)?;
        Ok(sum[0] > 0.0)
    }
}

/// The communicator of a single-process run.
pub struct SingleProcess;

impl Communicator for SingleProcess {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum_f32(&self, _values: &mut [f32]) -> Result<()> {
        Ok(())
    }

    fn sum_f64(&self, _values: &mut [f64]) -> Result<()> {
        Ok(())
    }
}

/// Connects to the processes that were started together with this one: through MPI in builds with that feature.
///
/// # Errors
/// [`crate::Error::Device`] if MPI cannot be initialized.
pub fn connect() -> Result<Box<dyn Communicator>> {
    #[cfg(feature = "mpi")]
    return Ok(Box::new(mpi::World::connect()?));
    #[cfg(not(feature = "mpi"))]
    Ok(Box::new(SingleProcess))
}

/// The rank of this process on its machine, from 0, as set by `mpirun` or the scheduler.
pub fn local_rank() -> usize {
    ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "PALS_LOCAL_RANKID"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok())
        .unwrap_or(0)
}

/// Returns the result in every process, or an error in all of them if any has an error.
///
/// # Errors
/// The error of `result`; if another process has one, or has died.
pub fn all_ok<T>(world: &dyn Communicator, result: Result<T>) -> Result<T> {
    let failed = world.any(result.is_err())?;
    let value = result?;
    if failed { Err(Error::Input("another process failed".to_owned())) } else { Ok(value) }
}

/// Runs `work` in process 0 before the other processes, which then find its results on disk. `None` means that `work` was
/// interrupted. An error or an interruption in one process ends all of them: the others return `None`.
///
/// # Errors
/// Errors of `work`; if a process has died.
pub fn rank_zero_first<T>(
    world: &dyn Communicator,
    mut work: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut result = Ok(None);
    for turn in [world.is_main_process(), !world.is_main_process()] {
        if turn {
            result = work();
        }
        let ended = turn && !matches!(result, Ok(Some(_)));
        if world.any(ended)? {
            return if ended { result } else { Ok(None) };
        }
    }
    result
}
