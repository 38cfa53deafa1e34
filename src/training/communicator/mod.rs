//! Processes that train one model together.

#[cfg(feature = "mpi")]
mod mpi;

use crate::error::Result;

/// Sums over all processes of a run. Every process calls the same methods in the same order.
pub trait Communicator {
    /// The number of this process, from 0; that one writes.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Replaces `values` by their sums over all processes.
    ///
    /// # Errors
    /// When a process is gone.
    fn sum_f32(&self, values: &mut [f32]) -> Result<()>;

    /// As [`Communicator::sum_f32`].
    ///
    /// # Errors
    /// When a process is gone.
    fn sum_f64(&self, values: &mut [f64]) -> Result<()>;

    /// True for all if it is true for one.
    ///
    /// # Errors
    /// When a process is gone.
    fn any(&self, value: bool) -> Result<bool> {
        let mut sum = [f64::from(u8::from(value))];
        self.sum_f64(&mut sum)?;
        Ok(sum[0] > 0.0)
    }
}

/// A run of one process.
pub struct Alone;

impl Communicator for Alone {
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

/// The processes that this one was started with: those of MPI in a build that has it, else none.
///
/// # Errors
/// [`crate::Error::Device`] when they cannot be joined.
pub fn join() -> Result<Box<dyn Communicator>> {
    #[cfg(feature = "mpi")]
    return Ok(Box::new(mpi::World::join()?));
    #[cfg(not(feature = "mpi"))]
    Ok(Box::new(Alone))
}

/// The number of this process on its machine, from 0, as the programs that start several tell it.
pub fn local_rank() -> usize {
    ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "PALS_LOCAL_RANKID"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok())
        .unwrap_or(0)
}
